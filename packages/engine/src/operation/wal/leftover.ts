// Pieces that a receiver left of its last segment when it was killed between storing a part and removing its pieces.
//
// The next receiver begins behind that segment, so nothing comes in again that they could be compared with: they are
// compared with the object that holds all of them. What differs stays, for somebody to look at: readers do not use it.

import { isSpillwayError } from '@spillway/contract';
import type { Lsn, TimelineId } from '../../postgres/lsn.ts';
import { mustAgree } from './agree.ts';
import type { WalArchive } from './archive.ts';
import { storedWal } from './stored.ts';

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
    const again = async (from: Lsn, to: Lsn): Promise<Uint8Array> => {
      const held = await Array.fromAsync(storedWal(archive, timeline, from, { to, signal }));
      return Buffer.concat(held.map(({ bytes }) => bytes));
    };
    try {
      await mustAgree(archive, piece, again, piece, signal);
      await archive.remove([piece], signal);
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_WAL_CONFLICT', 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) throw error;
    }
  }
}
