// What a live database has that a restored one must have too: tables, their indexes and constraints, extensions.
//
// Left out is what comes and goes by itself (partitions, whose table and indexes stand for them), what extensions own, what is
// temporary, and what is not whole now: an index that is not valid or a constraint that was not validated is nothing to
// expect. NOT NULL is left out too, since PostgreSQL names it as a constraint from 18 on only.

import { SpillwayError } from '@spillway/contract';
import { connect, type ConnectionSettings } from '@spillway/engine';

export interface LiveTable {
  /** As the search path finds it, quoted where it must be. */
  readonly name: string;
  readonly bytes: number;
  readonly unlogged: boolean;
  readonly indexes: readonly string[];
  readonly constraints: readonly string[];
  /** Columns of the primary key, quoted; null without one. */
  readonly key: readonly string[] | null;
}

export interface LiveDatabase {
  readonly name: string;
  /** By name. */
  readonly tables: readonly LiveTable[];
  readonly extensions: readonly string[];
}

/** Throws SPW_USAGE where the database has no table, and names those databases that there are. */
export async function inspectDatabase(connection: ConnectionSettings, signal: AbortSignal): Promise<LiveDatabase> {
  await using session = await connect(connection, { signal });
  const rows = await session.query<Omit<LiveTable, 'bytes'> & { readonly bytes: string }>(TABLES, [], { signal });
  const extensions = await session.query<{ name: string }>('SELECT extname AS name FROM pg_extension ORDER BY 1');
  const name = connection.database ?? 'postgres';
  if (rows.length === 0) {
    const others = await session.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database
        WHERE datallowconn AND NOT datistemplate AND datname <> current_database() ORDER BY 1`,
    );
    throw new SpillwayError('SPW_USAGE', `database ${name} has no tables to drill with`, {
      why:
        others.length === 0 ? 'there is no other database' : `there are ${others.map((each) => each.name).join(', ')}`,
      hint: 'name one with --database',
    });
  }
  return {
    name,
    tables: rows.map(({ bytes, ...table }) => ({ ...table, bytes: Number(bytes) })),
    extensions: extensions.map((each) => each.name),
  };
}

const TABLES = `
SELECT c.oid::regclass::text AS name, pg_total_relation_size(c.oid)::text AS bytes, c.relpersistence = 'u' AS unlogged,
       coalesce((SELECT json_agg(i.relname ORDER BY i.relname) FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid
                  WHERE indrelid = c.oid AND indisvalid), '[]') AS indexes,
       coalesce((SELECT json_agg(conname ORDER BY conname) FROM pg_constraint
                  WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c', 'x') AND convalidated), '[]') AS constraints,
       (SELECT json_agg(quote_ident(attname) ORDER BY place)
          FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS keys(number, place)
          JOIN pg_attribute ON attnum = number
         WHERE conrelid = c.oid AND contype = 'p' AND attrelid = c.oid) AS key
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence IN ('p', 'u')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'spillway') AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
 ORDER BY 1`;
