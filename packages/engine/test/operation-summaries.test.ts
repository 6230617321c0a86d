// Backups that let WAL summaries tell what changed: few bytes are read, and what is restored is the source all the same.

import assert from 'node:assert/strict';
import { appendFile, chown, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OperationEvent } from '@spillway/contract';
import { checkRelations, differences, fingerprint, listInstallations, type Random, seededRandom } from '@spillway/lab';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../src/format/chunk.ts';
import { pathInCluster } from '../src/operation/backup/source.ts';
import { relationFile } from '../src/postgres/exclusion.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const majors = [...new Set((await listInstallations()).map(({ major }) => major))].filter((major) => major >= 17);
const SEED = 20_261_123;
const ROUNDS = { newest: 4, older: 2 };
const STEPS = 8;
const FIRST_USER_OID = 16_384;

for (const major of majors) {
  describe(`on PostgreSQL ${major} a backup by WAL summaries`, () => {
    let stage: Stage;
    let space: string;

    before(async () => {
      stage = await makeStage({ major, settings: { summarize_wal: 'on', autovacuum: 'off' } });
      space = join(stage.folder, 'space');
      await mkdir(space);
      const { account } = stage.cluster;
      if (account !== undefined) await chown(space, account.uid, account.gid);
      await stage.cluster.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
      await stage.cluster.query(
        `CREATE TABLE large AS SELECT n, repeat(md5(n::text), 30) AS filler FROM generate_series(1, 40000) n;
         CREATE INDEX ON large (n)`,
      );
      await stage.cluster.query('VACUUM ANALYZE large');
    });
    after(() => stage[Symbol.asyncDispose]());

    test('reads a few chunks after one row of a large table was changed', async () => {
      const full = await stage.backup();
      assert.deepEqual([full.type, full.unchanged_by, full.unchanged_chunks], ['full', null, 0]);
      await stage.cluster.query("UPDATE large SET filler = 'changed' WHERE n = 20000");
      const events: OperationEvent[] = [];
      const summary = await stage.backup({ type: 'incremental', report: (event) => events.push(event) });
      assert.deepEqual(
        events.filter((event) => event.type === 'notice' && /reads every file|told by the times/.test(event.message)),
        [],
      );
      assert.equal(summary.unchanged_by, 'wal-summaries');
      assert.ok(summary.bytes > 40_000_000, `${summary.bytes} bytes`);
      // Two pages of the table, two of its index, a few of catalogs; all small files that are no relations.
      assert.ok(summary.read_bytes < 24 * CHUNK_BYTES, `${summary.read_bytes} of ${summary.bytes} read`);
      assert.ok((summary.unchanged_chunks ?? 0) > 150, `${summary.unchanged_chunks} unchanged chunks`);
    });

    test('needs no more rights than the documents grant', async () => {
      const page = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
      const [, statements = ''] = /## What the server must allow\n```sql\n([^`]+)```/.exec(page) ?? [];
      assert.match(statements, /CREATE ROLE spillway .* PASSWORD '…'/);
      const { connection } = stage.cluster;
      await stage.cluster.query(statements.replace('…', connection.password));
      const cluster = { name: stage.name, connection: { ...connection, user: 'spillway' } };
      assert.equal((await stage.backup({ cluster })).type, 'full');
      await stage.cluster.query("UPDATE large SET filler = 'changed once more' WHERE n = 30000");
      const summary = await stage.backup({ cluster, type: 'incremental' });
      assert.equal(summary.unchanged_by, 'wal-summaries');
      assert.ok(summary.read_bytes < 24 * CHUNK_BYTES, `${summary.read_bytes} of ${summary.bytes} read`);
      const { cluster: restored } = await stage.restore({ tablespacesInto: join(stage.folder, 'spaces') });
      const [row] = await restored.query<{ filler: string }>('SELECT filler FROM large WHERE n = 30000');
      assert.equal(row?.filler, 'changed once more');
      await restored.destroy();
    });

    test('and by none where the server has none reads by times, and says so', async () => {
      await stage.cluster.query('ALTER SYSTEM SET summarize_wal = off');
      await stage.cluster.query('SELECT pg_reload_conf()');
      const events: OperationEvent[] = [];
      const summary = await stage.backup({ type: 'incremental', report: (event) => events.push(event) });
      assert.equal(summary.unchanged_by, 'times');
      assert.ok(events.some((event) => event.type === 'notice' && /summarize_wal is off/.test(event.message)));
      await stage.cluster.query('ALTER SYSTEM RESET summarize_wal');
      await stage.cluster.query('SELECT pg_reload_conf()');
    });

    test('reads all of a database that was moved away and back as files, whose changes name other paths', async () => {
      await stage.cluster.query('CREATE DATABASE moved');
      await stage.cluster.query('CREATE TABLE t AS SELECT n FROM generate_series(1, 100000) n', [], 'moved');
      await stage.backup();
      await stage.cluster.query('ALTER DATABASE moved SET TABLESPACE elsewhere');
      await stage.cluster.query('UPDATE t SET n = -n', [], 'moved');
      await stage.cluster.query('ALTER DATABASE moved SET TABLESPACE pg_default');
      const incremental = await stage.backup({ type: 'incremental' });
      assert.equal(incremental.unchanged_by, 'wal-summaries');
      assert.deepEqual(await otherChunks(stage, incremental.id, (await stage.backup()).id), []);
      await stage.cluster.query('DROP DATABASE moved');
    });

    test('reads what was cut off and grew again as empty pages, which no change names', async () => {
      await stage.cluster.query(
        `CREATE TABLE cut AS SELECT n, repeat('x', 500) AS filler FROM generate_series(1, 4000) n; DELETE FROM cut`,
      );
      await stage.cluster.query('VACUUM (TRUNCATE off) cut');
      const [row] = await stage.cluster.query<{ path: string }>("SELECT pg_relation_filepath('cut') AS path");
      const path = join(stage.cluster.dataDirectory, row?.path ?? '');
      const { size } = await stat(path);
      await stage.backup();
      await stage.cluster.query('VACUUM (TRUNCATE on) cut');
      assert.equal((await stat(path)).size, 0);
      // A server that extends a relation by many pages at once logs those that it fills, and not the others.
      await appendFile(path, Buffer.alloc(size));
      const incremental = await stage.backup({ type: 'incremental' });
      assert.equal(incremental.unchanged_by, 'wal-summaries');
      assert.deepEqual(await otherChunks(stage, incremental.id, (await stage.backup()).id), []);
      await stage.cluster.query('DROP TABLE cut');
    });

    test(`is what a full one is after any changes, and restores to the source (seed ${SEED})`, async () => {
      const random = seededRandom(SEED);
      let number = 0;
      for (let round = 0; round < ROUNDS[major === majors[0] ? 'newest' : 'older']; round++) {
        const log: string[] = [];
        for (let step = 0; step < STEPS; step++) log.push(await change(stage, random, ++number));
        const incremental = await stage.backup({ type: 'incremental' });
        assert.equal(incremental.unchanged_by, 'wal-summaries', log.join('; '));
        const full = await stage.backup();
        assert.deepEqual(await otherChunks(stage, incremental.id, full.id), [], log.join('; '));
      }
      const last = await stage.backup({ type: 'incremental' });
      assert.equal(last.unchanged_by, 'wal-summaries');
      const source = await fingerprint(stage.cluster.connection);
      const { cluster } = await stage.restore({ tablespacesInto: join(stage.folder, `spaces-${major}`) });
      assert.deepEqual(differences(source, await fingerprint(cluster.connection)), []);
      const relations = await checkRelations(cluster);
      assert.ok(relations.ok, JSON.stringify(relations));
      await cluster.destroy();
    });
  });
}

/** The files of users' relations whose chunks are not the same in both backups. */
async function otherChunks(stage: Stage, one: string, other: string): Promise<readonly string[]> {
  const [left, right] = [await chunksOf(stage, one), await chunksOf(stage, other)];
  return [...new Set([...left.keys(), ...right.keys()])].filter((path) => left.get(path) !== right.get(path));
}

/** By path. Catalogs change by being read: their hints are set while the two backups are made. */
async function chunksOf(stage: Stage, id: string): Promise<ReadonlyMap<string, string>> {
  const { entries, chunkIds } = await readManifest(stage.repository, stage.name, id);
  const found = new Map<string, string>();
  let at = 0;
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const ids = chunkIds.subarray(at, at + chunkCount(entry.bytes) * CHUNK_ID_BYTES);
    at += ids.length;
    const path = pathInCluster(entry);
    const relation = relationFile(path);
    if (relation !== undefined && relation.filenode >= FIRST_USER_OID)
      found.set(path, Buffer.from(ids).toString('hex'));
  }
  return found;
}

/** Does something to the cluster, and says what. Nothing depends on whether it could be done. */
async function change({ cluster }: Stage, random: Random, number: number): Promise<string> {
  const databases = (
    await cluster.query<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname ~ '^d\\d+$' ORDER BY 1",
    )
  ).map(({ name }) => name);
  const database = random.between(0, 4) === 0 ? random.pick([...databases, 'postgres']) : 'postgres';
  const tables = (
    await cluster.query<{ name: string }>(
      "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relname ~ '^t\\d+$' ORDER BY 1",
      [],
      database,
    )
  ).map(({ name }) => name);
  const table = random.pick([...tables, 'large']);
  const space = random.pick(['elsewhere', 'pg_default']);
  const some = `ctid IN (SELECT ctid FROM ${table} ORDER BY n LIMIT ${1 + random.between(0, 500)} OFFSET ${random.between(0, 3000)})`;
  const statement = random.pick([
    `CREATE TABLE t${number} TABLESPACE ${space} AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, ${500 + random.between(0, 6000)}) n`,
    `CREATE UNLOGGED TABLE t${number} AS SELECT n, 'x' AS filler FROM generate_series(1, 1000) n`,
    `INSERT INTO ${table} SELECT n, repeat('x', 200) FROM generate_series(1, ${1 + random.between(0, 6000)}) n`,
    `UPDATE ${table} SET filler = filler || 'x' WHERE ${some}`,
    `UPDATE ${table} SET filler = filler || 'x' WHERE ${some}`,
    `DELETE FROM ${table} WHERE ${some}`,
    `DELETE FROM ${table} WHERE ctid >= '(${random.between(0, 300)},0)'`,
    `TRUNCATE ${table}`,
    `DROP TABLE ${table === 'large' ? 'IF EXISTS nothing' : table}`,
    `CREATE INDEX i${number} ON ${table} (n)`,
    `VACUUM ${table}`,
    `VACUUM (TRUNCATE) ${table}`,
    `VACUUM FULL ${table}`,
    `ALTER TABLE ${table} SET TABLESPACE ${space}`,
    `ALTER TABLE ${table} SET UNLOGGED`,
    `ALTER TABLE ${table} SET LOGGED`,
    'CHECKPOINT',
    `CREATE DATABASE d${number} TEMPLATE ${random.pick([...databases, 'template1'])} STRATEGY file_copy`,
    `CREATE DATABASE d${number} TEMPLATE ${random.pick([...databases, 'template1'])} STRATEGY wal_log TABLESPACE ${space}`,
    ...databases.slice(0, 1).map((name) => `ALTER DATABASE ${name} SET TABLESPACE ${space}`),
    ...databases.slice(2).map((name) => `DROP DATABASE ${name}`),
  ]);
  try {
    await cluster.query(statement, [], /DATABASE/.test(statement) ? 'postgres' : database);
    return `${database}: ${statement}`;
  } catch (error) {
    return `${database}: ${statement} (${error instanceof Error ? error.message : String(error)})`;
  }
}
