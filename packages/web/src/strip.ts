// Thirty days in a strip: how each day's jobs went, in the viewer's days. Pure.
//
//   failed > missed > warned > ok > none: a day is as bad as the worst of its jobs.

import type { JobHistoryDocument, JobState } from '@spillway/contract';
import { dayOf, plural, shortDay, type Zone } from './wording.ts';

export type DayState = 'ok' | 'warned' | 'failed' | 'missed' | 'none';

export interface Day {
  readonly day: string;
  readonly state: DayState;
  readonly jobs: number;
  readonly failed: number;
}

const DAY_MS = 86_400_000;
const FAILED = new Set<JobState>(['failed', 'timed-out', 'aborted']);
const WARNED = new Set<JobState>(['warned', 'waiting']);
const order: readonly DayState[] = ['none', 'ok', 'warned', 'missed', 'failed'];

/** Oldest first; the last is today. */
export function daysOf(jobs: JobHistoryDocument['jobs'], now: number, zone: Zone, count = 30): readonly Day[] {
  const days = new Map<string, { state: DayState; jobs: number; failed: number }>();
  // From noon to noon, so that a day of 23 or 25 hours is one day.
  const noon = Date.parse(`${dayOf(now, zone)}T12:00:00Z`);
  for (let back = count - 1; back >= 0; back--) {
    days.set(new Date(noon - back * DAY_MS).toISOString().slice(0, 10), { state: 'none', jobs: 0, failed: 0 });
  }
  for (const { at, state, missed } of jobs) {
    const day = days.get(dayOf(Date.parse(at), zone));
    if (day === undefined) continue;
    day.jobs++;
    if (FAILED.has(state)) day.failed++;
    const found = stateOf(state, missed);
    if (order.indexOf(found) > order.indexOf(day.state)) day.state = found;
  }
  return [...days].map(([day, of]) => ({ day, ...of }));
}

function stateOf(state: JobState, missed: number): DayState {
  if (FAILED.has(state)) return 'failed';
  if (missed > 0) return 'missed';
  if (WARNED.has(state)) return 'warned';
  return state === 'succeeded' ? 'ok' : 'none';
}

/** For whoever does not see the strip. */
export function stripInWords(days: readonly Day[]): string {
  const of = (state: DayState): readonly Day[] => days.filter((day) => day.state === state);
  const told = (['failed', 'missed', 'warned'] as const).flatMap((state) => {
    const found = of(state);
    return found.length === 0 ? [] : [`${found.length} ${state} (${found.map(({ day }) => shortDay(day)).join(', ')})`];
  });
  const quiet = of('none').length;
  return [
    `${plural(days.length, 'day')}: ${of('ok').length} good`,
    ...told,
    ...(quiet === 0 ? [] : [`${quiet} without a job`]),
  ].join(', ');
}

const GOOD = new Set<JobState>(['succeeded', 'warned']);

/** Of backups that ended well or badly; what was cancelled or superseded is neither. */
export function successOf(jobs: JobHistoryDocument['jobs']): { readonly good: number; readonly all: number } {
  const ended = jobs.filter(({ command, state }) => command === 'backup' && (GOOD.has(state) || FAILED.has(state)));
  return { good: ended.filter(({ state }) => GOOD.has(state)).length, all: ended.length };
}
