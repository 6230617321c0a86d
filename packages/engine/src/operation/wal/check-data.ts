// `wal check --data`: reads every byte of WAL, as a restore would.
//
// 1. Every object is read and authenticated; a segment's head must fit its name.
// 2. The records are followed from segment to segment, each with its CRC. A chain that breaks before the last segment of a
//    stretch is damage that lies in the WAL itself: it came so from the server, and its recovery would end there.
// 3. What is damaged is told and passed over, so that one look finds all of it. Memory: a segment, and the record that
//    crosses into the next.

import { isSpillwayError, type Report } from '@spillway/contract';
import { formatLsn, type Lsn, segmentEnd, segmentName, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import { checkSegmentHeader, recordsOf, type WalChunk } from '../../postgres/walrecord.ts';
import type { WalArchive, WalCatalog } from './archive.ts';

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
      for await (const record of recordsOf(segments.run(chunk), chunk.start)) {
        tally.records++;
        last = record.endLsn;
        wrong = !record.crcOk;
        if (wrong) last = record.lsn;
      }
      if (!wrong && !segments.goesOn) continue;
      const name = segmentName(timeline, segmentStart(last, archive.segmentSize), archive.segmentSize);
      const where = wrong ? 'has a wrong checksum' : 'is none, and there is more WAL behind it';
      tally.damaged.push({ object: name, why: `the record at ${formatLsn(last)} ${where}` });
    }
  }
  return tally;
}

/** The segments of a timeline, in order, each read once; those that cannot be read are noted and part two runs. */
class Segments {
  /** Whether the run was left although its next segment is there. */
  goesOn = false;
  readonly #archive: WalArchive;
  readonly #timeline: TimelineId;
  readonly #starts: ReadonlyMap<Lsn, number>;
  readonly #tally: Tally;
  readonly #options: { readonly report?: Report; readonly signal?: AbortSignal };
  readonly #queue: Lsn[];

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

  /** The first segment of the next run. */
  async begin(): Promise<WalChunk | undefined> {
    for (let start = this.#queue.shift(); start !== undefined; start = this.#queue.shift()) {
      const chunk = await this.#read(start);
      if (chunk !== undefined) return chunk;
    }
    return undefined;
  }

  /** From `first` on, as far as segments follow each other. */
  async *run(first: WalChunk): AsyncGenerator<WalChunk, void, undefined> {
    let chunk: WalChunk | undefined = first;
    for (; chunk !== undefined; ) {
      const next: Lsn = segmentEnd(chunk.start, this.#archive.segmentSize);
      // Read as true by whoever leaves this generator here.
      this.goesOn = this.#queue[0] === next;
      yield chunk;
      chunk = undefined;
      if (this.goesOn) {
        this.#queue.shift();
        this.goesOn = false;
        chunk = await this.#read(next);
      }
    }
  }

  async #read(start: Lsn): Promise<WalChunk | undefined> {
    const { report, signal } = this.#options;
    const { systemIdentifier, segmentSize } = this.#archive;
    const name = segmentName(this.#timeline, start, segmentSize);
    signal?.throwIfAborted();
    this.#tally.objects += this.#starts.get(start) ?? 0;
    try {
      const found = await this.#archive.assemble(this.#timeline, start, signal);
      // Pieces of which the first is not there: a gap, told as such.
      if (found === undefined) return undefined;
      this.#tally.bytes += Number(found.end - start);
      report?.({ type: 'progress', phase: 'reading WAL', done_bytes: this.#tally.bytes, detail: name });
      if (found.end - start >= 40n) {
        checkSegmentHeader(found.bytes, { systemIdentifier, segmentSize, timeline: this.#timeline, start });
      }
      return { start, bytes: found.bytes };
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_WAL_INVALID')) throw error;
      this.#tally.damaged.push({ object: name, why: error.why ?? error.message });
      return undefined;
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
