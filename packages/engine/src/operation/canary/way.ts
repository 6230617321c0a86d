// The way through the timelines that a restore took: which canaries lie on it, and which were on a branch that was left.

import { formatLsn, timelineId } from '../../postgres/lsn.ts';
import type { PlannedRestore } from '../restore/planned.ts';

export interface WayStretch {
  readonly timeline: number;
  /** Where it was left for the next; null for the last. */
  readonly left_at: string | null;
}

export const wayOf = ({ wal, plan }: PlannedRestore): readonly WayStretch[] =>
  (wal.ways.get(timelineId(plan.timeline)) ?? []).map(({ timeline, end }) => ({
    timeline,
    left_at: end === undefined ? null : formatLsn(end),
  }));
