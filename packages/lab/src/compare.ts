// Whether two clusters hold the same data: a fingerprint of every user table in every database.
//
// 1. A row's hash is that of its text form; a table's fingerprint is its row count, the sum of the rows' hashes and
//    the exclusive or of a second hash. None of them depends on the order of rows, so a table needs no key.
// 2. Settings that shape the text form (time zone, float digits, byte format) are fixed for the session.
// 3. Leaf partitions and materialised views count, each for itself. Unlogged and temporary tables do not: PostgreSQL
//    empties them in recovery by design.
// Two tables that differ agree in all three with a chance of about 2^-64.

import pg from 'pg';
import type { LabConnection } from './cluster.ts';

/** `database.schema.table` to `<rows>:<hash>:<hash>`. */
export type Fingerprint = ReadonlyMap<string, string>;

/** One repeatable-read snapshot a database; other sessions should rest meanwhile. */
export async function fingerprint(connection: LabConnection): Promise<Fingerprint> {
  const names = await inDatabase(connection, connection.database, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
    );
    return rows.map(({ datname }) => datname);
  });
  const prints = new Map<string, string>();
  for (const database of names) {
    await inDatabase(connection, database, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      for (const table of await listTables(client)) {
        prints.set(`${database}.${table.label}`, await fingerprintTable(client, table.quoted));
      }
      await client.query('COMMIT');
    });
  }
  return prints;
}

/** The tables in which two fingerprints differ, those that only one side has among them; empty where all is equal. */
export function differences(left: Fingerprint, right: Fingerprint): readonly string[] {
  const tables = new Set([...left.keys(), ...right.keys()]);
  return [...tables].filter((table) => left.get(table) !== right.get(table)).toSorted();
}

/** `<rows>:<hash>:<hash>` of what a query's FROM clause yields, for example `reading WHERE sensor_id = 7`. */
export async function fingerprintTable(client: pg.Client, from: string): Promise<string> {
  const { rows } = await client.query<{ print: string }>(
    `SELECT count(*) || ':' || coalesce(sum(hashtextextended(source_row::text, 0)), 0)
              || ':' || coalesce(bit_xor(hashtextextended(source_row::text, 1)), 0) AS print
       FROM (SELECT * FROM ${from}) AS source_row`,
  );
  return rows[0]?.print ?? '';
}

async function listTables(client: pg.Client): Promise<readonly { readonly label: string; readonly quoted: string }[]> {
  const { rows } = await client.query<{ label: string; quoted: string }>(
    `SELECT nspname || '.' || relname AS label, format('%I.%I', nspname, relname) AS quoted
       FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND relispopulated
        AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
      ORDER BY 1`,
  );
  return rows;
}

async function inDatabase<Result>(
  connection: LabConnection,
  database: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ ...connection, database });
  // A lost connection shows in the query that runs; without a listener it would end this process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(
      "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET search_path = pg_catalog",
    );
    return await work(client);
  } finally {
    await client.end();
  }
}
