// Stretches of WAL on one timeline, and what they cover together. Pure.

import type { Lsn } from '../../postgres/lsn.ts';

export interface Interval {
  readonly start: Lsn;
  readonly end: Lsn;
}

/** The intervals that `objects`, ordered by start, cover together. */
export function coverage(objects: readonly Interval[]): readonly Interval[] {
  const merged: { start: Lsn; end: Lsn }[] = [];
  for (const { start, end } of objects) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) {
      if (end > last.end) last.end = end;
    } else {
      merged.push({ start, end });
    }
  }
  return merged;
}

/** Whether `objects`, ordered by start, hold all of [start, end). */
export const covers = (objects: readonly Interval[], start: Lsn, end: Lsn): boolean =>
  coverage(objects).some((stretch) => stretch.start <= start && stretch.end >= end);

/** Of `objects` the one that holds `at` and reaches furthest; where two do, the one that begins first. */
export function furthest<T extends Interval>(objects: readonly T[], at: Lsn): T | undefined {
  let best: T | undefined;
  for (const object of objects) {
    if (object.start > at || object.end <= at) continue;
    if (best === undefined || object.end > best.end) best = object;
  }
  return best;
}
