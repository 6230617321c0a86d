// `wal check --data`: reads every byte of WAL, as a restore would.
//
// 1. Every object is read and authenticated; a segment's head must fit its name.
// 2. The records are followed from segment to segment, each with its CRC. A chain that breaks before the last segment of a
//    stretch is damage that lies in the WAL itself: it came so from the server, and its recovery would end there.
// 3. What is damaged is told and passed over, so that one look finds all of it. Memory: a few megabytes, and the record
//    that is longer.

import { isSpillwayError, type Report } from '@spillway/contract';
import { formatLsn, type Lsn, segmentEnd, segmentName, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import { checkSegmentHeader, recordsByChunk, type WalChunk } from '../../postgres/walrecord.ts';
import type { WalArchive, WalCatalog } from './archive.ts';
import { inPages, storedWal } from './stored.ts';

const HEAD_BYTES = 40;

export interface WalDataReport {
  readonly objects: number;
  readonly bytes: number;
  readonly records: number;
  readonly damaged: readonly { readonly object: string; readonly why: string }[];
}

interface Tally {
  objects: number;
  bytes: number;
  records: number;
  readonly damaged: { object: string; why: string }[];
}

export async function checkWalData(
  archive: WalArchive,
  catalog: WalCatalog,
  options: { readonly report?: Report; readonly signal?: AbortSignal } = {},
): Promise<WalDataReport> {
  const tally: Tally = { objects: 0, bytes: 0, records: 0, damaged: [] };
  await checkBeside(archive, tally, options.signal);
  for (const [timeline, objects] of catalog.objects) {
    const starts = new Map<Lsn, number>();
    for (const { start } of objects) {
      const segment = segmentStart(start, archive.segmentSize);
      starts.set(segment, (starts.get(segment) ?? 0) + 1);
    }
    const segments = new Segments(archive, timeline, starts, tally, options);
    for (;;) {
      const chunk = await segments.begin();
      if (chunk === undefined) break;
      let last: Lsn = chunk.start;
      let wrong = false;
      for await (const some of recordsByChunk(segments.run(chunk), chunk.start)) {
        for (const record of some) {
          tally.records++;
          last = record.endLsn;
          wrong = !record.crcOk;
          if (wrong) last = record.lsn;
        }
      }
      if (!wrong && !segments.goesOn) continue;
      const name = segmentName(timeline, segmentStart(last, archive.segmentSize), archive.segmentSize);
      const where = wrong ? 'has a wrong checksum' : 'is none, and there is more WAL behind it';
      tally.damaged.push({ object: name, why: `the record at ${formatLsn(last)} ${where}` });
    }
  }
  return tally;
}

/** The segments of a timeline, in order, each read to its end; one that cannot be read parts two runs. */
class Segments {
  /** Whether the run was left although there is more of it. */
  goesOn = false;
  readonly #archive: WalArchive;
  readonly #timeline: TimelineId;
  readonly #starts: ReadonlyMap<Lsn, number>;
  readonly #tally: Tally;
  readonly #options: { readonly report?: Report; readonly signal?: AbortSignal };
  readonly #queue: Lsn[];
  /** Of the segment that is being read. */
  #pages: AsyncGenerator<WalChunk, void> | undefined;

  constructor(
    archive: WalArchive,
    timeline: TimelineId,
    starts: ReadonlyMap<Lsn, number>,
    tally: Tally,
    options: { readonly report?: Report; readonly signal?: AbortSignal },
  ) {
    this.#archive = archive;
    this.#timeline = timeline;
    this.#starts = starts;
    this.#tally = tally;
    this.#options = options;
    this.#queue = [...starts.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** The beginning of the next run. What the one before left of its segment is read first. */
  async begin(): Promise<WalChunk | undefined> {
    while (this.#pages !== undefined) await this.#next();
    for (let start = this.#queue.shift(); start !== undefined; start = this.#queue.shift()) {
      this.#pages = this.#read(start);
      const chunk = await this.#next();
      if (chunk !== undefined) return chunk;
    }
    return undefined;
  }

  /** From `first` on, as far as segments follow each other. */
  async *run(first: WalChunk): AsyncGenerator<WalChunk, void, undefined> {
    const { segmentSize } = this.#archive;
    for (let chunk: WalChunk | undefined = first; chunk !== undefined; ) {
      const end: Lsn = segmentEnd(chunk.start, segmentSize);
      // Read as true by whoever leaves this generator here.
      this.goesOn = this.#queue[0] === end;
      yield chunk;
      const isLast: boolean = chunk.start + BigInt(chunk.bytes.byteLength) === end;
      const follows: boolean = isLast && this.goesOn;
      this.goesOn = false;
      chunk = await this.#next();
      if (chunk !== undefined || !follows) continue;
      this.#queue.shift();
      this.#pages = this.#read(end);
      chunk = await this.#next();
    }
  }

  async #next(): Promise<WalChunk | undefined> {
    const next = await this.#pages?.next();
    if (next?.done !== false) this.#pages = undefined;
    return next?.value ?? undefined;
  }

  /** Ends where something is damaged, which is noted. */
  async *#read(start: Lsn): AsyncGenerator<WalChunk, void, undefined> {
    const { report, signal } = this.#options;
    const { systemIdentifier, segmentSize } = this.#archive;
    const name = segmentName(this.#timeline, start, segmentSize);
    signal?.throwIfAborted();
    this.#tally.objects += this.#starts.get(start) ?? 0;
    const before = this.#tally.bytes;
    try {
      const chunks = this.#counted(storedWal(this.#archive, this.#timeline, start, { signal }));
      for await (const chunk of inPages(chunks, segmentEnd(start, segmentSize))) {
        report?.({ type: 'progress', phase: 'reading WAL', done_bytes: this.#tally.bytes, detail: name });
        if (chunk.start === start && this.#tally.bytes - before >= HEAD_BYTES) {
          checkSegmentHeader(chunk.bytes, { systemIdentifier, segmentSize, timeline: this.#timeline, start });
        }
        yield chunk;
      }
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_WAL_INVALID')) throw error;
      this.#tally.damaged.push({ object: name, why: error.why ?? error.message });
    }
  }

  async *#counted(chunks: AsyncIterable<WalChunk>): AsyncGenerator<WalChunk, void, undefined> {
    for await (const chunk of chunks) {
      this.#tally.bytes += chunk.bytes.byteLength;
      yield chunk;
    }
  }
}

async function checkBeside(archive: WalArchive, tally: Tally, signal: AbortSignal | undefined): Promise<void> {
  for await (const file of archive.listBeside(signal)) {
    tally.objects++;
    try {
      const content =
        file.kind === 'walHistory'
          ? await archive.readHistory(file.timeline, signal)
          : await archive.readBeside(file, signal);
      tally.bytes += content?.byteLength ?? 0;
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED')) throw error;
      tally.damaged.push({ object: file.name, why: error.why ?? error.message });
    }
  }
}
