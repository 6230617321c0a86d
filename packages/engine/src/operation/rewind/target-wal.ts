// The WAL of a server that is down: its own pg_wal, and behind that the repository.
//
// 1. The segment in which a timeline was left is read from the file of the newer one, which begins with a copy of it: so
//    does pg_rewind.
// 2. A file of pg_wal counts where it has its full size and a head that fits; recycled ones have another.
// 3. Reading goes on from segment to segment until one is not there.

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import {
  type Lsn,
  lsn,
  type SegmentSize,
  segmentEnd,
  segmentName,
  segmentStart,
  type TimelineId,
} from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import { checkSegmentHeader, recordsOf, type WalChunk, type WalRecord } from '../../postgres/walrecord.ts';
import type { SystemWal } from '../backups.ts';
import { covers } from '../wal/interval.ts';
import { inPages, storedWal } from '../wal/stored.ts';
import type { NeededSegment } from './facts.ts';

const HEAD_BYTES = 40;
const READ_BYTES = 1024 * 1024;

export interface TargetWalOptions {
  /** The folder pg_wal. */
  readonly folder: string;
  readonly systemIdentifier: string;
  readonly segmentSize: SegmentSize;
  readonly way: Ancestry;
  readonly stored: SystemWal | undefined;
  readonly signal: AbortSignal;
}

export class TargetWal {
  readonly segmentSize: SegmentSize;
  readonly #options: TargetWalOptions;

  constructor(options: TargetWalOptions) {
    this.#options = options;
    this.segmentSize = options.segmentSize;
  }

  /** Where the segment that begins at `start` is; of the repository it is enough to have it up to `upTo`. */
  async find(start: Lsn, upTo?: Lsn): Promise<NeededSegment> {
    const { folder, systemIdentifier, segmentSize, stored } = this.#options;
    const end = segmentEnd(start, segmentSize);
    const timeline = this.#timelineOf(end);
    const name = segmentName(timeline, start, segmentSize);
    const expected = { systemIdentifier, segmentSize, timeline, start };
    const wanted = upTo !== undefined && upTo < end ? upTo : end;
    const place = (await isSegment(join(folder, name), expected))
      ? 'pg_wal'
      : stored !== undefined && covers(stored.catalog.objects.get(timeline) ?? [], start, wanted)
        ? 'repository'
        : 'missing';
    return { name, start, timeline, place };
  }

  /** All records from `from` on, which is that of a record or of a segment, as far as there is WAL. */
  records(from: Lsn): AsyncGenerator<WalRecord, void, undefined> {
    // From the head of the segment on, which tells the size of segments.
    return recordsOf(this.#chunks(segmentStart(from, this.segmentSize)), from);
  }

  async *#chunks(from: Lsn): AsyncGenerator<WalChunk, void, undefined> {
    const { folder, segmentSize, stored, signal } = this.#options;
    for (let start = from; ; start = segmentEnd(start, segmentSize)) {
      const { name, timeline, place } = await this.find(start, lsn(start + 1n));
      if (place === 'pg_wal') yield* fileChunks(join(folder, name), start, signal);
      else if (place === 'missing' || stored === undefined) return;
      else {
        const end = segmentEnd(start, segmentSize);
        let reached = start;
        for await (const chunk of inPages(storedWal(stored.archive, timeline, start, { signal }), end)) {
          yield chunk;
          reached = lsn(chunk.start + BigInt(chunk.bytes.byteLength));
        }
        if (reached < end) return;
      }
    }
  }

  #timelineOf(end: Lsn): TimelineId {
    const stretch = this.#options.way.findLast(({ begin }) => begin < end);
    // The first stretch begins at 0/0.
    if (stretch === undefined)
      throw new SpillwayError('SPW_INTERNAL', 'a way through the timelines without a beginning');
    return stretch.timeline;
  }
}

async function* fileChunks(path: string, start: Lsn, signal: AbortSignal): AsyncGenerator<WalChunk, void, undefined> {
  await using file = await open(path, 'r');
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    yield { start: lsn(start + BigInt(at)), bytes: buffer.subarray(0, bytesRead) };
    at += bytesRead;
  }
}

async function isSegment(path: string, expected: Parameters<typeof checkSegmentHeader>[1]): Promise<boolean> {
  try {
    await using file = await open(path, 'r');
    const head = Buffer.alloc(HEAD_BYTES);
    await file.read(head, 0, HEAD_BYTES, 0);
    checkSegmentHeader(head, expected);
    return (await file.stat()).size === expected.segmentSize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || isSpillwayError(error, 'SPW_WAL_INVALID')) return false;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read`, { cause: error });
  }
}
