// What a receiver left in pieces of its last segments, when it was killed between the last piece of one and the part that takes their
// place, or between that and removing them.
//
// The next receiver begins behind those segments, so nothing of them comes in again. Where what is stored of one holds all of it
// in pieces, it is stored as a segment that never came in pieces is (`complete.ts`). Pieces are compared with the object that
// holds all of them, and go. What differs stays, for somebody to look at: readers do not use it.

import { isSpillwayError } from '@spillway/contract';
import { type Lsn, lsn, segmentEnd, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import { mustAgree } from './agree.ts';
import type { WalArchive } from './archive.ts';
import { completeSegment } from './complete.ts';
import { covers } from './interval.ts';
import { lastSentAt, storedWal } from './stored.ts';

/** `position` is where the next receiver begins; so many segments before it are looked at. */
export async function finishLeftovers(
  archive: WalArchive,
  timeline: TimelineId,
  position: Lsn,
  segments: number,
  signal?: AbortSignal,
): Promise<void> {
  let end = position;
  for (let looked = 0; looked < segments && end > 0n; looked++) {
    const start = segmentStart(lsn(end - 1n), archive.segmentSize);
    await finish(archive, timeline, start, signal);
    await removeLeftovers(archive, timeline, start, signal);
    end = start;
  }
}

async function finish(
  archive: WalArchive,
  timeline: TimelineId,
  start: Lsn,
  signal: AbortSignal | undefined,
): Promise<void> {
  const objects = await archive.find(timeline, start, signal);
  const size = BigInt(archive.partBytes);
  const isWhole = objects.every((object) => object.end - object.start >= size);
  if (isWhole || !covers(objects, start, segmentEnd(start, archive.segmentSize))) return;
  const covered = objects.filter((object) => object.end - object.start >= size);
  if (covers(covered, start, segmentEnd(start, archive.segmentSize))) return;
  const sentAt = new Date((await lastSentAt(archive, timeline, start, signal)) ?? 0);
  try {
    await completeSegment(archive, timeline, start, held(archive, timeline, signal), sentAt, signal);
  } catch (error) {
    if (!isLeftAsItIs(error)) throw error;
  }
}

const held =
  (archive: WalArchive, timeline: TimelineId, signal: AbortSignal | undefined) =>
  async (from: Lsn, to: Lsn): Promise<Uint8Array> => {
    const chunks = await Array.fromAsync(storedWal(archive, timeline, from, { to, signal }));
    return Buffer.concat(chunks.map(({ bytes }) => bytes));
  };

const isLeftAsItIs = (error: unknown): boolean =>
  isSpillwayError(error, 'SPW_WAL_CONFLICT', 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING');

export async function removeLeftovers(
  archive: WalArchive,
  timeline: TimelineId,
  segment: Lsn,
  signal?: AbortSignal,
): Promise<void> {
  const objects = await archive.find(timeline, segment, signal);
  for (const piece of objects) {
    const holder = objects.find((each) => each !== piece && each.start <= piece.start && each.end >= piece.end);
    if (piece.kind === 'segment' || holder === undefined) continue;
    try {
      await mustAgree(archive, piece, held(archive, timeline, signal), piece, signal);
      await archive.remove([piece], signal);
    } catch (error) {
      if (!isLeftAsItIs(error)) throw error;
    }
  }
}
