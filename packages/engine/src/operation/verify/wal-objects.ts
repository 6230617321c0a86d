// Which WAL objects a verification reads, and what each is expected to hold. Pure, but for the catalogues it is given.

import { formatLsn, historyName, parseLsn, segmentEnd, timelineId } from '../../postgres/lsn.ts';
import type { BackupSummary } from '../../format/manifest.ts';
import { type SystemWal, wayFrom } from '../backups.ts';
import type { WalObject } from '../wal/archive.ts';
import { findWay } from '../wal/coverage.ts';
import type { VerifyTask } from './verify-worker.ts';

/** Without these objects the backup cannot be started; a phrase where WAL is missing. */
export function ownWal(wal: SystemWal, backup: BackupSummary): readonly WalObject[] | string {
  const timelines = [timelineId(backup.timeline), ...wal.ways.keys()];
  const way = timelines.map((timeline) => wayFrom(wal, backup, timeline)).find((found) => found !== undefined);
  const stop = parseLsn(backup.stop_lsn) ?? 0n;
  if (way === undefined)
    return `its WAL from ${backup.start_lsn} to ${backup.stop_lsn} is not complete${reach(wal, backup)}`;
  const size = wal.archive.segmentSize;
  return way.steps
    .filter(({ start }) => start < stop)
    .flatMap(({ timeline, start }) => {
      const objects = (wal.catalog.objects.get(timeline) ?? []).filter(
        (object) => object.start >= start && object.start < segmentEnd(start, size),
      );
      const whole = objects.find(({ kind }) => kind === 'segment');
      return whole === undefined ? objects : [whole];
    });
}

function reach(wal: SystemWal, backup: BackupSummary): string {
  const ancestry = wal.ways.get(timelineId(backup.timeline));
  const from = parseLsn(backup.start_lsn);
  if (ancestry === undefined || from === undefined) return ': the history of its timeline is missing';
  return `: it ends at ${formatLsn(findWay(wal.catalog, ancestry, from, wal.archive.segmentSize).end)}`;
}

export const walTask = ({ kind, name, start, end }: WalObject): VerifyTask => ({
  type: 'object',
  kind: kind === 'segment' ? 'walSegment' : 'walPiece',
  name,
  wal: { start_lsn: formatLsn(start), bytes: Number(end - start) },
});

/** All WAL of a system, with its history files. */
export function* allWal(wal: SystemWal, prefix: string): Iterable<VerifyTask> {
  for (const objects of wal.catalog.objects.values()) yield* objects.map(walTask);
  for (const timeline of wal.catalog.histories) {
    const folder = timeline.toString(16).toUpperCase().padStart(8, '0');
    yield { type: 'object', kind: 'walHistory', name: `${prefix}${folder}/${historyName(timeline)}` };
  }
}
