// Where the ways of two servers part. Pure.
//
// Two ways are one as long as they have the same timelines that begin at the same places. On the last timeline of both
// the one that leaves it first tells the fork: the first position that is not the same on both. Where neither leaves it,
// both are on that timeline, and the histories tell no fork.
// The same number with another beginning is another timeline: two servers were promoted to it.

import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';

export interface Fork {
  /** The last timeline that both were on. */
  readonly timeline: TimelineId;
  /** Undefined where both are on it still. */
  readonly lsn: Lsn | undefined;
}

/** Undefined where the two have nothing in common. */
export function findFork(one: Ancestry, other: Ancestry): Fork | undefined {
  let common: Fork | undefined;
  for (const [index, a] of one.entries()) {
    const b = other[index];
    if (b === undefined || a.timeline !== b.timeline || a.begin !== b.begin) break;
    common = { timeline: a.timeline, lsn: earlier(a.end, b.end) };
  }
  return common;
}

const earlier = (a: Lsn | undefined, b: Lsn | undefined): Lsn | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
};
