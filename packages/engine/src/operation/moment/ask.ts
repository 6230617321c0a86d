// Asks a running cluster, and tells the position in WAL whose recovery gives the same answers.
//
//   1  how far the repository leads; then a commit of our own, so that there is one before the snapshot
//   2  a read-only transaction that first locks the tables of the queries as reading locks them, since TRUNCATE and rewrites
//      pass by snapshots, and then takes its snapshot: a few times over, until nobody is in the midst of writing, or the last
//   3  a second commit, so that WAL goes on behind it; the questions; and the end of the transaction
//   4  the wait until that WAL is in the repository; its commits tell whether the snapshot stands for a position (`cut.ts`)
// Nothing is locked that writers need, and nothing while WAL is waited for. A snapshot that stands for no position costs one
// round more; after some it is an error. A commit that took longer to be seen than the WAL that is read goes back would be
// missed: whoever recovers asks `seenTooEarly` of the recovered server, which must find none.

import { type Report, SpillwayError } from '@spillway/contract';
import { connect, type Session } from '../../postgres/connection.ts';
import { formatLsn, type Lsn, parseLsn, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { Repository } from '../../repository/repository.ts';
import { readSystemWal, type SystemWal } from '../backups.ts';
import { pause } from '../pause.ts';
import { listSystems, type SystemRecord } from '../system.ts';
import { findWay, type Way } from '../wal/coverage.ts';
import { listCommits } from '../wal/search.ts';
import { findCut, parseSnapshot, sees, type Visibility } from './cut.ts';

/** In a round; each is a transaction of a millisecond. */
const SNAPSHOTS = 10;
const ROUNDS = 6;
const LOOK_AGAIN_MS = 200;
/** A reading lock waits for those who rewrite a table; production is not made to queue behind us. */
const LOCK_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** Between the commit before a snapshot and the one behind it. */
const COMMITS_MAX = 1_000_000;

export interface MomentOptions {
  readonly repository: Repository;
  readonly cluster: string;
  /** Its database is the one that is asked. */
  readonly connection: ConnectionSettings;
  /** What is to be asked: their tables are locked for reading. One that does not parse is left to whoever asks it. */
  readonly queries: readonly string[];
  /** How long to wait for WAL to reach the repository. */
  readonly walTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface Moment<Answer> {
  readonly answer: Answer;
  /** Recovery to here, inclusive, shows what was asked. */
  readonly lsn: string;
  readonly timeline: number;
  readonly takenAt: Date;
  /** Ids of the transactions that were running, and that a recovery to `lsn` must not have committed. */
  readonly running: readonly string[];
  /** What a disaster at that moment would have lost: the time since the oldest commit that was not yet in the repository. */
  readonly lossSeconds: number;
}

/**
 * `ask` gets a session in the transaction of the snapshot, read-only, time zone UTC; it may be asked more than once.
 * Throws SPW_POSTGRES_UNSUITABLE for a standby, SPW_SYSTEM_MISMATCH, SPW_WAL_WAIT.
 */
export async function askAtMoment<Answer>(
  options: MomentOptions,
  ask: (session: Session) => Promise<Answer>,
): Promise<Moment<Answer>> {
  const { connection, signal } = options;
  await using scout = await connect(connection, { signal });
  const source: Source = { ...(await lookAt(scout, options)), tables: await tablesOf(scout, options) };
  for (let round = 1; round <= ROUNDS; round++) {
    const moment = await tryOnce(options, scout, source, ask);
    if (moment !== undefined) return moment;
  }
  throw new SpillwayError('SPW_WAL_WAIT', 'no snapshot of the source stands for one position of its WAL', {
    why: `each of ${ROUNDS} saw a commit whose record lies behind one that it did not see`,
    hint: 'run it when less is written; a synchronous standby that does not answer is a cause too',
  });
}

/** Of the ids in `running` those that the recovered server has as committed: with any, the moment was not held exactly. */
export async function seenTooEarly(recovered: Session, running: readonly string[]): Promise<readonly string[]> {
  if (running.length === 0) return [];
  const rows = await recovered.query<{ xid: string }>(
    `SELECT xid::text AS xid FROM unnest($1::text[]) AS given(word), LATERAL (SELECT word::xid8 AS xid) AS one
      WHERE CASE WHEN xid < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status(xid) = 'committed' ELSE false END`,
    [running],
  );
  return rows.map(({ xid }) => xid);
}

interface Source {
  readonly system: SystemRecord;
  readonly timeline: TimelineId;
  /** Quoted, with their schemas. */
  readonly tables: readonly string[];
}

interface Snapshot {
  readonly visibility: Visibility;
  readonly takenAt: Date;
}

async function tryOnce<Answer>(
  options: MomentOptions,
  scout: Session,
  source: Source,
  ask: (session: Session) => Promise<Answer>,
): Promise<Moment<Answer> | undefined> {
  const { signal, report } = options;
  const position = await insertPosition(scout);
  const { durable } = wayOf(await readWal(options, source), source, position);
  const own = new Set([await commitOwn(scout)]);
  const { snapshot, answer, until } = await inSnapshot(options, source, async (session) => {
    own.add(await commitOwn(scout));
    return { until: await flushedPosition(scout), answer: await ask(session) };
  });
  await pushSegment(scout, report);
  const { wal, way } = await waitUntilStored(options, source, position, until);
  const commits = await listCommits(wal.archive, way, { from: position, until, most: COMMITS_MAX }, signal);
  const cut = findCut(commits, snapshot.visibility);
  if (cut === undefined) return undefined;
  return {
    answer,
    lsn: formatLsn(cut),
    timeline: source.timeline,
    takenAt: snapshot.takenAt,
    running: [...snapshot.visibility.running].map(String),
    lossSeconds: await lossOf(options, source, { durable, until, own, snapshot }),
  };
}

/** The transaction is over when this returns. */
async function inSnapshot<Result>(
  { connection, signal }: MomentOptions,
  { tables }: Source,
  work: (session: Session) => Promise<Result>,
): Promise<Result & { readonly snapshot: Snapshot }> {
  await using session = await connect(connection, { signal });
  await session.query("SET TimeZone = 'UTC'");
  for (let attempt = 1; ; attempt++) {
    const snapshot = await takeSnapshot(session, tables);
    // Where nobody is in the midst of writing, none can be in the midst of its commit.
    if (snapshot.visibility.running.size === 0 || attempt === SNAPSHOTS) return { ...(await work(session)), snapshot };
    await session.query('ROLLBACK');
  }
}

/** Which system and timeline the source is, where the repository knows it. */
async function lookAt(scout: Session, { repository, cluster, signal }: MomentOptions): Promise<Omit<Source, 'tables'>> {
  await scout.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
  await scout.query("SET synchronous_commit = 'local'");
  const [about] = await scout.query<{ recovering: boolean; system: string; timeline: number }>(
    `SELECT pg_is_in_recovery() AS recovering, system_identifier::text AS system,
            CASE WHEN pg_is_in_recovery() THEN 0
                 ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int4 END AS timeline
       FROM pg_control_system()`,
  );
  if (about === undefined || about.recovering) {
    throw new SpillwayError('SPW_POSTGRES_UNSUITABLE', 'the source cannot be compared with', {
      why: 'it is a standby, which cannot mark a position in WAL',
      hint: 'let the connection of the cluster lead to its primary',
    });
  }
  const system = (await listSystems(repository, cluster, signal)).find(
    ({ system_identifier: known }) => known === about.system,
  );
  if (system === undefined) {
    throw new SpillwayError('SPW_SYSTEM_MISMATCH', `the source is not cluster ${cluster}`, {
      why: `its system identifier is ${about.system}, and the repository knows none of that name with it`,
    });
  }
  return { system, timeline: timelineId(about.timeline) };
}

/** Planning a query locks its tables; what it has locked is asked. */
async function tablesOf(scout: Session, { queries, signal }: MomentOptions): Promise<readonly string[]> {
  await scout.query('BEGIN READ ONLY');
  await scout.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  for (const query of queries) {
    await scout.query('SAVEPOINT one');
    try {
      await scout.query(`EXPLAIN ${query}`, [], { signal });
      await scout.query('RELEASE one');
    } catch (error) {
      if (!(error instanceof SpillwayError) || error.code !== 'SPW_POSTGRES_FAILED') throw error;
      await scout.query('ROLLBACK TO one');
    }
  }
  const rows = await scout.query<{ name: string }>(
    `SELECT DISTINCT format('%I.%I', nspname, relname) AS name
       FROM pg_locks JOIN pg_class ON pg_class.oid = relation JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE locktype = 'relation' AND pid = pg_backend_pid() AND mode = 'AccessShareLock' AND relkind IN ('r', 'p')
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND nspname <> 'pg_catalog'
      ORDER BY 1`,
  );
  await scout.query('ROLLBACK');
  return rows.map(({ name }) => name);
}

async function takeSnapshot(session: Session, tables: readonly string[]): Promise<Snapshot> {
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await session.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  // The snapshot is taken by the first statement that needs one: this one does not.
  if (tables.length > 0) await session.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`);
  const [row] = await session.query<{ snapshot: string; at: Date }>(
    'SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS at',
  );
  const visibility = parseSnapshot(row?.snapshot ?? '');
  if (row === undefined || visibility === undefined) {
    throw new SpillwayError('SPW_POSTGRES_FAILED', `the server gave a snapshot of another form: ${row?.snapshot}`);
  }
  return { visibility, takenAt: row.at };
}

/** A transaction that has an id and leaves nothing; gives the lower 32 bits of the id. It is durable when this returns. */
async function commitOwn(scout: Session): Promise<number> {
  const [row] = await scout.query<{ xid: string }>(
    `SELECT pg_logical_emit_message(true, 'spillway', 'a moment is held') IS NOT NULL AS told,
            pg_current_xact_id()::text AS xid`,
  );
  return Number(BigInt(row?.xid ?? 0) & 0xffffffffn);
}

const insertPosition = (scout: Session): Promise<Lsn> => askPosition(scout, 'pg_current_wal_insert_lsn()');
const flushedPosition = (scout: Session): Promise<Lsn> => askPosition(scout, 'pg_current_wal_flush_lsn()');

async function askPosition(scout: Session, call: string): Promise<Lsn> {
  const [row] = await scout.query<{ lsn: string }>(`SELECT ${call}::text AS lsn`);
  const position = parseLsn(row?.lsn ?? '');
  if (position === undefined) throw new SpillwayError('SPW_POSTGRES_FAILED', 'the server told no WAL position');
  return position;
}

/** Where only whole segments are archived, this one would be long in coming. */
async function pushSegment(scout: Session, report: Report): Promise<void> {
  const [row] = await scout.query<{ archives: boolean; streams: boolean; may: boolean }>(
    `SELECT current_setting('archive_mode') <> 'off' AS archives,
            EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming') AS streams,
            has_function_privilege('pg_switch_wal()', 'EXECUTE') AS may`,
  );
  if (row === undefined || !row.archives || row.streams) return;
  if (row.may) await scout.query('SELECT pg_switch_wal()');
  else {
    report({
      type: 'notice',
      level: 'info',
      message: 'This role may not call pg_switch_wal(), so the WAL that is waited for comes when its segment is full.',
    });
  }
}

const readWal = ({ repository, cluster, signal }: MomentOptions, { system }: Source): Promise<SystemWal> =>
  readSystemWal({ repository, cluster, signal }, system);

function wayOf(
  wal: SystemWal,
  { timeline }: Source,
  from: Lsn,
): { readonly way: Way | undefined; readonly durable: Lsn } {
  const ancestry = wal.ways.get(timeline);
  if (ancestry === undefined) return { way: undefined, durable: from };
  // What is stored of this timeline at all, up to its end: behind `from` there may be nothing yet.
  const ends = (wal.catalog.objects.get(timeline) ?? []).map(({ end }) => end);
  const newest = ends.reduce<Lsn | undefined>(
    (most, end) => (most === undefined || end > most ? end : most),
    undefined,
  );
  return {
    way: findWay(wal.catalog, ancestry, from, wal.archive.segmentSize),
    durable: newest === undefined || newest > from ? from : newest,
  };
}

async function waitUntilStored(
  options: MomentOptions,
  source: Source,
  from: Lsn,
  until: Lsn,
): Promise<{ readonly wal: SystemWal; readonly way: Way }> {
  const { signal, report, walTimeoutMs } = options;
  const began = performance.now();
  for (;;) {
    const wal = await readWal(options, source);
    const { way } = wayOf(wal, source, from);
    if (way !== undefined && way.end >= until) return { wal, way };
    if (performance.now() - began > walTimeoutMs) {
      throw new SpillwayError('SPW_WAL_WAIT', 'WAL of the source did not reach the repository', {
        why: `WAL up to ${formatLsn(until)} was not there after ${Math.round(walTimeoutMs / 1000)} s, only up to ${formatLsn(way?.end ?? from)}`,
        hint: 'check that spillway wal receive runs and is not behind, or that archive_command works',
      });
    }
    report({ type: 'progress', phase: 'waiting for WAL', done_bytes: 0, detail: `up to ${formatLsn(until)}` });
    await pause(LOOK_AGAIN_MS, signal);
  }
}

/** In seconds of the server's clock; 0 where all that the snapshot sees was in the repository. */
async function lossOf(
  options: MomentOptions,
  source: Source,
  {
    durable,
    until,
    own,
    snapshot,
  }: {
    readonly durable: Lsn;
    readonly until: Lsn;
    readonly own: ReadonlySet<number>;
    readonly snapshot: Snapshot;
  },
): Promise<number> {
  const wal = await readWal(options, source);
  const { way } = wayOf(wal, source, durable);
  if (way === undefined) return 0;
  // From the start of its segment: a record that begins before the end of what is stored may end behind it.
  const bounds = { from: way.steps[0]?.start ?? durable, until, most: COMMITS_MAX };
  const commits = await listCommits(wal.archive, way, bounds, options.signal);
  const oldest = commits.find(({ xid, endLsn }) => endLsn > durable && !own.has(xid) && sees(snapshot.visibility, xid));
  if (oldest === undefined) return 0;
  return Math.max(0, snapshot.takenAt.getTime() - Number(oldest.atMicros / 1000n)) / 1000;
}
