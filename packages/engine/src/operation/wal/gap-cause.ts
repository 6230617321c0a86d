// Why there is a gap. Pure.
//
// 1. What was written down when it came about counts first: the record that shares WAL with the gap.
// 2. Else what the WAL itself tells: that the way leaves the timeline in the gap (the server was promoted before its last
//    WAL had come in); that whole segments between stored ones are not there.
// 3. Else it is unknown, and said so.

import { formatLsn, type Lsn, parseLsn, type SegmentSize, segmentEnd, segmentStart } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import type { WalGap } from '../backups.ts';
import { type GapCause, type GapRecord, overlaps } from './gap-record.ts';

export interface ExplainedGap extends WalGap {
  readonly cause: GapCause | 'object-missing' | 'unknown';
  readonly details: string;
  /** When it was seen to come about; null where nobody was there. */
  readonly at: string | null;
}

export function explainGap(gap: WalGap, way: Ancestry, size: SegmentSize, records: readonly GapRecord[]): ExplainedGap {
  const from = parseLsn(gap.from_lsn);
  const to = parseLsn(gap.to_lsn);
  if (from === undefined || to === undefined) throw new RangeError(`a gap from ${gap.from_lsn} to ${gap.to_lsn}`);
  const timelines = new Set<number>(way.map(({ timeline }) => timeline));
  const record = records.find((each) => timelines.has(each.timeline) && overlaps(each, from, to));
  if (record !== undefined) return { ...gap, cause: record.cause, details: record.details, at: record.at };
  return { ...gap, ...infer(from, to, way, size), at: null };
}

function infer(
  from: Lsn,
  to: Lsn,
  way: Ancestry,
  size: SegmentSize,
): { readonly cause: ExplainedGap['cause']; readonly details: string } {
  const left = way.find(({ begin, end }) => end !== undefined && from >= begin && from < end);
  if (left?.end !== undefined && to >= segmentStart(left.end, size)) {
    return {
      cause: 'promoted-before-received',
      details: `the server left timeline ${left.timeline} at ${formatLsn(left.end)}, and its last WAL had not been received by then`,
    };
  }
  if (from % BigInt(size) === 0n && to % BigInt(size) === 0n) {
    const count = (to - from) / BigInt(size);
    return {
      cause: 'object-missing',
      details: `${count} whole ${count === 1n ? 'segment is' : 'segments are'} not in the repository: never stored, or removed from it`,
    };
  }
  if (to === segmentEnd(from, size)) {
    return {
      cause: 'object-missing',
      details: `the segment was stored up to ${formatLsn(from)} only: what followed was never stored, or removed`,
    };
  }
  return { cause: 'unknown', details: 'nothing tells why; the server or its receiver was stopped, perhaps' };
}
