// Comparing WAL that comes again with what the repository holds of it, a few megabytes at a time.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { discard } from '../../codec/discard.ts';
import { formatLsn, type Lsn, lsn, segmentName } from '../../postgres/lsn.ts';
import type { WalArchive, WalObject } from './archive.ts';
import type { Interval } from './interval.ts';
import { storedWal } from './stored.ts';

/** The bytes [from, to) as they came again. */
export type Again = (from: Lsn, to: Lsn) => Uint8Array | Promise<Uint8Array>;

/**
 * Throws SPW_WAL_CONFLICT where the object holds other bytes of `range`. Where it was replaced meanwhile, what took its
 * place is compared; where nothing has, SPW_OBJECT_MISSING is thrown.
 */
export async function mustAgree(
  archive: WalArchive,
  object: WalObject,
  again: Again,
  range: Interval = object,
  signal?: AbortSignal,
): Promise<void> {
  const from = object.start > range.start ? object.start : range.start;
  const to = object.end < range.end ? object.end : range.end;
  try {
    await compare(archive.readBytes(object, from, signal), { start: from, end: to }, object, archive, again);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
    const reached = await compare(
      bytesOf(storedWal(archive, object.timeline, from, { to, signal })),
      { start: from, end: to },
      object,
      archive,
      again,
    );
    if (reached < to) throw error;
  }
}

/** Gives how far there was anything to compare. */
async function compare(
  held: AsyncIterable<Uint8Array>,
  { start, end }: Interval,
  { timeline }: WalObject,
  archive: WalArchive,
  again: Again,
): Promise<Lsn> {
  let at = start;
  for await (const bytes of held) {
    const to = lsn(at + BigInt(Math.min(bytes.byteLength, Number(end - at))));
    const same = Buffer.compare(bytes.subarray(0, Number(to - at)), await again(at, to)) === 0;
    discard(bytes);
    if (!same) {
      throw new SpillwayError('SPW_WAL_CONFLICT', `WAL ${segmentName(timeline, at, archive.segmentSize)} was refused`, {
        why: `the repository holds other WAL of timeline ${timeline} between ${formatLsn(at)} and ${formatLsn(to)}`,
      });
    }
    at = to;
    if (at >= end) break;
  }
  return at;
}

async function* bytesOf(chunks: ReturnType<typeof storedWal>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { bytes } of chunks) yield bytes;
}
