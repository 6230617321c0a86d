// What must be known of a server and its databases before they are dumped.
//
// Managed servers hide things from their users. What is only worth knowing (the system identifier, the WAL position) is
// null there; what decides how to dump (whether passwords may be read) is asked.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import type { DumpedDatabase } from '../../format/dump.ts';
import { connect, type Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';

export interface DumpedServer {
  readonly versionNumber: number;
  readonly major: number;
  readonly segmentBytes: number;
  readonly systemIdentifier: string | null;
  readonly lsn: string | null;
  readonly rolePasswords: boolean;
}

export interface DatabaseToDump {
  readonly description: Omit<DumpedDatabase, 'bytes'>;
  /** What it takes on the server's disk. */
  readonly diskBytes: number;
}

export async function readDumpedServer(session: Session, signal: AbortSignal): Promise<DumpedServer> {
  const [row] = await session.query<{ version: number; segment: string; passwords: boolean }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int4 AS version,
            pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))::text AS segment,
            pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS passwords`,
    [],
    { signal },
  );
  if (row === undefined) throw new SpillwayError('SPW_POSTGRES_FAILED', 'the server told nothing of itself');
  return {
    versionNumber: row.version,
    major: Math.floor(row.version / 10_000),
    segmentBytes: Number(row.segment),
    rolePasswords: row.passwords,
    systemIdentifier: await orNull(
      session,
      'SELECT system_identifier::text AS value FROM pg_catalog.pg_control_system()',
      signal,
    ),
    lsn: await orNull(
      session,
      `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
              ELSE pg_catalog.pg_current_wal_lsn() END::text AS value`,
      signal,
    ),
  };
}

/** The databases to dump, by name: those asked for, or all that take connections and are no templates. */
export async function chooseDatabases(
  session: Session,
  asked: readonly string[] | undefined,
  report: Report,
  signal: AbortSignal,
): Promise<readonly DatabaseToDump[]> {
  const rows = await session.query<DatabaseRow>(databasesQuery, [], { signal });
  const chosen =
    asked === undefined ? rows.filter(({ template }) => !template) : rows.filter(({ name }) => asked.includes(name));
  const missing = (asked ?? []).find((name) => !rows.some((row) => row.name === name));
  if (missing !== undefined) {
    throw new SpillwayError('SPW_USAGE', `database ${missing} cannot be dumped`, {
      why: 'the server has no database of that name that takes connections',
      hint: 'check the name; upper and lower case count',
    });
  }
  const open: DatabaseRow[] = [];
  for (const row of chosen) {
    if (row.may_connect) open.push(row);
    else if (asked !== undefined) {
      throw new SpillwayError('SPW_POSTGRES_DENIED', `database ${row.name} cannot be dumped`, {
        why: `user ${session.settings.user} may not connect to it`,
      });
    } else {
      report({
        type: 'notice',
        level: 'warning',
        message: `Database ${row.name} is left out: user ${session.settings.user} may not connect to it.`,
      });
    }
  }
  if (open.length === 0) {
    throw new SpillwayError('SPW_POSTGRES_DENIED', 'there is no database to dump', {
      why: `user ${session.settings.user} may connect to none`,
    });
  }
  const described: DatabaseToDump[] = [];
  for (const row of open) described.push(await describeDatabase(session.settings, row, signal));
  return described;
}

interface DatabaseRow {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collation: string;
  readonly ctype: string;
  readonly template: boolean;
  readonly may_connect: boolean;
  readonly disk_bytes: string;
}

// A database whose creation or removal was interrupted has the limit -2 and takes no connections.
const databasesQuery = `
  SELECT datname AS name, pg_catalog.pg_get_userbyid(datdba) AS owner, datcollate AS collation, datctype AS ctype,
         pg_catalog.pg_encoding_to_char(encoding) AS encoding, datistemplate AS template,
         pg_catalog.has_database_privilege(oid, 'CONNECT') AS may_connect,
         CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') THEN pg_catalog.pg_database_size(oid) ELSE 0 END::text
           AS disk_bytes
    FROM pg_catalog.pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname COLLATE "C"`;

async function describeDatabase(
  connection: ConnectionSettings,
  row: DatabaseRow,
  signal: AbortSignal,
): Promise<DatabaseToDump> {
  await using session = await connect({ ...connection, database: row.name }, { signal });
  const extensions = await session.query<{ name: string; version: string }>(
    `SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1`,
    [],
    { signal },
  );
  const [objects] = await session.query<{ count: number }>(
    'SELECT pg_catalog.count(*)::int4 AS count FROM pg_catalog.pg_largeobject_metadata',
    [],
    { signal },
  );
  const { name, owner, encoding, collation, ctype } = row;
  const description = { name, owner, encoding, collation, ctype, extensions, large_objects: objects?.count ?? 0 };
  return { description, diskBytes: Number(row.disk_bytes) };
}

async function orNull(session: Session, sql: string, signal: AbortSignal): Promise<string | null> {
  try {
    const [row] = await session.query<{ value: string | null }>(sql, [], { signal });
    return row?.value ?? null;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_POSTGRES_FAILED', 'SPW_POSTGRES_DENIED')) return null;
    throw error;
  }
}
