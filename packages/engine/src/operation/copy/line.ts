// Where WAL at a place was left out on purpose, so that nobody takes its absence for a gap. Pure.
//
// A hole in what the target has of a timeline is on purpose where the source has WAL there that was not wanted, or where
// the source let it go itself. The line stands at the end of the last such hole: below it not every moment is reached.

import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import type { ExpiredUpTo } from '../expire/record.ts';
import type { WalObject } from '../wal/archive.ts';
import { coverage } from '../wal/interval.ts';

export function linesOf(
  target: ReadonlyMap<TimelineId, readonly WalObject[]>,
  leftOut: readonly WalObject[],
  expiredAtSource: ExpiredUpTo,
): ExpiredUpTo {
  const lines = new Map<TimelineId, Lsn>();
  for (const [timeline, objects] of target) {
    const stretches = coverage(objects);
    const line = expiredAtSource.get(timeline);
    for (const [at, { end: from }] of stretches.entries()) {
      const to = stretches[at + 1]?.start;
      if (to === undefined) continue;
      const wasLeft = leftOut.some((each) => each.timeline === timeline && each.start < to && each.end > from);
      if (wasLeft || (line !== undefined && from < line)) lines.set(timeline, to);
    }
  }
  return lines;
}
