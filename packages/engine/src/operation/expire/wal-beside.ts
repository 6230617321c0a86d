// What stands beside WAL and goes with it: `.backup`, `.partial` and `.gap` files. History files always stay. Pure.
//
// 1. A file goes when all it is about lies below the line up to which WAL was expired, and no WAL that stays touches it.
// 2. A `.gap` record says why WAL is missing: it stays as long as the segment before the gap or the one behind it does.
// 3. Of timelines without a line nothing goes. A line that was written down before counts too: a run may have been broken
//    off between the WAL and what stands beside it.

import { type Lsn, lsn, parseSegmentName, segmentEnd, type SegmentSize, segmentStart } from '../../postgres/lsn.ts';
import type { BesideFile, StoredObject, WalObject } from '../wal/archive.ts';
import type { ExpiredUpTo } from './record.ts';

export type StoredBeside = BesideFile & { readonly object: StoredObject };

/** `kept`: the WAL that stays; `lines`: by the plan, and by what was written down before. */
export function besideExpired(
  files: readonly StoredBeside[],
  kept: readonly WalObject[],
  lines: readonly ExpiredUpTo[],
  size: SegmentSize,
): readonly StoredObject[] {
  const goes = (file: StoredBeside): boolean => {
    const about = rangeOf(file, size);
    const line = lines.map((upTo) => upTo.get(file.timeline)).reduce(higher, undefined);
    if (about === undefined || line === undefined || about.to > line) return false;
    const [from, to] = [segmentStart(about.from, size), segmentEnd(lsn(about.to - 1n), size)];
    const margin = file.kind === 'walGap' ? BigInt(size) : 0n;
    return !kept.some(
      ({ timeline, start, end }) => timeline === file.timeline && start < to + margin && end > from - margin,
    );
  };
  return files.filter(goes).map(({ object }) => object);
}

/** Undefined where the name tells nothing: then the file stays. */
function rangeOf(
  { kind, name }: StoredBeside,
  size: SegmentSize,
): { readonly from: Lsn; readonly to: Lsn } | undefined {
  if (kind === 'walGap') {
    const [, from, to] = /^([0-9A-F]{16})-([0-9A-F]{16})\.gap$/.exec(name) ?? [];
    if (from === undefined || to === undefined) return undefined;
    const [begin, end] = [lsn(BigInt(`0x${from}`)), lsn(BigInt(`0x${to}`))];
    return end > begin ? { from: begin, to: end } : undefined;
  }
  const segment = parseSegmentName(name.slice(0, 24), size);
  return segment && { from: segment.start, to: segmentEnd(segment.start, size) };
}

const higher = (a: Lsn | undefined, b: Lsn | undefined): Lsn | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a;
