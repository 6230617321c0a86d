// Clusters of unusual build: small and large WAL segments, no page checksums, group access, a relation of many files that
// are mostly holes, and thousands of small relations. All of it backed up and brought back equal.
//
// A relation grows by whole files of empty pages while its server is stopped: a server takes empty pages for new ones, and
// no disk is filled. Without checksums a page may be copied to another place.

import assert from 'node:assert/strict';
import { copyFile, lstat, open, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { giveTo } from '@spillway/lab';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage } from './operation-stage.ts';

const PAGE = 8192;
const SEGMENT_BYTES = 1024 ** 3;
/** Files of the large relation that are nothing but a hole. */
const HOLES = 3;
const SMALL_TABLES = 1500;
const TABLES_AT_ONCE = 500;
const HEAP_MAX = 200 * 1024 * 1024;

test('segments of 1 MB, no checksums, group access, a relation of many files and thousands of small ones', async () => {
  await using stage = await makeStage({
    walSegmentMegabytes: 1,
    checksums: false,
    initdbArguments: ['--allow-group-access'],
    settings: { max_locks_per_transaction: '256', max_wal_size: '256MB' },
  });
  const { cluster } = stage;
  const { dataDirectory, account } = cluster;
  await cluster.query('CREATE TABLE wide AS SELECT generate_series(1, 200) AS n');
  for (let from = 0; from < SMALL_TABLES; from += TABLES_AT_ONCE) {
    await cluster.query(
      `DO $$ BEGIN FOR i IN ${from} .. ${from + TABLES_AT_ONCE - 1} LOOP
         EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', i, i); END LOOP; END $$`,
    );
  }
  await cluster.query('CHECKPOINT');
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('wide') AS path");
  const wide = join(dataDirectory, row?.path ?? '');
  await cluster.stop();
  const last = `${wide}.${HOLES}`;
  await copyFile(wide, last);
  await truncate(wide, SEGMENT_BYTES);
  for (let segment = 1; segment < HOLES; segment++) {
    await using file = await open(`${wide}.${segment}`, 'w', 0o640);
    await file.truncate(SEGMENT_BYTES);
  }
  for (let segment = 1; segment <= HOLES; segment++) await giveTo(account, `${wide}.${segment}`);
  await cluster.start();

  const receiving = stage.receive();
  const first = await stage.backup();
  const heap = process.memoryUsage().heapUsed;
  assert.ok(heap < HEAP_MAX, `${heap} bytes of heap for ${first.files} files`);
  // Rows on both ends of the holes.
  const state = `SELECT (SELECT count(*)::int FROM wide WHERE ctid < '(1,0)') AS head,
      (SELECT count(*)::int FROM wide WHERE ctid >= '(${(HOLES * SEGMENT_BYTES) / PAGE},0)') AS tail,
      pg_relation_size('wide')::text AS bytes, current_setting('data_checksums') AS checksums,
      (SELECT count(*)::int FROM pg_class WHERE relname LIKE 'small\\_%') AS tables`;
  await cluster.query(`UPDATE wide SET n = -n WHERE ctid >= '(${(HOLES * SEGMENT_BYTES) / PAGE},0)' AND n <= 50`);
  await cluster.query('DROP TABLE small_7');
  const said = await cluster.query(state);
  assert.deepEqual(said, [
    {
      head: 200,
      tail: 200,
      bytes: String(HOLES * SEGMENT_BYTES + (await stat(last)).size),
      checksums: 'off',
      tables: SMALL_TABLES - 1,
    },
  ]);
  await stage.caughtUp(receiving);
  await receiving.stop();
  assert.deepEqual([first.checksums, first.wal_segment_bytes, first.damaged_page_count], [false, 1024 * 1024, 0]);
  const { entries } = await readManifest(stage.repository, stage.name, first.id);

  const { cluster: restored } = await stage.restore();
  assert.deepEqual(await restored.query(state), said);
  const some = Array.from({ length: SMALL_TABLES / 10 }, (_, i) => `SELECT n FROM small_${i * 10}`).join(' UNION ALL ');
  const sum = `SELECT count(*)::int AS count, sum(n)::int AS sum FROM (${some}) AS tables`;
  assert.deepEqual(await restored.query(sum), await cluster.query(sum));
  const tail = `SELECT string_agg(n::text, ' ' ORDER BY n) AS rows FROM wide WHERE ctid >= '(${(HOLES * SEGMENT_BYTES) / PAGE},0)'`;
  assert.deepEqual(await restored.query(tail), await cluster.query(tail));
  // Holes stay holes, and modes what they were.
  for (let segment = 1; segment < HOLES; segment++) {
    const { size, blocks } = await stat(join(restored.dataDirectory, `${row?.path}.${segment}`));
    assert.equal(size, SEGMENT_BYTES);
    assert.ok(blocks * 512 < SEGMENT_BYTES / 100, `${blocks} blocks`);
  }
  assert.equal((await lstat(restored.dataDirectory)).mode & 0o777, 0o750);
  const modes = new Set<number>();
  for (const entry of entries) if (entry.kind === 'file' && entry.path.startsWith('base/')) modes.add(entry.mode);
  assert.deepEqual([...modes], [0o640]);
  for (const name of (await readdir(join(restored.dataDirectory, 'base/5'))).slice(0, 50)) {
    assert.equal((await lstat(join(restored.dataDirectory, 'base/5', name))).mode & 0o777, 0o640, name);
  }
});

test('segments of 64 MB: received in pieces and whole, and replayed', async () => {
  await using stage = await makeStage({ walSegmentMegabytes: 64 });
  const { cluster } = stage;
  await cluster.query('CREATE TABLE event (n int)');
  const receiving = stage.receive();
  const { wal_segment_bytes: bytes } = await stage.backup();
  assert.equal(bytes, 64 * 1024 * 1024);
  await cluster.query('INSERT INTO event SELECT generate_series(1, 1000)');
  await cluster.query('SELECT pg_switch_wal()');
  await cluster.query('INSERT INTO event SELECT generate_series(1001, 1500)');
  await stage.caughtUp(receiving);
  await receiving.stop();
  const { cluster: restored } = await stage.restore();
  assert.deepEqual(await restored.query('SELECT count(*)::int AS n FROM event'), [{ n: 1500 }]);
});
