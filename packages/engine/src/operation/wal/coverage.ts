// What the WAL in the repository covers, and where it is broken. Pure.
//
// A timeline's coverage is the union of its objects as intervals [start, end). A way is how a restore gets from one
// position to another over timelines: at each segment PostgreSQL reads the newest timeline of the way that has it.
// What a timeline has past the place where the way leaves it is of another way, and counts neither as WAL nor as a gap.

import { type Lsn, type SegmentSize, segmentEnd, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import type { WalCatalog, WalObject } from './archive.ts';
import { coverage } from './interval.ts';

/** One segment on a way: whose file PostgreSQL will ask for, and up to where it holds WAL without a break. */
export interface WayStep {
  readonly timeline: TimelineId;
  readonly start: Lsn;
  readonly end: Lsn;
  readonly storedBytes: number;
}

export interface Way {
  readonly steps: readonly WayStep[];
  /** The end of WAL that is reached without a gap. */
  readonly end: Lsn;
  /** The next position on the way that there is WAL for, where the way ends at a gap. */
  readonly resumesAt: Lsn | undefined;
  /**
   * The last segment was left in the midst for a timeline of which nothing is stored, and goes on with WAL of the other
   * way: PostgreSQL, which reads segments whole, would replay that too.
   */
  readonly overruns: boolean;
}

/** The longest way from `from` along `ancestry`, whose last member is the timeline to end on. */
export function findWay(catalog: WalCatalog, ancestry: Ancestry, from: Lsn, size: SegmentSize): Way {
  const segments = segmentsByStart(catalog, ancestry, size);
  const steps: WayStep[] = [];
  let at = segmentStart(from, size);
  let reached = from;
  let overruns = false;
  for (;;) {
    const best = bestStep(segments.get(at), ancestry, at);
    if (best === undefined || best.step.end <= reached) break;
    const { step } = best;
    steps.push(step);
    reached = step.end;
    ({ overruns } = best);
    if (step.end < segmentEnd(at, size)) break;
    at = segmentEnd(at, size);
  }
  let resumesAt: Lsn | undefined;
  for (const start of segments.keys()) {
    if (start >= at && start > segmentStart(reached, size) && (resumesAt === undefined || start < resumesAt)) {
      resumesAt = start;
    }
  }
  return { steps, end: reached, resumesAt, overruns };
}

type Segments = ReadonlyMap<Lsn, ReadonlyMap<TimelineId, readonly WalObject[]>>;

function segmentsByStart(catalog: WalCatalog, ancestry: Ancestry, size: SegmentSize): Segments {
  const segments = new Map<Lsn, Map<TimelineId, WalObject[]>>();
  for (const { timeline, begin, end } of ancestry) {
    for (const object of catalog.objects.get(timeline) ?? []) {
      const start = segmentStart(object.start, size);
      if (start < segmentStart(begin, size) || (end !== undefined && start >= end)) continue;
      let timelines = segments.get(start);
      if (timelines === undefined) segments.set(start, (timelines = new Map()));
      const objects = timelines.get(timeline);
      if (objects === undefined) timelines.set(timeline, [object]);
      else objects.push(object);
    }
  }
  return segments;
}

/** The newest timeline that has the segment from its start on, as far as the way follows it. */
function bestStep(
  timelines: ReadonlyMap<TimelineId, readonly WalObject[]> | undefined,
  ancestry: Ancestry,
  start: Lsn,
): { readonly step: WayStep; readonly overruns: boolean } | undefined {
  for (const { timeline, end: left } of ancestry.toReversed()) {
    const objects = timelines?.get(timeline) ?? [];
    const [covered] = coverage(objects);
    if (covered === undefined || covered.start !== start) continue;
    const overruns = left !== undefined && covered.end > left;
    const storedBytes = objects.reduce((sum, object) => sum + object.storedBytes, 0);
    return { step: { timeline, start, end: overruns ? left : covered.end, storedBytes }, overruns };
  }
  return undefined;
}
