// Where a receiver begins to stream. Pure.
//
// 1. The newest timeline of the server's ancestry that the repository has WAL of: at the start of the segment in which
//    that WAL ends, so that the segment in progress is complete in memory again. Where there are holes in it, which
//    archive_command leaves when one segment fails: at the first hole whose WAL the slot holds back still.
// 2. If that WAL reaches to the switch to the next timeline, or past it (then the server never had the rest): the next
//    timeline, from the start of the segment of the switch.
// 3. The repository has nothing of it: where the slot holds WAL back from, else where the server is.

import type { Ancestry } from '../../postgres/timeline.ts';
import { type Lsn, type SegmentSize, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import type { WalCatalog } from './archive.ts';
import { coverage } from './interval.ts';

export interface StartPosition {
  readonly timeline: TimelineId;
  /** The start of a segment. */
  readonly position: Lsn;
  /** Where the timeline itself begins, which may lie within the segment. */
  readonly begin: Lsn;
  /** Chosen because the server had not the WAL that was to come next. */
  readonly afterGap: boolean;
}

export interface ServerPosition {
  /** Of the server's timeline, oldest first. */
  readonly ancestry: Ancestry;
  readonly position: Lsn;
  readonly restartLsn: Lsn | undefined;
}

export function chooseStart(catalog: WalCatalog, server: ServerPosition, size: SegmentSize): StartPosition {
  const { ancestry } = server;
  for (let i = ancestry.length - 1; i >= 0; i--) {
    const member = ancestry[i];
    if (member === undefined) continue;
    const ends = coverage(catalog.objects.get(member.timeline) ?? []).map((interval) => interval.end);
    const end = ends.find((each) => server.restartLsn !== undefined && each >= server.restartLsn) ?? ends.at(-1);
    if (end === undefined) continue;
    const next = ancestry[i + 1];
    if (member.end !== undefined && next !== undefined && end >= member.end) {
      return { timeline: next.timeline, position: segmentStart(member.end, size), begin: next.begin, afterGap: false };
    }
    return { timeline: member.timeline, position: segmentStart(end, size), begin: member.begin, afterGap: false };
  }
  const from = server.restartLsn ?? server.position;
  const member = ancestry.find(({ end }) => end === undefined || from < end) ?? ancestry.at(-1);
  if (member === undefined) throw new RangeError('an ancestry has at least the timeline itself');
  return { timeline: member.timeline, position: segmentStart(from, size), begin: member.begin, afterGap: false };
}
