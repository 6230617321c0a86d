// A whole segment from somebody who knows nothing of the pieces that a receiver left of it.
//
// 1. Each piece is compared with the segment: other content is SPW_WAL_CONFLICT, and everything stays as it is.
// 2. The segment is stored; only when it is durable are the pieces removed.
// A receiver may store more pieces meanwhile, or the segment itself: it finds the same content, and removes its own pieces.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { formatLsn, type Lsn, segmentName, type TimelineId } from '../../postgres/lsn.ts';
import type { WalArchive, WalObject } from './archive.ts';

export async function completeSegment(
  archive: WalArchive,
  timeline: TimelineId,
  start: Lsn,
  bytes: Buffer,
  sentAt: Date,
  signal?: AbortSignal,
): Promise<{ readonly object: WalObject; readonly created: boolean }> {
  const pieces = (await archive.find(timeline, start, signal)).filter(({ kind }) => kind === 'piece');
  for (const piece of pieces) {
    if (await agrees(archive, piece, start, bytes, signal)) continue;
    throw new SpillwayError(
      'SPW_WAL_CONFLICT',
      `WAL ${segmentName(timeline, start, archive.segmentSize)} was refused`,
      {
        why: `the repository holds other WAL from ${formatLsn(piece.start)} to ${formatLsn(piece.end)}`,
      },
    );
  }
  const written = await archive.write(timeline, start, bytes, sentAt, signal);
  await archive.remove(pieces, signal);
  return written;
}

async function agrees(
  archive: WalArchive,
  piece: WalObject,
  start: Lsn,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const expected = bytes.subarray(Number(piece.start - start), Number(piece.end - start));
  try {
    return (await archive.read(piece, signal)).bytes.equals(expected);
  } catch (error) {
    // A receiver that finished the segment meanwhile removed it.
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return true;
    throw error;
  }
}
