// Which WAL stays, for which backups, and what goes. Pure.
//
// 1. From a backup that is kept for every later moment, all WAL stays on every way that leads on from it. Without a
//    point-in-time window these are all kept backups; with one, those that its moments need, and what is in use.
// 2. Of any other kept backup only the WAL from its start to its stop stays: it can be restored to its own end.
// 3. What is not certain stays: timelines of which nobody knows the way, timelines newer than the newest backup's, and the
//    last segment of each timeline. History files always stay: they are small, and every later timeline needs them.
// Invariant: what is expired lies before the starts of the backups of point 1, or on a branch that none of them leads to.

import { formatLsn, type Lsn, segmentEnd, segmentStart, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { WalObject } from '../wal/archive.ts';
import { isOn, type Lineage, type PlacedBackup, positionOf } from './window.ts';

export interface WalRange {
  readonly timeline: number;
  readonly from_lsn: string;
  /** Null where it has no end. */
  readonly to_lsn: string | null;
  readonly keep: boolean;
  readonly reason: string;
  readonly bytes: number;
}

export interface WalPlan {
  readonly expired: readonly WalObject[];
  readonly ranges: readonly WalRange[];
  /** By timeline: WAL before this was expired on purpose, but for what single backups need. */
  readonly upTo: ReadonlyMap<TimelineId, Lsn>;
}

export const NOTHING_EXPIRES: WalPlan = { expired: [], ranges: [], upTo: new Map() };

interface Need {
  readonly from: Lsn;
  readonly to: Lsn | undefined;
  readonly reason: string;
}

/**
 * `onwards`: kept backups from which every later moment is reached; `alone`: those that are kept for their own end.
 * Where both are empty nothing is needed, and all of the lineage's WAL goes: the caller knows whether that may be.
 */
export function planWal(lineage: Lineage, onwards: readonly PlacedBackup[], alone: readonly PlacedBackup[]): WalPlan {
  const { segmentSize: size, ways, catalog } = lineage;
  const needs = new Map<TimelineId, Need[]>();
  const need = (timeline: TimelineId, one: Need): void => {
    const ofTimeline = needs.get(timeline);
    if (ofTimeline === undefined) needs.set(timeline, [one]);
    else ofTimeline.push(one);
  };
  for (const backup of onwards) {
    const start = segmentStart(positionOf(backup.start_lsn), size);
    for (const way of [...ways.values()].filter((each) => isOn(each, backup))) {
      for (const { timeline, begin, end } of way) {
        const from = max(start, segmentStart(begin, size));
        if (end !== undefined && end <= from) continue;
        need(timeline, { from, to: end && segmentEnd(end, size), reason: `every moment after backup ${backup.id}` });
      }
    }
  }
  for (const backup of [...alone, ...onwards]) {
    const from = segmentStart(positionOf(backup.start_lsn), size);
    const to = segmentEnd(positionOf(backup.stop_lsn), size);
    const own = ways.get(timelineId(backup.timeline))?.map(({ timeline }) => timeline) ?? [timelineId(backup.timeline)];
    for (const timeline of own) need(timeline, { from, to, reason: `backup ${backup.id} itself` });
  }
  const known = [...onwards, ...alone].map(({ timeline }) => timeline);
  const newest = known.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...known);
  const expired: WalObject[] = [];
  const ranges: WalRange[] = [];
  const upTo = new Map<TimelineId, Lsn>();
  for (const [timeline, objects] of [...catalog.objects].toSorted(([a], [b]) => a - b)) {
    const last = objects.reduce<Lsn | undefined>((end, object) => max(end ?? object.end, object.end), undefined);
    if (last === undefined) continue;
    const spared = known.length > 0 ? segmentStart((last - 1n) as Lsn, size) : undefined;
    const certain = ways.has(timeline) && timeline <= newest;
    const own = needs.get(timeline) ?? [];
    const whyKept = (object: WalObject): string | undefined => {
      const begin = segmentStart(object.start, size);
      if (!certain) return 'no kept backup tells whether it is needed';
      const found = own.find(({ from, to }) => segmentEnd(begin, size) > from && (to === undefined || begin < to));
      return found?.reason ?? (begin === spared ? 'last segment of its timeline' : undefined);
    };
    for (const object of objects) {
      const reason = whyKept(object);
      if (reason === undefined) expired.push(object);
      extend(ranges, object, reason);
    }
    if (certain) {
      const opens = own.filter(({ reason }) => reason.startsWith('every'));
      upTo.set(
        timeline,
        opens.reduce<Lsn>((least, { from }) => (from < least ? from : least), last),
      );
    }
  }
  return { expired, ranges, upTo };
}

function extend(ranges: WalRange[], object: WalObject, kept: string | undefined): void {
  const reason = kept ?? 'no kept backup needs it';
  const before = ranges.at(-1);
  const end = before?.to_lsn == null ? undefined : positionOf(before.to_lsn);
  const follows = end !== undefined && object.start <= end && before?.timeline === object.timeline;
  if (before !== undefined && follows && before.reason === reason && before.keep === (kept !== undefined)) {
    const to = max(end, object.end);
    ranges[ranges.length - 1] = { ...before, to_lsn: formatLsn(to), bytes: before.bytes + object.storedBytes };
    return;
  }
  ranges.push({
    timeline: object.timeline,
    from_lsn: formatLsn(object.start),
    to_lsn: formatLsn(object.end),
    keep: kept !== undefined,
    reason,
    bytes: object.storedBytes,
  });
}

const max = (a: Lsn, b: Lsn): Lsn => (a > b ? a : b);
