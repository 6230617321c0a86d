// Which backups and dumps stay, and why. Pure: the clock and everything that was read come in.
//
// 1. Every backup is complete, so each is judged alone. It is kept by every rule that names it, and all of them are told.
// 2. Rules that count (keep_count, the periods) count usable backups: their own WAL is there, and the newest word of the
//    evidence on them is not that they are damaged. So a bad backup never pushes out a good one. And they count all of them
//    once more: what cannot be restored as it is now may be mended from another place, or was only read wrongly, and goes
//    no sooner than a good one would.
// 3. A period (day, ISO week from Monday, month, year, all in UTC, by when a backup finished) keeps its newest backup. It
//    is the newest N periods that have a backup which count, so that a pause of the backups does not use them up.
// 4. Kept whatever the policy says: the newest, the newest proven ones, what is in use or on legal hold, what cannot be read.
// 5. Backups of an earlier system (before pg_upgrade) go by days and the point-in-time window alone.
// Invariant: a policy that allows more keeps everything that one that allows less keeps; what was judged again after the
// removal is judged the same.

import type { BackupSummary } from '../../format/manifest.ts';

const DAY_MS = 86_400_000;

export interface RetentionPolicy {
  readonly keepCount?: number | undefined;
  readonly keepDays?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  /** So many proven backups stay at least. */
  readonly minimumProven: number;
  /** Every moment of this time before now stays reachable. */
  readonly pointInTimeMs?: number | undefined;
}

export interface BackupFacts {
  readonly summary: Pick<BackupSummary, 'id' | 'started_at' | 'finished_at' | 'system_identifier'>;
  readonly usable: boolean;
  readonly proven: boolean;
  /** Who reads it now. */
  readonly heldBy?: string | undefined;
  /** Why it is on legal hold. */
  readonly legalHold?: string | undefined;
}

export interface Judgement {
  readonly id: string;
  readonly keep: boolean;
  /** Phrases: what keeps it, or why nothing does. */
  readonly reasons: readonly string[];
}

/** Whether there is anything by which a backup could go. */
export const isPolicy = (policy: RetentionPolicy): boolean =>
  keepsBackups(policy) || policy.pointInTimeMs !== undefined;

const keepsBackups = (policy: RetentionPolicy): boolean =>
  [policy.keepCount, policy.keepDays, policy.keepDaily, policy.keepWeekly, policy.keepMonthly, policy.keepYearly].some(
    (value) => value !== undefined,
  );

/**
 * `backups` oldest first; `windowBases` are those without which a moment of the point-in-time window could not be reached
 * (`window.ts`). The system of the newest backup is the current one.
 */
export function judgeBackups(
  backups: readonly BackupFacts[],
  policy: RetentionPolicy,
  windowBases: ReadonlySet<string>,
  now: Date,
): readonly Judgement[] {
  const reasons = new Map<string, string[]>(backups.map(({ summary }) => [summary.id, []]));
  const keep = ({ summary }: BackupFacts, why: string): void => void reasons.get(summary.id)?.push(why);
  const current = backups.at(-1)?.summary.system_identifier;
  const newestFirst = backups.toReversed();
  const own = newestFirst.filter(({ summary }) => summary.system_identifier === current);
  const counted = own.filter(({ usable }) => usable);

  if (!isPolicy(policy)) for (const each of backups) keep(each, 'no retention is configured');
  if (newestFirst[0] !== undefined) keep(newestFirst[0], 'newest');
  if (counted[0] !== undefined && counted[0] !== newestFirst[0]) keep(counted[0], 'newest that can be restored');
  const proven = newestFirst.filter((each) => each.proven && each.usable);
  // The last one proven stays whatever the minimum says.
  proven.slice(0, Math.max(1, policy.minimumProven)).forEach((each, at) => {
    keep(each, at === 0 ? 'last proven' : `one of the ${policy.minimumProven} last proven`);
  });
  for (const each of backups) {
    if (each.legalHold !== undefined) keep(each, `on legal hold: ${each.legalHold}`);
    if (each.heldBy !== undefined) keep(each, `in use by a restore on ${each.heldBy}`);
    if (windowBases.has(each.summary.id)) keep(each, 'needed for the point-in-time window');
    else if (!keepsBackups(policy) && isWithin(each, policy.pointInTimeMs, now)) {
      keep(each, 'within the point-in-time window');
    }
    if (policy.keepDays !== undefined && isWithin(each, policy.keepDays * DAY_MS, now)) {
      keep(each, `within ${policy.keepDays} days`);
    }
  }
  for (const [among, of] of [
    [counted, counted],
    [own, own.filter(({ usable }) => !usable)],
  ] as const) {
    const mayStay = new Set(of);
    const note = (each: BackupFacts, why: string): void => {
      if (mayStay.has(each)) keep(each, each.usable ? why : `${why}, though it cannot be restored as it is`);
    };
    for (const each of among.slice(0, policy.keepCount ?? 0)) note(each, `one of the newest ${policy.keepCount}`);
    for (const { name, count, period } of periods(policy)) {
      const taken = new Set<string>();
      for (const each of among) {
        const when = period(new Date(each.summary.finished_at));
        if (taken.has(when)) continue;
        if (taken.size >= count) break;
        taken.add(when);
        note(each, `${name} of ${when}`);
      }
    }
  }
  const earlier = (each: BackupFacts): boolean => each.summary.system_identifier !== current;
  for (const each of backups) {
    if (earlier(each) && policy.keepDays === undefined && isPolicy(policy)) {
      keep(each, 'of an earlier system, whose backups go by keep_days alone');
    }
  }
  return backups.map((each) => {
    const why = reasons.get(each.summary.id) ?? [];
    if (why.length > 0) return { id: each.summary.id, keep: true, reasons: why };
    return { id: each.summary.id, keep: false, reasons: [whyNot(each, now)] };
  });
}

export interface DumpFacts {
  readonly id: string;
  readonly source: string;
  readonly finished_at: string;
}

/**
 * Each kind of dump by itself, by count and days alone; the newest of a kind always stays, and what is on legal hold (by id).
 * `dumps` oldest first.
 */
export function judgeDumps(
  dumps: readonly DumpFacts[],
  policy: RetentionPolicy,
  now: Date,
  legalHolds: ReadonlyMap<string, string> = new Map(),
): readonly Judgement[] {
  const { keepCount, keepDays } = policy;
  const seen = new Map<string, number>();
  const judged = dumps.toReversed().map((dump): Judgement => {
    const number = (seen.get(dump.source) ?? 0) + 1;
    seen.set(dump.source, number);
    const reasons: string[] = [];
    const law = legalHolds.get(dump.id);
    if (law !== undefined) reasons.push(`on legal hold: ${law}`);
    if (number === 1) reasons.push(`newest of kind ${dump.source}`);
    if (keepCount === undefined && keepDays === undefined)
      reasons.push('neither keep_count nor keep_days is configured');
    if (number <= (keepCount ?? 0)) reasons.push(`one of the newest ${keepCount} of kind ${dump.source}`);
    const age = now.getTime() - Date.parse(dump.finished_at);
    if (keepDays !== undefined && age <= keepDays * DAY_MS) reasons.push(`within ${keepDays} days`);
    if (reasons.length > 0) return { id: dump.id, keep: true, reasons };
    return { id: dump.id, keep: false, reasons: [`${Math.floor(age / DAY_MS)} days old, and no rule keeps it`] };
  });
  return judged.toReversed();
}

function whyNot({ usable, summary }: BackupFacts, now: Date): string {
  const days = Math.floor((now.getTime() - Date.parse(summary.finished_at)) / DAY_MS);
  return `${days} ${days === 1 ? 'day' : 'days'} old, and no rule keeps it${usable ? '' : '; it cannot be restored as it is'}`;
}

const isWithin = ({ summary }: BackupFacts, ms: number | undefined, now: Date): boolean =>
  ms !== undefined && now.getTime() - Date.parse(summary.finished_at) <= ms;

interface Period {
  readonly name: string;
  readonly count: number;
  readonly period: (at: Date) => string;
}

const periods = (policy: RetentionPolicy): readonly Period[] => [
  { name: 'daily', count: policy.keepDaily ?? 0, period: (at) => at.toISOString().slice(0, 10) },
  { name: 'weekly', count: policy.keepWeekly ?? 0, period: isoWeek },
  { name: 'monthly', count: policy.keepMonthly ?? 0, period: (at) => at.toISOString().slice(0, 7) },
  { name: 'yearly', count: policy.keepYearly ?? 0, period: (at) => at.toISOString().slice(0, 4) },
];

/** `2026-W48`: ISO 8601, a week belongs to the year that has its Thursday. */
export function isoWeek(at: Date): string {
  const day = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate());
  const thursday = new Date(day + (4 - (at.getUTCDay() || 7)) * DAY_MS);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - first) / DAY_MS / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}
