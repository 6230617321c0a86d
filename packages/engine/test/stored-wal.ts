// A segment as a restore gets it, in one buffer.

import type { WalArchive } from '../src/operation/wal/archive.ts';
import { lastSentAt, storedWal } from '../src/operation/wal/stored.ts';
import { type Lsn, lsn, type TimelineId } from '../src/postgres/lsn.ts';

/** At full size, with zeros behind the end of what is stored; undefined where its beginning is not there. */
export async function assembled(
  archive: WalArchive,
  timeline: TimelineId,
  start: Lsn,
): Promise<{ readonly bytes: Buffer; readonly end: Lsn; readonly sentAt: string | undefined } | undefined> {
  const bytes = Buffer.alloc(archive.segmentSize);
  let end = start;
  for await (const chunk of storedWal(archive, timeline, start)) {
    bytes.set(chunk.bytes, Number(chunk.start - start));
    end = lsn(chunk.start + BigInt(chunk.bytes.byteLength));
  }
  return end === start ? undefined : { bytes, end, sentAt: await lastSentAt(archive, timeline, start) };
}
