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
  const { starts, links } = chainOf(catalog, ancestry, size);
  const first = firstAtOrBehind(starts, segmentStart(from, size));
  const link = links[first];
  const leadsOn = link?.best !== undefined && starts[first] === segmentStart(from, size) && link.best.step.end > from;
  const next = leadsOn ? link.last + 1 : first;
  const last = leadsOn ? links[link.last]?.best : undefined;
  const reached = last?.step.end ?? from;
  return {
    // Thousands of them, and few who ask how far a way leads want to know by which.
    get steps() {
      return links.slice(first, next).flatMap(({ best }) => best?.step ?? []);
    },
    end: reached,
    // What begins in the segment that the way ends in is no place to go on from.
    resumesAt: starts[starts[next] === segmentStart(reached, size) ? next + 1 : next],
    overruns: last?.overruns ?? false,
  };
}

interface BestStep {
  readonly step: WayStep;
  readonly overruns: boolean;
}

/** Of each segment that anything is stored of, in order: how the way goes through it, and the last one it leads to from there. */
interface Chain {
  readonly starts: readonly Lsn[];
  readonly links: readonly { readonly best: BestStep | undefined; readonly last: number }[];
}

/** Made once for a catalog and a way: a thousand backups ask from where each of them leads. */
const chains = new WeakMap<WalCatalog, WeakMap<Ancestry, Chain>>();

function chainOf(catalog: WalCatalog, ancestry: Ancestry, size: SegmentSize): Chain {
  let ofCatalog = chains.get(catalog);
  if (ofCatalog === undefined) chains.set(catalog, (ofCatalog = new WeakMap()));
  let chain = ofCatalog.get(ancestry);
  if (chain === undefined) ofCatalog.set(ancestry, (chain = makeChain(catalog, ancestry, size)));
  return chain;
}

function makeChain(catalog: WalCatalog, ancestry: Ancestry, size: SegmentSize): Chain {
  const segments = segmentsByStart(catalog, ancestry, size);
  const starts = [...segments.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  const links: Chain['links'][number][] = Array.from({ length: starts.length });
  for (let at = starts.length - 1; at >= 0; at--) {
    const start = starts[at];
    if (start === undefined) continue;
    const best = bestStep(segments.get(start), ancestry, start);
    const whole = best !== undefined && best.step.end >= segmentEnd(start, size);
    const next = links[at + 1];
    const leads = whole && next?.best !== undefined && starts[at + 1] === segmentEnd(start, size);
    links[at] = { best, last: leads ? next.last : at };
  }
  return { starts, links };
}

/** The number of the first that is not before `wanted`. */
function firstAtOrBehind(starts: readonly Lsn[], wanted: Lsn): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? wanted) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
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
): BestStep | undefined {
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
