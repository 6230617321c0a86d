// Everything that an investigation tells apart, done to a cluster: one transaction each, with what is to be found of it.
//
// Read by its test on every major, and by the script that records WAL for the tables of the decoder.

import type { LabCluster } from '@spillway/lab';
import type { TransactionFound } from '../src/operation/investigate/describe.ts';

export interface Deed {
  readonly what: string;
  readonly xid: number;
  /** As `digest` tells it. */
  readonly expected: string;
}

export const workloadSettings = {
  max_prepared_transactions: '4',
  autovacuum: 'off',
  max_wal_size: '1GB',
  wal_keep_size: '1GB',
  checkpoint_timeout: '1h',
  // The servers are never cut off from power: their WAL is read from where they wrote it.
  fsync: 'off',
};

/** Tables that are there before, and the checkpoint that the reading is to begin with. */
export async function setTheScene(cluster: LabCluster): Promise<void> {
  await cluster.query(`
    CREATE SCHEMA plant;
    CREATE TABLE sensor (id int PRIMARY KEY, name text, note text);
    INSERT INTO sensor SELECT n, 'sensor ' || n FROM generate_series(1, 300) AS n;
    CREATE TABLE reading (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE reading_one PARTITION OF reading FOR VALUES IN (1);
    CREATE TABLE reading_two PARTITION OF reading FOR VALUES IN (2);
    INSERT INTO reading SELECT n, 1 FROM generate_series(1, 40) AS n;
    CREATE TABLE plant.pump AS SELECT n AS id, 'pump' AS name FROM generate_series(1, 50) AS n;
    CREATE TABLE counted AS SELECT generate_series(1, 70) AS n;
    CREATE TABLE doomed AS SELECT generate_series(1, 30) AS n;
    CREATE TABLE uncounted (n int);
    CREATE TABLE bulk (n int);
    CREATE VIEW shown AS SELECT 1 AS one;
  `);
  await cluster.query('VACUUM ANALYZE plant.pump');
  await cluster.query('ANALYZE counted');
  await cluster.query('ANALYZE doomed');
  await cluster.query('CHECKPOINT');
}

export async function makeHistory(cluster: LabCluster): Promise<readonly Deed[]> {
  const client = await cluster.connect();
  const deeds: Deed[] = [];
  const say = async (sql: string): Promise<void> => {
    await client.query(sql);
  };
  const currentXid = async (): Promise<number> => {
    const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
    return Number(BigInt(rows[0]?.xid ?? '0') & 0xffffffffn);
  };
  const deed = async (expected: string, ...statements: readonly string[]): Promise<void> => {
    await say('BEGIN');
    const xid = await currentXid();
    for (const statement of statements) await say(statement);
    if (statements.at(-1)?.startsWith('PREPARE') !== true) await say('COMMIT');
    deeds.push({ what: statements.join('; '), xid, expected });
  };
  /** What must not stand in a transaction has the xid before the next one. */
  const alone = async (expected: string, statement: string): Promise<void> => {
    await say(statement);
    const { rows } = await client.query<{ xid: string }>(
      'SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text AS xid',
    );
    deeds.push({ what: statement, xid: Number(BigInt(rows[0]?.xid ?? '0') & 0xffffffffn), expected });
  };
  try {
    await deed('+3 public.sensor', "INSERT INTO sensor VALUES (1001, 'a'), (1002, 'b'), (1003, 'c')");
    await deed('+5000 public.bulk', "COPY bulk FROM PROGRAM 'seq 1 5000'");
    await deed('~10 public.sensor', "UPDATE sensor SET name = 'hot' WHERE id <= 10");
    await deed('~4 public.sensor', 'UPDATE sensor SET id = id + 5000 WHERE id BETWEEN 11 AND 14');
    await deed('-7 public.sensor', 'DELETE FROM sensor WHERE id BETWEEN 20 AND 26');
    await deed('nothing', 'SELECT * FROM sensor WHERE id < 20 FOR UPDATE');
    await deed(
      '+1 -2 public.sensor',
      'SAVEPOINT one',
      'DELETE FROM sensor WHERE id BETWEEN 30 AND 39',
      'ROLLBACK TO one',
      'SAVEPOINT two',
      'DELETE FROM sensor WHERE id BETWEEN 40 AND 41',
      'RELEASE two',
      "INSERT INTO sensor VALUES (2001, 'd')",
    );
    await deed('~6 public.reading_one; +6 public.reading_two', 'UPDATE reading SET part = 2 WHERE id <= 6');
    await deed(
      '+1 public.sensor',
      "INSERT INTO sensor SELECT 2002, 'long', string_agg(md5(n::text), '') FROM generate_series(1, 3000) n",
    );
    await deed('-5 public.sensor', 'DELETE FROM sensor WHERE id BETWEEN 50 AND 54', "PREPARE TRANSACTION 'later'");
    await say("COMMIT PREPARED 'later'");
    for (const statement of ['BEGIN', 'DELETE FROM sensor', 'ROLLBACK']) await say(statement);
    await deed('truncated public.counted (70)', 'TRUNCATE counted');
    await deed(
      '+5 plant.pump; truncated plant.pump (50)',
      'TRUNCATE plant.pump',
      "INSERT INTO plant.pump SELECT n, 'new' FROM generate_series(1, 5) n",
    );
    await deed('truncated public.reading_one (?) public.reading_two (?)', 'TRUNCATE reading');
    await deed('dropped public.doomed (30)', 'DROP TABLE doomed');
    await deed('dropped public.uncounted (?)', 'DROP TABLE uncounted');
    await deed('dropped public.shown (0)', 'DROP VIEW shown');
    await deed('created plant.valve; +2 plant.valve', 'CREATE TABLE plant.valve AS SELECT generate_series(1, 2) AS n');
    await deed('altered plant.valve', 'ALTER TABLE plant.valve ADD COLUMN made date');
    await deed('altered plant.tap', 'ALTER TABLE plant.valve RENAME TO tap');
    await deed('-2 plant.tap', 'DELETE FROM plant.tap');
    await deed('rewritten plant.tap', 'ALTER TABLE plant.tap ALTER n TYPE text');
    await deed('nothing', 'CREATE TABLE brief (n int)', 'INSERT INTO brief VALUES (1)', 'DROP TABLE brief');
    await deed('nothing', 'CREATE TEMPORARY TABLE mine AS SELECT 1 AS n', 'DROP TABLE mine');
    await deed('another definition', "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    await alone('rewritten public.bulk', 'VACUUM FULL bulk');
    await deed('nothing', 'ANALYZE bulk');
    await alone('created database second', 'CREATE DATABASE second');
    await alone('dropped database second', 'DROP DATABASE second');
    for (const packing of await packings()) {
      const table = `by_${packing}`;
      await say(`SET wal_compression = ${packing}`);
      await deed(
        `created public.${table}; +80 public.${table}`,
        `CREATE TABLE ${table} AS SELECT n, repeat('x', 60) AS text FROM generate_series(1, 80) AS n`,
      );
      // The first change of each page after it brings the page.
      await say('CHECKPOINT');
      await deed(`-1 public.${table}`, `DELETE FROM ${table} WHERE n = 7`);
      await deed(`dropped public.${table} (?)`, `DROP TABLE ${table}`);
    }
    return deeds;
  } finally {
    await client.end();
  }

  /** Those that this server was built with. */
  async function packings(): Promise<readonly string[]> {
    const { rows } = await client.query<{ values: readonly string[] }>(
      "SELECT enumvals AS values FROM pg_settings WHERE name = 'wal_compression'",
    );
    return (rows[0]?.values ?? []).filter((each) => ['pglz', 'lz4', 'zstd'].includes(each));
  }
}

/** A transaction in a line: `+` inserted, `~` updated, `-` deleted, and what happened to definitions. */
export function digest(found: Omit<TransactionFound, 'commit_lsn' | 'end_lsn' | 'committed_at'>): string {
  const nameOf = (label: {
    readonly schema: string | null;
    readonly name: string | null;
    readonly file: number | null;
  }) => (label.name === null ? `file ${label.file}` : `${label.schema}.${label.name}`);
  const lost = (what: string, list: TransactionFound['dropped']): readonly string[] =>
    list.length === 0
      ? []
      : [
          `${what} ${list
            .map((each) => `${nameOf(each)} (${each.rows_before ?? '?'})`)
            .toSorted()
            .join(' ')}`,
        ];
  const named = (what: string, list: TransactionFound['created']): readonly string[] =>
    list.length === 0 ? [] : [`${what} ${list.map(nameOf).toSorted().join(' ')}`];
  const rows = found.tables
    .toSorted((a, b) => nameOf(a).localeCompare(nameOf(b)))
    .map(({ inserts, updates, deletes, ...label }) =>
      [
        ...(inserts === 0 ? [] : [`+${inserts}`]),
        ...(updates === 0 ? [] : [`~${updates}`]),
        ...(deletes === 0 ? [] : [`-${deletes}`]),
        nameOf(label),
      ].join(' '),
    );
  const parts = [
    ...named('created', found.created),
    ...rows,
    ...lost('dropped', found.dropped),
    ...lost('truncated', found.truncated),
    ...named('rewritten', found.rewritten),
    ...named('removed the files of', found.removed_files),
    ...named('altered', found.altered),
    ...found.databases_created.map((name) => `created database ${name}`),
    ...found.databases_dropped.map((name) => `dropped database ${name}`),
  ];
  if (parts.length > 0) return parts.join('; ');
  return found.other_definitions ? 'another definition' : 'nothing';
}
