// The statements that took most of a server's time, as pg_stat_statements counted them since it was reset: mean and longest.
//
// 1. Looked at once a minute at most, in the session that reads the server's figures: the view reads the file of all texts.
// 2. Whether the library is loaded and the extension made is asked first, so that no failing statement is left in the server's
//    log; what is missing is told in words.
// 3. Literals in queries are parameters there already. Other commands are not shown but for their first word: one that sets a
//    password keeps it in its text. No text is longer than `TEXT_MAX`.

import { isSpillwayError } from '@spillway/contract';
import type { Session } from '@spillway/engine';

export const STATEMENTS_EVERY_MS = 60_000;
const TIMEOUT_MS = 3000;
const TOP = 5;
const TEXT_MAX = 200;
/** The first version that says when it was reset; every PostgreSQL from 14 on comes with it. */
const LEAST_VERSION = [1, 9] as const;

export interface Statement {
  /** Null of a database that was dropped. */
  readonly database: string | null;
  readonly query: string;
  readonly calls: number;
  readonly totalMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
}

export interface Statements {
  readonly at: number;
  /** When it began to count. */
  readonly since: Date | null;
  /** Why there are none; null where there are. */
  readonly missing: string | null;
  /** The one that took most first. */
  readonly top: readonly Statement[];
}

/** Those known where they are young enough. */
export async function readStatements(
  session: Session,
  known: Statements | undefined,
  signal: AbortSignal,
  now: number,
): Promise<Statements> {
  if (known !== undefined && now >= known.at && now - known.at < STATEMENTS_EVERY_MS) return known;
  const none = (missing: string): Statements => ({ at: now, since: null, missing, top: [] });
  const asked = { signal, timeoutMs: TIMEOUT_MS };
  try {
    const [offer] = await session.query<Offer>(OFFER, [], asked);
    const missing = missingOf(offer);
    if (missing !== undefined) return none(missing);
    const schema = offer?.schema ?? 'public';
    const rows = await session.query<Row>(topOf(schema), [], asked);
    const [info] = await session.query<{ readonly since: Date | null }>(
      `SELECT stats_reset AS since FROM ${schema}.pg_stat_statements_info`,
      [],
      asked,
    );
    return { at: now, since: info?.since ?? null, missing: null, top: rows.map(statementOf) };
  } catch (error) {
    // What a role may not, or takes too long, must not hide the rest of the server.
    if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
    return none(error.why ?? error.message);
  }
}

export interface Offer {
  readonly loaded: boolean;
  readonly version: string | null;
  /** Quoted. */
  readonly schema: string | null;
  /** Null where it is not installed. */
  readonly usable: boolean | null;
  readonly database: string;
  readonly role: string;
}

/** Pure. */
export function missingOf(offer: Offer | undefined): string | undefined {
  if (offer === undefined) return 'the server did not say whether it has pg_stat_statements';
  const { loaded, version, schema, usable, database, role } = offer;
  const create = `CREATE EXTENSION pg_stat_statements in the database ${database}`;
  if (!loaded) {
    const then = version === null ? `, a restart, and ${create}` : ' and a restart';
    return `pg_stat_statements is not loaded: it wants shared_preload_libraries = 'pg_stat_statements'${then}`;
  }
  if (version === null) return `pg_stat_statements is loaded, and not installed: it wants ${create}`;
  if (usable !== true) {
    return `the role ${role} may not use the schema of pg_stat_statements: it wants GRANT USAGE ON SCHEMA ${schema} TO ${role} in the database ${database}`;
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor >= LEAST_VERSION[1])) return undefined;
  return `pg_stat_statements is of the old version ${version}: it wants ALTER EXTENSION pg_stat_statements UPDATE in the database ${database}`;
}

export interface Row {
  readonly database: string | null;
  readonly query: string | null;
  readonly calls: string;
  readonly total: number;
  readonly mean: number;
  readonly max: number;
}

/** Pure. */
export const statementOf = ({ database, query, calls, total, mean, max }: Row): Statement => ({
  database,
  query: shownText(query ?? ''),
  calls: Number(calls),
  totalMs: total,
  meanMs: mean,
  maxMs: max,
});

const QUERY = /^(?:select|insert|update|delete|merge|with|values|table)\b/i;

/** Pure. */
export function shownText(text: string): string {
  // A hint or a tag of a framework may stand in front, and a bracket of a UNION.
  const bare = text.replace(/^(?:\s|\/\*[^]*?\*\/|--[^\n]*\n|\()+/, '');
  const plain = bare.replaceAll(/\s+/g, ' ').trim();
  if (plain === '' || plain === '<insufficient privilege>') return 'not shown: the role lacks pg_read_all_stats';
  if (!QUERY.test(plain)) return `${/^[a-z]+/i.exec(plain)?.[0].toUpperCase() ?? 'a command'} …`;
  const letters = Array.from(plain);
  return letters.length <= TEXT_MAX ? plain : `${letters.slice(0, TEXT_MAX - 1).join('')}…`;
}

/** Its settings are there only where the library is loaded. */
const OFFER = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'pg_stat_statements.max') AS loaded,
         e.extversion AS version, pg_catalog.quote_ident(n.nspname) AS schema,
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usable,
         pg_catalog.current_database()::text AS database, current_user::text AS role
    FROM (SELECT) AS one
    LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'pg_stat_statements'
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

const topOf = (schema: string): string => `
  SELECT d.datname::text AS database, pg_catalog.left(s.query, 2000) AS query, s.calls::text AS calls,
         s.total_exec_time AS total, s.mean_exec_time AS mean, s.max_exec_time AS max
    FROM (SELECT dbid, query, calls, total_exec_time, mean_exec_time, max_exec_time
            FROM ${schema}.pg_stat_statements ORDER BY total_exec_time DESC LIMIT ${TOP}) s
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
   ORDER BY s.total_exec_time DESC`;
