// The canary's table in the source: `spillway.canary`, one row that is rewritten in place.
//
// 1. The row has a number that rises with every writing, and the server's clock. Nothing but the primary key is indexed and
//    the page is left mostly empty, so each writing is a HOT update that takes the place of an older one: it never grows.
// 2. Acknowledged means committed as the clients of the cluster commit: with the server's own synchronous_commit, but never
//    without a flush.
// 3. Whether it can be used, or made, is looked at first (`judgeTable`): what a role may not do is told in words, and no
//    failing statement is left in the server's log.

import type { Session } from '../../postgres/connection.ts';

/** What the row says. */
export interface CanaryRow {
  readonly sequence: number;
  /** The server's clock when it was written; RFC 3339 in UTC, to the microsecond. */
  readonly written_at: string;
}

/** A writing that was committed. */
export interface Acknowledged extends CanaryRow {
  readonly timeline: number;
  /** The end of its commit, or a little behind it: it is durable where WAL up to here is. */
  readonly lsn: string;
  /** The clock of the one who was answered. */
  readonly acknowledged_at: string;
}

export interface TableFacts {
  readonly inRecovery: boolean;
  readonly there: boolean;
  /** SELECT and UPDATE, and USAGE of the schema. */
  readonly mayUse: boolean;
  /** The schema is there, so that no CREATE on the database is needed. */
  readonly schemaThere: boolean;
  readonly mayMakeSchema: boolean;
  readonly mayMakeTable: boolean;
  /** A publication FOR ALL TABLES would send the row to subscribers that have no such table. */
  readonly published: boolean;
  readonly database: string;
  readonly user: string;
}

export type TableVerdict =
  | { readonly kind: 'ready' | 'make' | 'standby' }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string };

/** Pure. */
export function judgeTable(facts: TableFacts): TableVerdict {
  const { inRecovery, there, mayUse, schemaThere, mayMakeSchema, mayMakeTable, published, database, user } = facts;
  if (inRecovery) return { kind: 'standby' };
  if (there && mayUse) return { kind: 'ready' };
  if (there) {
    return {
      kind: 'refused',
      why: `the role ${user} may not use spillway.canary in the database ${database}`,
      hint: `GRANT USAGE ON SCHEMA spillway TO ${user}; GRANT SELECT, UPDATE ON spillway.canary TO ${user}`,
    };
  }
  if (published) {
    return {
      kind: 'refused',
      why: `the database ${database} has a publication FOR ALL TABLES, whose subscribers have no such table`,
      hint: 'name another database as connection.database, or make the table at the subscribers and then here by hand',
    };
  }
  if (schemaThere ? mayMakeTable : mayMakeSchema) return { kind: 'make' };
  return {
    kind: 'refused',
    why: `the role ${user} may not make spillway.canary in the database ${database}`,
    hint: `GRANT CREATE ON ${schemaThere ? 'SCHEMA spillway' : `DATABASE ${database}`} TO ${user}, or make it by hand`,
  };
}

export async function lookAtTable(session: Session, options: Asked = {}): Promise<TableFacts> {
  const [row] = await session.query<{
    readonly in_recovery: boolean;
    readonly there: boolean;
    readonly may_use: boolean | null;
    readonly schema_there: boolean;
    readonly may_make_schema: boolean;
    readonly may_make_table: boolean | null;
    readonly published: boolean;
    readonly database: string;
    readonly role: string;
  }>(LOOK, [], options);
  return {
    inRecovery: row?.in_recovery ?? false,
    there: row?.there ?? false,
    mayUse: row?.may_use ?? false,
    schemaThere: row?.schema_there ?? false,
    mayMakeSchema: row?.may_make_schema ?? false,
    mayMakeTable: row?.may_make_table ?? false,
    published: row?.published ?? false,
    database: row?.database ?? '',
    user: row?.role ?? '',
  };
}

export interface Asked {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Another writer may make it at the same moment: then one of the two fails, and finds it there at its next look. */
export async function makeTable(session: Session, schemaThere: boolean, options: Asked = {}): Promise<void> {
  if (!schemaThere) await session.query('CREATE SCHEMA IF NOT EXISTS spillway', [], options);
  await session.query(TABLE, [], options);
  await session.query(ROW, [], options);
}

/** A flush before the answer, and the server's own wish beyond that. */
export async function commitAsClientsDo(session: Session, options: Asked = {}): Promise<void> {
  await session.query(
    `SELECT set_config('synchronous_commit',
                       CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'local'
                            ELSE current_setting('synchronous_commit') END, false)`,
    [],
    options,
  );
}

/** Where the server is, and who else is writing. */
export interface Moment {
  /** `pg_current_snapshot()`: equal texts without a running transaction mean that none wrote in between. */
  readonly snapshot: string;
  readonly flushed: string;
  readonly timeline: number;
  readonly clock: string;
}

/** Pure. Whether nothing was committed, and nothing can be, of what began between the two. */
export const isQuiet = (before: string, now: string): boolean => before === now && /^(\d+):\1:$/.test(now);

export async function readMoment(session: Session, options: Asked = {}): Promise<Moment> {
  const [row] = await session.query<Moment>(
    `SELECT pg_current_snapshot()::text AS snapshot, pg_current_wal_flush_lsn()::text AS flushed,
            ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline,
            ${asTime('clock_timestamp()')} AS clock`,
    [],
    options,
  );
  if (row === undefined) throw new RangeError('a SELECT without FROM has no row');
  return row;
}

export async function readClock(session: Session, options: Asked = {}): Promise<string> {
  const [row] = await session.query<{ readonly clock: string }>(
    `SELECT ${asTime('clock_timestamp()')} AS clock`,
    [],
    options,
  );
  return row?.clock ?? '';
}

/** Committed when it returns; undefined where the row was deleted, which it then makes anew. */
export async function writeRow(session: Session, options: Asked = {}): Promise<CanaryRow | undefined> {
  const [row] = await session.query<{ readonly sequence: string; readonly written_at: string }>(
    `UPDATE spillway.canary SET sequence = sequence + 1, written_at = clock_timestamp()
     RETURNING sequence::text, ${asTime('written_at')} AS written_at`,
    [],
    options,
  );
  if (row !== undefined) return { ...row, sequence: Number(row.sequence) };
  await session.query(ROW, [], options);
  return undefined;
}

/** Undefined where there is none, or this role may not read it. Of a standby, and of a restored cluster, too. */
export async function readRow(session: Session, options: Asked = {}): Promise<CanaryRow | undefined> {
  const { there, mayUse } = await lookAtTable(session, options);
  if (!there || !mayUse) return undefined;
  const [row] = await session.query<{ readonly sequence: string; readonly written_at: string }>(
    `SELECT sequence::text, ${asTime('written_at')} AS written_at FROM spillway.canary`,
    [],
    options,
  );
  return row === undefined ? undefined : { ...row, sequence: Number(row.sequence) };
}

function asTime(expression: string): string {
  return `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

const TABLE = `
  CREATE TABLE IF NOT EXISTS spillway.canary (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    sequence bigint NOT NULL DEFAULT 0,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
  ) WITH (fillfactor = 20)`;

const ROW = 'INSERT INTO spillway.canary DEFAULT VALUES ON CONFLICT DO NOTHING';

const LOOK = `
  SELECT pg_is_in_recovery() AS in_recovery,
         t.oid IS NOT NULL AS there,
         has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(t.oid, 'SELECT')
           AND (pg_is_in_recovery() OR has_table_privilege(t.oid, 'UPDATE')) AS may_use,
         n.oid IS NOT NULL AS schema_there,
         has_database_privilege(current_database(), 'CREATE') AS may_make_schema,
         has_schema_privilege(n.oid, 'CREATE') AS may_make_table,
         EXISTS (SELECT FROM pg_catalog.pg_publication WHERE puballtables) AS published,
         current_database()::text AS database,
         current_user::text AS role
    FROM (SELECT) AS one
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'spillway'
    LEFT JOIN pg_catalog.pg_class t ON t.relnamespace = n.oid AND t.relname = 'canary' AND t.relkind = 'r'`;
