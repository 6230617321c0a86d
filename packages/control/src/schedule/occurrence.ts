// The moments of a schedule: a cron pattern in a time zone, asked by instants.
//
// 1. Patterns are of five fields, as the configuration gives them; croner knows the calendar and the time zones.
// 2. Where a day lacks the hour (clocks go forward), a run at a fixed time comes at the first moment after the gap; where a
//    day has it twice, it comes once. Patterns with `*` or a step run through both hours: as many as have passed.
// 3. Only `after` is asked of croner; the newest moment before an instant is found by looking forward from ever further
//    back, so that forward and backward can never disagree.
// Invariant: `after(t) > t`, and what `newest(t)` gives is a moment that `after` gives.

import { Cron } from 'croner';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How far back `newest` looks, step by step; a moment of a pattern comes at least every eight years (29 February). */
const LOOKS_BACK_MS = [90 * MINUTE_MS, 2 * DAY_MS, 70 * DAY_MS, 800 * DAY_MS, 3000 * DAY_MS];
/** Moments told apart in one look; what is more is one number. */
export const COUNTED_MAX = 1000;

export interface Occurrences {
  /** The first moment after `time`, in milliseconds; undefined where none ever comes (30 February). */
  readonly after: (time: number) => number | undefined;
  /** The newest moment at or before `time`, and not before `from`; undefined where there is none. */
  readonly newest: (time: number, from: number) => number | undefined;
  /** How many moments lie in (from, to]; at most COUNTED_MAX. */
  readonly count: (from: number, to: number) => number;
}

/** Throws where croner takes the pattern or the zone for wrong; the configuration has checked both. */
export function occurrencesOf(pattern: string, timeZone: string): Occurrences {
  const cron = new Cron(pattern, { timezone: timeZone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
  const after = (time: number): number | undefined => cron.nextRun(new Date(time))?.getTime();

  const newest = (time: number, from: number): number | undefined => {
    for (const back of LOOKS_BACK_MS) {
      let found: number | undefined;
      const start = Math.max(from - 1, time - back);
      for (let at = after(start); at !== undefined && at <= time; at = after(at)) found = at;
      if (found !== undefined || start < from) return found;
    }
    return undefined;
  };

  const count = (from: number, to: number): number => {
    let counted = 0;
    for (let at = after(from); at !== undefined && at <= to && counted < COUNTED_MAX; at = after(at)) counted++;
    return counted;
  };

  return { after, newest, count };
}
