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
