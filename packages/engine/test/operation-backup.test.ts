// Backups of a real cluster: what is read, what is left out, what is found damaged, and what makes a backup void.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { differences, fingerprint, flipBit } from '@spillway/lab';
import { listBackups } from '../src/operation/backups.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const MARGIN_MS = 2_000;

describe('a backup', () => {
  let stage: Stage;
  let space: string;

  before(async () => {
    stage = await makeStage();
    space = join(stage.folder, 'space');
    await mkdir(space);
    const { account } = stage.cluster;
    if (account !== undefined) await chown(space, account.uid, account.gid);
    await stage.cluster.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
    await stage.cluster.query(
      `CREATE TABLE quiet AS SELECT n, repeat(md5(n::text), 10) AS filler FROM generate_series(1, 10000) n;
       CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n;
       CREATE TABLE away TABLESPACE elsewhere AS SELECT generate_series(1, 1000) AS n;
       CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 1000) AS n;
       CREATE INDEX ON fleeting (n)`,
    );
  });
  after(() => stage[Symbol.asyncDispose]());

  const pathOf = async (table: string): Promise<string> => {
    const [row] = await stage.cluster.query<{ path: string }>(`SELECT pg_relation_filepath('${table}') AS path`);
    return row?.path ?? '';
  };

  /** Until no file is so young that the next backup would read it again for that alone. */
  const settled = async (): Promise<void> => {
    await stage.cluster.query('CHECKPOINT');
    const began = Date.now();
    await waitFor('files to be of age', () => Date.now() - began > MARGIN_MS + 100);
  };

  test('without a receiver takes its own WAL with it, and leaves no slot behind', async () => {
    const summary = await stage.backup();
    assert.deepEqual(await stage.cluster.query('SELECT slot_name FROM pg_replication_slots'), []);
    const report = await checkWal({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual([report.backups_without_wal, report.timelines.length], [[], 1]);
    assert.equal(summary.damaged_pages.length, 0);
  });

  test('keeps the label and the map of pg_backup_stop, byte for byte, and none of the files that are not the cluster’s', async () => {
    const { dataDirectory } = stage.cluster;
    for (const name of ['backup_label.old', 'backup_manifest', 'pg_internal.init.77', 'base/pgsql_tmp77'])
      await writeFile(join(dataDirectory, name), 'x');
    await writeFile(join(dataDirectory, 'pg_replslot', 'x'), 'x');
    await writeFile(join(dataDirectory, 'base/5/t3_16999'), 'x');
    const holder = await stage.cluster.connect();
    try {
      await holder.query('CREATE TEMPORARY TABLE passing AS SELECT generate_series(1, 1000) AS n');
      const [temporary] = (await holder.query<{ path: string }>("SELECT pg_relation_filepath('passing') AS path")).rows;
      const { id } = await stage.backup();
      const manifest = await readManifest(stage.repository, stage.name, id);
      const files = [...manifest.entries].filter((entry) => entry.kind === 'file').map(({ path }) => path);

      assert.match(
        manifest.head.backup_label,
        new RegExp(
          [
            '^START WAL LOCATION: [0-9A-F/]+ \\(file [0-9A-F]{24}\\)',
            'CHECKPOINT LOCATION: [0-9A-F/]+',
            'BACKUP METHOD: streamed',
            'BACKUP FROM: primary',
            'START TIME: [^\n]+',
            `LABEL: spillway ${id}`,
            'START TIMELINE: 1\n$',
          ].join('\n'),
        ),
      );
      assert.match(manifest.head.tablespace_map, new RegExp(`^\\d+ ${space}\\n$`));

      const forbidden =
        /^(?:postmaster\.|backup_label|tablespace_map|backup_manifest|pg_wal\/|pg_replslot\/|pg_dynshmem\/|pg_notify\/|pg_serial\/|pg_snapshots\/|pg_stat_tmp\/|pg_subtrans\/)|pg_internal\.init|pgsql_tmp|\/t\d+_\d+/;
      assert.deepEqual(
        files.filter((path) => forbidden.test(path)),
        [],
      );
      assert.ok(!files.includes(temporary?.path ?? ''));
      assert.equal(files.at(-1), 'global/pg_control');
      const unlogged = await pathOf('fleeting');
      assert.deepEqual(
        files.filter((path) => path.startsWith(unlogged)),
        [`${unlogged}_init`],
      );
      const folders = [...manifest.entries].filter((entry) => entry.kind === 'directory').map(({ path }) => path);
      for (const folder of [
        'pg_wal',
        'pg_wal/archive_status',
        'pg_replslot',
        'pg_notify',
        'pg_stat_tmp',
        'pg_subtrans',
      ])
        assert.ok(folders.includes(folder), folder);
    } finally {
      await holder.end();
      for (const name of [
        'backup_label.old',
        'backup_manifest',
        'pg_internal.init.77',
        'base/pgsql_tmp77',
        'pg_replslot/x',
        'base/5/t3_16999',
      ])
        await rm(join(dataDirectory, name));
    }
  });

  test('that is incremental reads only what changed, and a second full one writes nothing new', async () => {
    await settled();
    const full = await stage.backup();
    const again = await stage.backup();
    // Even a quiet server writes a few pages, and pg_control; the large tables among them would show.
    assert.ok(again.new_bytes < 100_000, `${again.new_bytes} new bytes`);
    assert.ok(again.read_bytes > full.bytes * 0.95, `${again.read_bytes} of ${full.bytes} read`);
    await stage.cluster.query('INSERT INTO kept VALUES (0)');
    await stage.cluster.query('CHECKPOINT');
    const incremental = await stage.backup({ type: 'incremental' });
    assert.ok(incremental.read_bytes < full.bytes / 5, `${incremental.read_bytes} of ${full.bytes} read`);
    const manifest = await readManifest(stage.repository, stage.name, incremental.id);
    assert.equal(manifest.entries.length, (await readManifest(stage.repository, stage.name, again.id)).entries.length);
  });

  test('that is incremental notices a change though size and mtime are what they were', async () => {
    const path = join(stage.cluster.dataDirectory, 'stamp');
    await writeFile(path, 'before');
    await settled();
    const first = await stage.backup();
    const { atime, mtime, size } = await stat(path);
    await writeFile(path, 'behind');
    await utimes(path, atime, mtime);
    assert.deepEqual([(await stat(path)).mtimeMs, (await stat(path)).size], [mtime.getTime(), size]);
    const second = await stage.backup({ type: 'incremental' });
    assert.notDeepEqual(await idsOf(first.id, 'stamp'), await idsOf(second.id, 'stamp'));
    await rm(path);
  });

  const idsOf = async (backupId: string, path: string): Promise<Uint8Array> => {
    const { entries, chunkIds } = await readManifest(stage.repository, stage.name, backupId);
    let chunk = 0;
    for (const entry of entries) {
      if (entry.kind !== 'file') continue;
      const chunks = Math.ceil(entry.bytes / (256 * 1024));
      if (entry.path === path) return chunkIds.slice(chunk * 32, (chunk + chunks) * 32);
      chunk += chunks;
    }
    throw new Error(`${path} is not in the backup`);
  };

  test('is told of a second one that runs at the same moment', async () => {
    const results = await Promise.allSettled([stage.backup(), stage.backup()]);
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    assert.deepEqual(
      failed.map((error) => isSpillwayError(error, 'SPW_LOCKED')),
      [true],
    );
  });

  test('whose session is ended is void, and not listed', async () => {
    const listed = (await listBackups({ repository: stage.repository, cluster: stage.name })).length;
    const slow = stage.backup({
      workers: 1,
      report: (event: OperationEvent) => {
        if (event.type !== 'progress' || event.phase !== 'copying files') return;
        void stage.cluster.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_backup_start%' AND pid <> pg_backend_pid()",
        );
      },
    });
    await assert.rejects(slow, { code: 'SPW_BACKUP_VOID' });
    assert.equal((await listBackups({ repository: stage.repository, cluster: stage.name })).length, listed);
    assert.deepEqual(await stage.cluster.query('SELECT slot_name FROM pg_replication_slots'), []);
    // And nothing is left that would stop the next.
    await stage.backup();
  });

  test('is stopped when it is told to, and leaves no backup', async () => {
    const listed = (await listBackups({ repository: stage.repository, cluster: stage.name })).length;
    const controller = new AbortController();
    const stopped = stage.backup({
      signal: controller.signal,
      report: (event) => {
        if (event.type === 'progress' && event.phase === 'copying files') controller.abort(new Error('told to'));
      },
    });
    await assert.rejects(stopped, /told to/);
    assert.equal((await listBackups({ repository: stage.repository, cluster: stage.name })).length, listed);
  });

  test('of a server under another name, and of a foreign data directory, is refused', async () => {
    await using other = await makeStage();
    await assert.rejects(stage.backup({ cluster: { name: stage.name, connection: other.cluster.connection } }), {
      code: 'SPW_SYSTEM_MISMATCH',
    });
    await assert.rejects(
      stage.backup({
        cluster: { name: stage.name, connection: stage.cluster.connection, dataDirectory: other.cluster.dataDirectory },
      }),
      { code: 'SPW_SYSTEM_MISMATCH' },
    );
    const receiving = stage.receive({ from: other.cluster });
    await assert.rejects(receiving.ended, { code: 'SPW_SYSTEM_MISMATCH' });
  });

  test('names a page that was damaged on disk by file and block, in a tablespace too, and again in the next', async () => {
    await stage.cluster.query('CHECKPOINT');
    const [quiet, away] = [await pathOf('quiet'), await pathOf('away')];
    await flipBit(join(stage.cluster.dataDirectory, quiet), 8192 * 3 + 4000);
    await flipBit(join(stage.cluster.dataDirectory, away), 4000);
    const expected = [
      { file: quiet, block: 3 },
      { file: away, block: 0 },
    ];
    await settled();
    assert.deepEqual((await stage.backup()).damaged_pages, expected);
    const incremental = await stage.backup({ type: 'incremental' });
    assert.ok(incremental.read_bytes < incremental.bytes / 2);
    assert.deepEqual(incremental.damaged_pages, expected);
    await flipBit(join(stage.cluster.dataDirectory, quiet), 8192 * 3 + 4000);
    await flipBit(join(stage.cluster.dataDirectory, away), 4000);
    assert.deepEqual((await stage.backup()).damaged_pages, []);
  });

  test('survives tables, databases and files that come and go while it reads', async () => {
    await stage.cluster.query(
      `CREATE TABLE doomed AS SELECT n, repeat(md5(n::text), 30) AS filler FROM generate_series(1, 20000) n;
       CREATE TABLE cut AS SELECT n, repeat(md5((n + 1)::text), 30) AS filler FROM generate_series(1, 20000) n; CHECKPOINT`,
    );
    const receiving = stage.receive();
    const churn = (async () => {
      await started.promise;
      // DROP and TRUNCATE leave a file of no length until the next checkpoint, and none after it.
      await stage.cluster.query(
        'DROP TABLE doomed; TRUNCATE cut; INSERT INTO cut VALUES (1); CREATE TABLE born AS SELECT generate_series(1, 50000) AS n',
      );
      await stage.cluster.query('CHECKPOINT');
      await stage.cluster.query('CREATE DATABASE born_too');
      await stage.cluster.query('CREATE TABLE inside AS SELECT generate_series(1, 100) AS n', [], 'born_too');
    })();
    await stage.backup({
      workers: 1,
      report: (event) => {
        if (event.type === 'progress' && event.phase === 'copying files') started.resolve();
      },
    });
    await churn;
    await stage.caughtUp(receiving);
    await receiving.stop();
  });
  const started = Promise.withResolvers<void>();

  test('brings tablespaces back to where they were, unless something is there', async () => {
    const receiving = stage.receive();
    await stage.caughtUp(receiving);
    await receiving.stop();
    const source = await fingerprint(stage.cluster.connection);
    const refused = stage.place();
    const refusal = { code: 'SPW_FOLDER_NOT_EMPTY', message: new RegExp(space) };
    await assert.rejects(stage.plan({ targetDirectory: refused }), refusal);
    // Taken between the plan and the restore.
    await rename(space, `${space}-aside`);
    const planned = await stage.plan({ targetDirectory: refused });
    await rename(`${space}-aside`, space);
    await assert.rejects(stage.lay(planned), refusal);
    assert.deepEqual(await readdir(refused).catch(() => []), []);

    await stage.cluster.stop();
    const sumBefore = createHash('sha256')
      .update(await readFile(join(stage.cluster.dataDirectory, 'global/pg_control')))
      .digest('hex');
    await rm(space, { recursive: true });
    const { cluster } = await stage.restore();
    assert.deepEqual(differences(source, await fingerprint(cluster.connection)), []);
    assert.ok(
      source.has('postgres.public.away') && source.has('postgres.public.born') && source.has('born_too.public.inside'),
    );
    assert.ok(!source.has('postgres.public.doomed'));
    assert.deepEqual(await cluster.query('SELECT count(*)::int AS n FROM fleeting'), [{ n: 0 }]);
    const [row] = await cluster.query<{ location: string }>(
      "SELECT pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname = 'elsewhere'",
    );
    assert.equal(row?.location, space);
    assert.equal(
      createHash('sha256')
        .update(await readFile(join(stage.cluster.dataDirectory, 'global/pg_control')))
        .digest('hex'),
      sumBefore,
    );
    await cluster.destroy();
  });
});

describe('a backup of a cluster in another state', () => {
  test('cannot be had of a data directory that cannot be read, or of a server that is away', async () => {
    await using stage = await makeStage();
    const connection = stage.cluster.connection;
    await assert.rejects(stage.backup({ cluster: { name: stage.name, connection, dataDirectory: '/nonexistent' } }), {
      code: 'SPW_DATA_DIRECTORY',
    });
    await stage.cluster.stop();
    await assert.rejects(stage.backup(), { code: 'SPW_POSTGRES_UNREACHABLE' });
    assert.deepEqual(await listBackups({ repository: stage.repository, cluster: stage.name }), []);
  });
});
