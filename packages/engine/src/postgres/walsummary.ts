// Which blocks of which relations were changed between two positions, as the server's WAL summaries tell (PostgreSQL 17
// and newer, summarize_wal): https://www.postgresql.org/docs/current/continuous-archiving.html,
// src/backend/backup/basebackup_incremental.c, src/backend/postmaster/walsummarizer.c
//
// 1. Wait, for a while, until the summarizer is past the end of the range; it stops at the start of every checkpoint,
//    and so exactly where a base backup starts.
// 2. The summaries of the timeline must cover the range without a gap, or they tell nothing.
// 3. Each is asked for by itself, its blocks gathered by the server into granules of some blocks each, so that neither
//    side ever holds a row a block.
// 4. A limit block says that the fork was cut to that length, or made anew (0), in between: whatever stands at or after
//    it is changed. A limit for file 0 is one for all files that the database has in that tablespace.
//
// Only main and init forks are known. The free space map is not fully logged; and records that clear bits of the
// visibility map do not name its blocks, so that PostgreSQL's own incremental backups keep stale ones (pgsql-hackers,
// March 2026: "Why clearing the VM doesn't require registering vm buffer in wal record"). Both are small.

import { setTimeout as wait } from 'node:timers/promises';
import type { QueryOptions, Session } from './connection.ts';
import { relationFile } from './exclusion.ts';
import { formatLsn, type Lsn, parseLsn, type TimelineId } from './lsn.ts';

const LOOK_AGAIN_MS = 50;
/** As long as it does not move at all. */
const STUCK_AFTER_MS = 10_000;
const WAIT_MS_MAX = 60_000;
const DEFAULT_TABLESPACE = 1663;
const GLOBAL_TABLESPACE = 1664;
const forkNumbers: Readonly<Record<string, number>> = { main: 0, init: 3 };

export interface SummaryRange {
  readonly timeline: TimelineId;
  /** Changes up to here are known. */
  readonly from: Lsn;
  readonly to: Lsn;
}

export interface SummaryOptions extends QueryOptions {
  /** As many blocks of a relation are told as one. */
  readonly granuleBlocks: number;
  /** For how long to wait for the summarizer; a minute by default, and ten seconds while it stands still. */
  readonly waitMs?: number;
}

export type SummaryAnswer =
  | { readonly changed: ChangedBlocks }
  /** Why the summaries cannot tell. */
  | { readonly why: string };

/** Throws only what the session throws. */
export async function readWalSummaries(
  session: Pick<Session, 'query'>,
  range: SummaryRange,
  options: SummaryOptions,
): Promise<SummaryAnswer> {
  const [setting] = await session.query<{ value: string | null }>(
    "SELECT pg_catalog.current_setting('summarize_wal', true) AS value",
    [],
    options,
  );
  if (setting?.value !== 'on') return { why: 'summarize_wal is off' };
  const late = await untilSummarized(session, range.to, options);
  if (late !== undefined) return { why: late };
  const rows = await session.query<{ start: string; end: string }>(
    `SELECT start_lsn::text AS start, end_lsn::text AS end FROM pg_catalog.pg_available_wal_summaries()
     WHERE tli = $1 AND end_lsn > $2::pg_lsn AND start_lsn < $3::pg_lsn`,
    [range.timeline, formatLsn(range.from), formatLsn(range.to)],
    options,
  );
  const summaries = rows.map(({ start, end }) => ({ start: position(start), end: position(end) }));
  const missing = firstGap(summaries, range);
  if (missing !== undefined) return { why: `there is no WAL summary of what follows ${formatLsn(missing)}` };
  const changed = new ChangedBlocks(options.granuleBlocks);
  for (const { start, end } of summaries) {
    for (const row of await session.query<ContentsRow>(
      contentsQuery,
      contentsOf(range, start, end, options),
      options,
    )) {
      changed.add(row);
    }
  }
  return { changed };
}

/** The first position of the range that no summary covers. */
export function firstGap(
  summaries: readonly { readonly start: Lsn; readonly end: Lsn }[],
  { from, to }: Pick<SummaryRange, 'from' | 'to'>,
): Lsn | undefined {
  let covered = from;
  for (const { start, end } of summaries.toSorted((a, b) => (a.start < b.start ? -1 : Number(a.start > b.start)))) {
    if (start > covered) break;
    if (end > covered) covered = end;
  }
  return covered < to ? covered : undefined;
}

export interface ContentsRow {
  readonly tablespace: number;
  readonly database: number;
  readonly filenode: number;
  readonly fork: number;
  /** The lowest there is. */
  readonly limit: number | null;
  /** Numbers of granules. */
  readonly granules: readonly number[] | null;
}

/** What was changed, by granules of blocks. */
export class ChangedBlocks {
  readonly granuleBlocks: number;
  readonly #forks = new Map<string, { limit: number; bits: Uint8Array }>();

  constructor(granuleBlocks: number) {
    this.granuleBlocks = granuleBlocks;
  }

  add({ tablespace, database, filenode, fork, limit, granules }: ContentsRow): void {
    const key = keyOf(tablespace, database, filenode, fork);
    let known = this.#forks.get(key);
    if (known === undefined) {
      known = { limit: Number.POSITIVE_INFINITY, bits: new Uint8Array() };
      this.#forks.set(key, known);
    }
    if (limit !== null) known.limit = Math.min(known.limit, limit);
    if (granules === null) return;
    const last = granules.reduce((most, granule) => Math.max(most, granule), 0);
    if (last >>> 3 >= known.bits.length) {
      const grown = new Uint8Array(Math.max((last >>> 3) + 1, known.bits.length * 2));
      grown.set(known.bits);
      known.bits = grown;
    }
    for (const granule of granules) known.bits[granule >>> 3] = (known.bits[granule >>> 3] ?? 0) | (1 << (granule & 7));
  }

  /**
   * Whether a granule of the file at `path` was changed, by its number in the whole relation; undefined where summaries
   * say nothing of such a file.
   */
  ofFile(path: string): ((granule: number) => boolean) | undefined {
    const relation = relationFile(path);
    const fork = relation && forkNumbers[relation.fork];
    if (relation === undefined || fork === undefined) return undefined;
    const tablespace = tablespaceOf(path);
    if (this.#forks.has(keyOf(tablespace, relation.database, 0, 0))) return () => true;
    const known = this.#forks.get(keyOf(tablespace, relation.database, relation.filenode, fork));
    if (known === undefined) return () => false;
    const { limit, bits } = known;
    return (granule) =>
      (granule + 1) * this.granuleBlocks > limit || (((bits[granule >>> 3] ?? 0) >>> (granule & 7)) & 1) === 1;
  }
}

const keyOf = (tablespace: number, database: number, filenode: number, fork: number): string =>
  `${tablespace}/${database}/${filenode}/${fork}`;

function tablespaceOf(path: string): number {
  const [top, second] = path.split('/');
  if (top === 'global') return GLOBAL_TABLESPACE;
  return top === 'pg_tblspc' ? Number(second) : DEFAULT_TABLESPACE;
}

/** Why it did not come to that, or undefined once it has. */
async function untilSummarized(
  session: Pick<Session, 'query'>,
  to: Lsn,
  options: SummaryOptions,
): Promise<string | undefined> {
  const began = performance.now();
  const { waitMs = WAIT_MS_MAX, signal } = options;
  let seen = '';
  for (let movedAt = began; ; ) {
    const [state] = await session.query<{ done: string; pending: string }>(
      'SELECT summarized_lsn::text AS done, pending_lsn::text AS pending FROM pg_catalog.pg_get_wal_summarizer_state()',
      [],
      options,
    );
    if (state !== undefined && position(state.done) >= to) return undefined;
    const now = performance.now();
    const where = `${state?.done} ${state?.pending}`;
    if (where !== seen) [seen, movedAt] = [where, now];
    if (now - began >= waitMs || now - movedAt >= STUCK_AFTER_MS) {
      return `the WAL summarizer is behind: it is at ${state?.done}, and the backup starts at ${formatLsn(to)}`;
    }
    await wait(LOOK_AGAIN_MS, undefined, signal && { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

const contentsQuery = `
  SELECT reltablespace::int8::float8 AS tablespace, reldatabase::int8::float8 AS database,
    relfilenode::int8::float8 AS filenode, relforknumber::int4 AS fork,
    min(relblocknumber) FILTER (WHERE is_limit_block)::float8 AS limit,
    array_agg(DISTINCT (relblocknumber / $4)::int4) FILTER (WHERE NOT is_limit_block) AS granules
  FROM pg_catalog.pg_wal_summary_contents($1, $2::pg_lsn, $3::pg_lsn)
  WHERE relforknumber IN (0, 3)
  GROUP BY reltablespace, reldatabase, relfilenode, relforknumber`;

const contentsOf = (
  { timeline }: SummaryRange,
  start: Lsn,
  end: Lsn,
  { granuleBlocks }: SummaryOptions,
): readonly unknown[] => [timeline, formatLsn(start), formatLsn(end), granuleBlocks];

function position(text: string): Lsn {
  const parsed = parseLsn(text);
  if (parsed === undefined) throw new TypeError(`the server gave the position ${text}`);
  return parsed;
}
