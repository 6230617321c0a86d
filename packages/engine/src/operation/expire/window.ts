// The point-in-time window: the backups without which some moment of it could not be reached. Pure.
//
// On each way through the timelines that has WAL within the window, a restore to any moment of the window begins with the
// newest backup that had ended when the window begins. Where WAL is missing behind it, the way goes on with the first
// backup after the gap, and so on. A way whose last WAL is older than the window has no moment of it.

import type { BackupSummary } from '../../format/manifest.ts';
import { lsn, type Lsn, parseLsn, type SegmentSize, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import { type Ancestry, contains } from '../../postgres/timeline.ts';
import type { WalCatalog } from '../wal/archive.ts';
import { findWay } from '../wal/coverage.ts';

/** The WAL of one system identifier. */
export interface Lineage {
  readonly systemIdentifier: string;
  readonly segmentSize: SegmentSize;
  readonly catalog: WalCatalog;
  readonly ways: ReadonlyMap<TimelineId, Ancestry>;
  /** By timeline: the server's clock when it sent the last WAL there is. */
  readonly lastAt: ReadonlyMap<TimelineId, Date>;
}

export type PlacedBackup = Pick<
  BackupSummary,
  'id' | 'finished_at' | 'system_identifier' | 'timeline' | 'start_lsn' | 'stop_lsn'
>;

/** `backups`: the usable ones of the lineage, oldest first. */
export function windowBases(lineage: Lineage, backups: readonly PlacedBackup[], begin: Date): ReadonlySet<string> {
  const bases = new Set<string>();
  for (const [timeline, way] of lineage.ways) {
    const lastAt = lineage.lastAt.get(timeline);
    if (lastAt === undefined || lastAt < begin) continue;
    const members = backups.filter((each) => isOn(way, each));
    let base = members.findLast(({ finished_at: at }) => Date.parse(at) <= begin.getTime()) ?? members[0];
    while (base !== undefined) {
      bases.add(base.id);
      const { end, resumesAt } = findWay(lineage.catalog, way, positionOf(base.start_lsn), lineage.segmentSize);
      if (resumesAt === undefined) break;
      base = members.find(({ start_lsn: start }) => positionOf(start) > end);
    }
  }
  return bases;
}

/** Whether a recovery from the backup can go on along the way. */
export const isOn = (way: Ancestry, { timeline, stop_lsn: stop }: PlacedBackup): boolean =>
  contains(way, timelineId(timeline), positionOf(stop));

/** A position that a manifest tells; they are authenticated, so that one that is none would be a mistake of ours. */
export function positionOf(text: string): Lsn {
  const position = parseLsn(text);
  if (position === undefined) throw new RangeError(`${text} is no LSN`);
  return lsn(position);
}
