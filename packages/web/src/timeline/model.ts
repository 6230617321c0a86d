// The recovery window as a picture of time: where backups, WAL, gaps and drills stand, and what a moment can be had from. Pure.
//
// 1. Gaps in WAL are known by LSN. The time of an LSN is taken from the backups, whose LSN and time are both known, and between
//    two of them in proportion; so the edges of a gap are about right, and a plan, which asks the service, decides.
// 2. Only backups of the newest system and with all WAL that they need count; on the way to the newest timeline LSN and time
//    rise together, and a backup that breaks this order is of a timeline that was left, and left out.
// 3. A moment is had from the newest backup that had finished by then, if no gap lies between the two.

import type { BackupsDocument, EvidenceListDocument } from '@spillway/contract';

type Backup = BackupsDocument['backups'][number];

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Mark {
  readonly id: string;
  readonly at: number;
  readonly result: 'passed' | 'failed';
}

export interface Timeline {
  /** Undefined where nothing can be recovered. */
  readonly window: Span | undefined;
  readonly gaps: readonly Span[];
  readonly backups: readonly Backup[];
  readonly drills: readonly Mark[];
}

export type Reach =
  | { readonly kind: 'reached'; readonly backup: Backup; readonly walMs: number }
  | { readonly kind: 'gap'; readonly gap: Span }
  | { readonly kind: 'outside'; readonly why: string };

export function timelineOf(
  { backups, recovery_window: window }: BackupsDocument,
  evidence: EvidenceListDocument['records'],
): Timeline {
  const { earliest_at: earliest, latest_at: latest } = window;
  const points = pointsOf(backups, window);
  return {
    window: earliest === null || latest === null ? undefined : { from: Date.parse(earliest), to: Date.parse(latest) },
    gaps: window.gaps.map(({ from_lsn: from, to_lsn: to }) => ({
      from: timeAt(points, lsnOf(from)),
      to: timeAt(points, lsnOf(to)),
    })),
    backups,
    drills: evidence
      .filter(({ kind }) => kind === 'drill')
      .map(({ id, finished_at: at, result }) => ({ id, at: Date.parse(at), result })),
  };
}

export function reachOf({ window, gaps, backups }: Timeline, at: number): Reach {
  if (window === undefined) return { kind: 'outside', why: 'nothing can be recovered yet' };
  if (at > window.to) return { kind: 'outside', why: 'it is after the newest WAL in the repository' };
  const backup = backups.findLast(
    ({ finished_at: finished, wal_complete: complete, verification }) =>
      complete && verification !== 'failed' && Date.parse(finished) <= at,
  );
  if (backup === undefined) return { kind: 'outside', why: 'it is before the end of the first backup' };
  const from = Date.parse(backup.finished_at);
  const gap = gaps.find((each) => each.from <= at && each.to > from);
  return gap === undefined ? { kind: 'reached', backup, walMs: at - from } : { kind: 'gap', gap };
}

/** The nearest moment that can be had, for a key or a click beside it. */
export const within = ({ from, to }: Span, at: number): number => Math.min(to, Math.max(from, at));

interface Point {
  readonly lsn: number;
  readonly at: number;
}

function pointsOf(
  backups: readonly Backup[],
  { latest_at: at, latest_lsn: lsn }: BackupsDocument['recovery_window'],
): readonly Point[] {
  const system = backups.at(-1)?.system_identifier;
  const known = backups
    .filter((backup) => backup.system_identifier === system && backup.wal_complete)
    .flatMap((backup) => [
      { lsn: lsnOf(backup.start_lsn), at: Date.parse(backup.started_at) },
      { lsn: lsnOf(backup.stop_lsn), at: Date.parse(backup.finished_at) },
    ]);
  if (at !== null && lsn !== null) known.push({ lsn: lsnOf(lsn), at: Date.parse(at) });
  const rising: Point[] = [];
  // From the newest back: what is higher than what came after it lies on a timeline that was left.
  for (const point of known.toSorted((a, b) => b.at - a.at)) {
    const after = rising.at(-1);
    if (after === undefined || point.lsn <= after.lsn) rising.push(point);
  }
  return rising.toReversed();
}

function timeAt(points: readonly Point[], lsn: number): number {
  const next = points.findIndex((point) => point.lsn >= lsn);
  const [before, after] = [points[next === -1 ? points.length - 1 : next - 1], points[next]];
  if (before === undefined || after === undefined) return (before ?? after)?.at ?? 0;
  const share = after.lsn === before.lsn ? 0 : (lsn - before.lsn) / (after.lsn - before.lsn);
  return before.at + share * (after.at - before.at);
}

/** Exact up to 2^53, which is eight petabytes of WAL. */
export function lsnOf(text: string): number {
  const [high = '0', low = '0'] = text.split('/');
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16);
}

const steps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
  1_209_600, 2_592_000, 7_776_000, 31_536_000,
].map((seconds) => seconds * 1000);

/** Where the axis has its ticks: at round moments of the viewer's clock, some `count` of them. */
export function ticksOf({ from, to }: Span, count: number, offsetMs: number): readonly number[] {
  const step = steps.find((each) => (to - from) / each <= count) ?? steps.at(-1) ?? 1;
  const ticks: number[] = [];
  for (let at = Math.ceil((from + offsetMs) / step) * step - offsetMs; at <= to; at += step) ticks.push(at);
  return ticks;
}
