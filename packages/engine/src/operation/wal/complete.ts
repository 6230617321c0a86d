// A whole segment from somebody who knows nothing of what a receiver stored of it.
//
// 1. Everything that there is of it is compared with it: other content is SPW_WAL_CONFLICT, and all stays as it is.
// 2. Each part that no object holds as a whole is stored. The first comes last: nobody reads a segment of which the
//    beginning is not there, so for readers it appears at once.
// 3. When all of it is durable, what else there was of it is removed.
// A receiver may store the same meanwhile: it finds the same content, and removes its own pieces.

import { isSpillwayError } from '@spillway/contract';
import { type Lsn, lsn, segmentEnd, type TimelineId } from '../../postgres/lsn.ts';
import { type Again, mustAgree } from './agree.ts';
import type { WalArchive, WalObject } from './archive.ts';
import type { Interval } from './interval.ts';

export async function completeSegment(
  archive: WalArchive,
  timeline: TimelineId,
  start: Lsn,
  content: Again,
  sentAt: Date,
  signal?: AbortSignal,
): Promise<{ readonly objects: readonly WalObject[]; readonly created: boolean }> {
  const there: WalObject[] = [];
  for (const object of await archive.find(timeline, start, signal)) {
    if (await isThere(archive, object, content, signal)) there.push(object);
  }
  const holders = new Set<WalObject>();
  let created = false;
  const [first, ...others] = partsOf(archive, start);
  for (const part of [...others, ...(first === undefined ? [] : [first])]) {
    const holder = there.find((object) => object.start <= part.start && object.end >= part.end);
    if (holder !== undefined) {
      holders.add(holder);
      continue;
    }
    const bytes = await content(part.start, part.end);
    const written = await archive.write(timeline, part.start, bytes, sentAt, signal);
    created ||= written.created;
    holders.add(written.object);
  }
  await archive.remove(
    there.filter((object) => !holders.has(object)),
    signal,
  );
  return { objects: [...holders], created };
}

/** False where it is gone, as when a receiver finished the part meanwhile: then what is written next is compared. */
async function isThere(
  archive: WalArchive,
  object: WalObject,
  content: Again,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await mustAgree(archive, object, content, object, signal);
    return true;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
    return false;
  }
}

function partsOf({ partBytes, segmentSize }: WalArchive, start: Lsn): readonly Interval[] {
  const parts: Interval[] = [];
  for (let at = start; at < segmentEnd(start, segmentSize); at = lsn(at + BigInt(partBytes))) {
    parts.push({ start: at, end: lsn(at + BigInt(partBytes)) });
  }
  return parts;
}
