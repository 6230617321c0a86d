// What the server that took over tells of itself, over one ordinary session.
//
// Its timeline is that of the WAL it writes, not that of pg_control, which just after a promotion is still the old one.

import type { Session } from '../../postgres/connection.ts';
import { lsn, parseLsn, historyName, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import { ancestry } from '../../postgres/timeline.ts';
import type { SystemWal } from '../backups.ts';
import type { SourceFacts } from './facts.ts';

const TIMEOUT_MS = 30_000;

/** As the manual page of pg_rewind lists them. */
const FUNCTIONS = [
  'pg_ls_dir(text, boolean, boolean)',
  'pg_stat_file(text, boolean)',
  'pg_read_binary_file(text)',
  'pg_read_binary_file(text, bigint, bigint, boolean)',
];
const STANDBY_PARAMETERS = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
];

interface Row {
  readonly system: string;
  readonly catalog: number;
  readonly version: number;
  readonly in_recovery: boolean;
  readonly full_page_writes: string;
  readonly checkpoint_timeline: number;
  readonly recovery_timeline: number;
  readonly redo: string;
  readonly wal_file: string | null;
  readonly position: string | null;
  readonly may_replicate: boolean;
  readonly may: readonly boolean[];
  readonly parameters: readonly string[];
}

/** `stored` helps out with the history where this role may not read it. */
export async function readSource(
  session: Session,
  stored: SystemWal | undefined,
  signal: AbortSignal,
): Promise<SourceFacts> {
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const rows = await session.query<Row>(
    `SELECT s.system_identifier::text AS system, s.catalog_version_no AS catalog,
       current_setting('server_version_num')::int AS version, r.here AS in_recovery,
       current_setting('full_page_writes') AS full_page_writes, c.timeline_id AS checkpoint_timeline,
       coalesce(e.min_recovery_end_timeline, 0) AS recovery_timeline, c.redo_lsn::text AS redo,
       CASE WHEN r.here THEN NULL ELSE pg_walfile_name(pg_current_wal_lsn()) END AS wal_file,
       CASE WHEN r.here THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text AS position,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_replicate,
       (SELECT array_agg(has_function_privilege('pg_catalog.' || f, 'EXECUTE') ORDER BY n)
          FROM unnest($1::text[]) WITH ORDINALITY AS x(f, n)) AS may,
       (SELECT array_agg(current_setting(f) ORDER BY n) FROM unnest($2::text[]) WITH ORDINALITY AS x(f, n)) AS parameters
     FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_control_recovery() AS e,
       (SELECT pg_is_in_recovery() AS here) AS r`,
    [FUNCTIONS, STANDBY_PARAMETERS],
    options,
  );
  const row = rows[0] as Row;
  const timeline =
    row.wal_file === null
      ? timelineId(Math.max(row.checkpoint_timeline, row.recovery_timeline))
      : timelineId(Number.parseInt(row.wal_file.slice(0, 8), 16));
  const forbidden = FUNCTIONS.filter((_, index) => row.may[index] !== true);
  const mayRead = forbidden.length === 0;
  const list = async (folder: string): Promise<readonly string[]> => {
    if (!mayRead) return [];
    const found = await session.query<{ name: string }>('SELECT pg_ls_dir($1, true, false) AS name', [folder], options);
    return found.map(({ name }) => name);
  };
  const history = await readHistory(session, timeline, mayRead, stored, signal);
  return {
    systemIdentifier: row.system,
    major: Math.trunc(row.version / 10_000),
    catalogVersion: row.catalog,
    inRecovery: row.in_recovery,
    fullPageWrites: row.full_page_writes === 'on',
    timeline,
    way: ancestry(new Map(history === undefined ? [] : [[timeline, history]]), timeline),
    position: parseLsn(row.position ?? '') ?? lsn(0n),
    checkpointTimeline: timelineId(row.checkpoint_timeline),
    redo: parseLsn(row.redo) ?? lsn(0n),
    forbidden,
    hasSocketInside: (await list('.')).some((name) => /^\.s\.PGSQL\.\d+$/.test(name)),
    walNames: new Set(await list('pg_wal')),
    mayReplicate: row.may_replicate,
    standbyParameters: Object.fromEntries(
      STANDBY_PARAMETERS.map((name, index) => [name, Number(row.parameters[index] ?? 0)]),
    ),
  };
}

async function readHistory(
  session: Session,
  timeline: TimelineId,
  mayRead: boolean,
  stored: SystemWal | undefined,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (timeline === 1) return undefined;
  if (!mayRead) return stored?.archive.readHistory(timeline, signal);
  const [row] = await session.query<{ content: Uint8Array | null }>(
    'SELECT pg_read_binary_file($1, 0, 1048576, true) AS content',
    [`pg_wal/${historyName(timeline)}`],
    { signal, timeoutMs: TIMEOUT_MS },
  );
  return row?.content ?? undefined;
}
