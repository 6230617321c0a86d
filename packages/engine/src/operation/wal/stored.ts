// Reading WAL back as a restore does: what is stored of a segment from a position on, whatever objects it lies in.
//
// 1. At each position the object that reaches furthest is read: a segment or a part before what an interrupted run left
//    of it in pieces. It is read a few megabytes at a time: no segment is in memory as a whole.
// 2. The first byte that no object holds ends it. A `find` sees everything that was durable when it began, so that byte was
//    not durable then.
// 3. A piece may be replaced between list and read, or while it is read: then the segment is listed again, and read on from
//    where it came to.

import { isSpillwayError } from '@spillway/contract';
import { discard } from '../../codec/discard.ts';
import { type Lsn, lsn, segmentEnd, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import type { WalChunk } from '../../postgres/walrecord.ts';
import type { WalArchive, WalObject } from './archive.ts';
import { furthest } from './interval.ts';

const PAGE = 8192;

/** From `from` on, not beyond the end of its segment or `to`. Whoever takes a chunk owns its bytes. */
export async function* storedWal(
  archive: WalArchive,
  timeline: TimelineId,
  from: Lsn,
  options: { readonly to?: Lsn; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WalChunk, void, undefined> {
  const { to = segmentEnd(from, archive.segmentSize), signal } = options;
  const segment = segmentStart(from, archive.segmentSize);
  let at = from;
  let objects = await archive.find(timeline, segment, signal);
  while (at < to) {
    const object = furthest(objects, at);
    if (object === undefined) return;
    try {
      for await (const bytes of archive.readBytes(object, at, signal)) {
        const chunk = { start: at, bytes: bytes.subarray(0, Number(to - at)) };
        at = lsn(at + BigInt(chunk.bytes.byteLength));
        yield chunk;
        if (at >= to) return;
      }
    } catch (error) {
      objects = await findAnew(archive, timeline, segment, objects, error, signal);
    }
  }
}

/**
 * The same as `recordsOf` wants it: cut at pages, and with zeros behind its end where it ends before its segment does. A
 * chunk and the records in it are there until the next one is asked for.
 */
export async function* inPages(chunks: AsyncIterable<WalChunk>, end: Lsn): AsyncGenerator<WalChunk, void, undefined> {
  let rest = new Uint8Array();
  let at: Lsn | undefined;
  for await (const { start, bytes } of chunks) {
    at ??= start;
    // Only the page in which two objects meet is copied together.
    const taken = rest.byteLength === 0 ? 0 : Math.min(PAGE - rest.byteLength, bytes.byteLength);
    rest = Buffer.concat([rest, bytes.subarray(0, taken)]);
    if (rest.byteLength === PAGE) {
      yield { start: at, bytes: rest };
      at = lsn(at + BigInt(PAGE));
      rest = new Uint8Array();
    }
    const whole = taken + Math.floor((bytes.byteLength - taken) / PAGE) * PAGE;
    if (whole > taken) {
      yield { start: at, bytes: bytes.subarray(taken, whole) };
      at = lsn(at + BigInt(whole - taken));
    }
    if (whole < bytes.byteLength) rest = Buffer.from(bytes.subarray(whole));
    discard(bytes);
  }
  if (at === undefined || at >= end) return;
  const last = Buffer.alloc(PAGE);
  last.set(rest);
  yield { start: at, bytes: last };
}

/** When the server sent the last of what is stored of a segment without a gap; undefined where its beginning is not there. */
export async function lastSentAt(
  archive: WalArchive,
  timeline: TimelineId,
  segment: Lsn,
  signal?: AbortSignal,
): Promise<string | undefined> {
  for (let objects = await archive.find(timeline, segment, signal); ; ) {
    const last = unbroken(objects, segment).at(-1);
    if (last === undefined) return undefined;
    try {
      return (await archive.readStamp(last, signal)).sent_at;
    } catch (error) {
      objects = await findAnew(archive, timeline, segment, objects, error, signal);
    }
  }
}

/** The objects that `storedWal` reads. */
export function unbroken(objects: readonly WalObject[], from: Lsn): readonly WalObject[] {
  const found: WalObject[] = [];
  for (let next = furthest(objects, from); next !== undefined; next = furthest(objects, next.end)) found.push(next);
  return found;
}

/** Throws the error again where it is no missing object, or nothing has taken the place of it. */
async function findAnew(
  archive: WalArchive,
  timeline: TimelineId,
  segment: Lsn,
  before: readonly WalObject[],
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<readonly WalObject[]> {
  if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
  const now = await archive.find(timeline, segment, signal);
  if (now.every(({ name }) => before.some((object) => object.name === name))) throw error;
  return now;
}
