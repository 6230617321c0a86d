// The rows of every table of a restored server, counted by reading each table from its first page to its last.
//
// What is counted is told, and judged by nobody here: how many there ought to be, a drill says. That a table cannot be read to
// its end is a finding.

import { isSpillwayError } from '@spillway/contract';
import { connect, type Session } from '../../../postgres/connection.ts';
import type { ConnectionSettings } from '../../../postgres/settings.ts';
import type { Findings } from '../findings.ts';

const TABLES_TOLD_MAX = 1000;

/** Ordinary and materialized ones; of partitioned tables the parts; no foreign ones, which would reach out. */
const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   ORDER BY 1, 2`;

export interface Counted {
  readonly tables: number;
  readonly rows: number;
  /** The first thousand. */
  readonly counted: readonly { readonly table: string; readonly rows: number }[];
}

export async function countRows(options: {
  /** A superuser's. */
  readonly connection: ConnectionSettings;
  readonly backup: string;
  readonly findings: Findings;
  readonly signal: AbortSignal;
  readonly onTable: (name: string) => void;
}): Promise<Counted> {
  const { connection, signal } = options;
  const counted: { readonly table: string; readonly rows: number }[] = [];
  let [tables, rows] = [0, 0];
  for (const database of await listDatabases(connection, signal)) {
    await using session = await connect({ ...connection, database }, { signal });
    // The heap itself, and not an index that has it all.
    for (const way of ['indexscan', 'indexonlyscan', 'bitmapscan']) await session.query(`SET enable_${way} = off`);
    for (const { schema, name } of await session.query<{ schema: string; name: string }>(TABLES, [], { signal })) {
      const table = `${database}.${schema}.${name}`;
      options.onTable(table);
      const found = await countIn(session, schema, name, signal);
      if (typeof found === 'string') tell(options, table, found);
      else {
        tables++;
        rows += found;
        if (counted.length < TABLES_TOLD_MAX) counted.push({ table, rows: found });
      }
    }
  }
  return { tables, rows, counted };
}

/** A phrase where the table cannot be read. */
async function countIn(session: Session, schema: string, name: string, signal: AbortSignal): Promise<number | string> {
  try {
    const [row] = await session.query<{ count: string }>(
      `SELECT count(*) AS count FROM ONLY ${quoted(schema)}.${quoted(name)}`,
      [],
      { signal },
    );
    return Number(row?.count ?? 0);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_FAILED')) throw error;
    return error.why ?? error.message;
  }
}

export async function listDatabases(connection: ConnectionSettings, signal: AbortSignal): Promise<readonly string[]> {
  await using session = await connect({ ...connection, database: 'postgres' }, { signal });
  const found = await session.query<{ name: string }>(
    'SELECT datname AS name FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1',
    [],
    { signal },
  );
  return found.map(({ name }) => name);
}

function tell(
  { findings, backup }: { readonly findings: Findings; readonly backup: string },
  table: string,
  problem: string,
): void {
  findings.add(
    { kind: 'relation', object: `heap table ${table}`, chunk: null, problem },
    { backup, file: table, tablespace: null, offset: null, bytes: null },
  );
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
