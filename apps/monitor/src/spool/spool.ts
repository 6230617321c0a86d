// Batches that wait for the database, on disk, in the order in which they came.
//
// 1. `append` resolves when the record is synced; what waits meanwhile is written and synced together.
// 2. `read` gives records from the front, `advance` forgets them once they are in the database. A segment is removed when
//    all of it is forgotten; where the process dies before, its records are read again, which does no harm since the
//    database knows the batches it has.
// 3. On opening, the tail of a segment that is no whole record is put aside (into damaged/), never thrown away: it is a
//    write that a crash cut short and nobody was told of, or damage that somebody must see.
// 4. Bounded: an append that would pass the limit is refused. After a failed write the segment is closed to appends, since
//    a sync that failed once says nothing when it succeeds later.
// Invariant: what `append` resolved for is read back, in order, until it is forgotten, whatever kills the process.

import { constants, type FileHandle, open, readdir, readFile, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, syncFolder, writeDurably } from '../durable-file.ts';
import { Problem } from '../problem.ts';
import { encodeRecord, payloadAt, RECORD_HEAD_BYTES, scanSegment, SEGMENT_HEAD } from './format.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const WRITE_BYTES_MAX = 8 * 1024 * 1024;

export interface SpoolOptions {
  readonly folder: string;
  readonly limitBytes: number;
  readonly segmentBytes?: number;
}

interface Segment {
  readonly number: number;
  /** Up to here it is synced. */
  bytes: number;
  records: number;
}

/** A place between two records. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
  /** Records from the front up to here. */
  readonly records: number;
}

interface Waiting {
  readonly record: Buffer;
  readonly done: PromiseWithResolvers<void>;
}

export class Spool {
  readonly #options: Required<SpoolOptions>;
  /** In order; the last one is written to. */
  readonly #segments: Segment[];
  #handle: FileHandle | undefined;
  #front = { segment: 0, offset: SEGMENT_HEAD.length };
  #forgottenOfFront = 0;
  #nextNumber: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #frontBytes: { readonly segment: number; readonly bytes: Buffer } | undefined;
  /** Files put aside because they held something that was no record. */
  readonly damaged: number;

  private constructor(options: Required<SpoolOptions>, segments: Segment[], damaged: number) {
    this.#options = options;
    this.#segments = segments;
    this.#nextNumber = (segments.at(-1)?.number ?? 0) + 1;
    this.damaged = damaged;
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const { folder } = options;
    await makeFolder(join(folder, 'damaged'));
    const numbers = (await readdir(folder))
      .flatMap((name) => (/^\d{8}\.spool$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .toSorted((a, b) => a - b);
    const segments: Segment[] = [];
    for (const number of numbers) {
      const records = await mendSegment(folder, number);
      if (records !== undefined) segments.push(records);
    }
    const damaged = (await readdir(join(folder, 'damaged'))).length;
    return new Spool({ segmentBytes: SEGMENT_BYTES, ...options }, segments, damaged);
  }

  get depth(): { readonly records: number; readonly bytes: number; readonly limitBytes: number } {
    const records = this.#segments.reduce((sum, segment) => sum + segment.records, 0) - this.#forgottenOfFront;
    return { records: records + this.#waiting.length, bytes: this.#bytes, limitBytes: this.#options.limitBytes };
  }

  get isEmpty(): boolean {
    return this.depth.records === 0 && this.#writing === undefined;
  }

  /** Resolves when the record is durable. Throws Problem `spool_full` or `spool_failed`; then it may be there or not. */
  async append(payload: Buffer): Promise<void> {
    const record = encodeRecord(payload);
    const { limitBytes } = this.#options;
    if (this.#bytes + record.length > limitBytes) {
      throw new Problem('spool_full', `${this.#bytes} of ${limitBytes} bytes of the spool are taken`);
    }
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ record, done });
    this.#waitingBytes += record.length;
    this.#writing ??= this.#writeAll();
    return done.promise;
  }

  /** Records from the front, at least one where there is any, and the position behind them. */
  async read(bytesMax: number): Promise<{ readonly payloads: readonly Buffer[]; readonly behind: Position }> {
    const payloads: Buffer[] = [];
    const segment = this.#segments.find(
      ({ number, bytes }) => number >= this.#front.segment && bytes > this.#startOf(number),
    );
    if (segment === undefined) return { payloads, behind: { ...this.#front, records: 0 } };
    let offset = this.#startOf(segment.number);
    const bytes = await this.#bytesOf(segment);
    let total = 0;
    while (offset < segment.bytes && (payloads.length === 0 || total < bytesMax)) {
      const payload = payloadAt(bytes, offset);
      if (payload === undefined) {
        throw new Error(`${this.#file(segment.number)} was whole when it was opened, and is damaged at ${offset} now`);
      }
      payloads.push(payload);
      total += payload.length;
      offset += RECORD_HEAD_BYTES + payload.length;
    }
    return { payloads, behind: { segment: segment.number, offset, records: payloads.length } };
  }

  /** Forgets what is before that position; segments that are all forgotten are removed. */
  async advance({ segment, offset, records }: Position): Promise<void> {
    this.#front = { segment, offset };
    this.#forgottenOfFront += records;
    for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
      const isSpent = first.number < segment || (first.number === segment && offset >= first.bytes);
      const isWritten = first === this.#segments.at(-1) && this.#writing !== undefined;
      if (!isSpent || isWritten) return;
      if (first === this.#segments.at(-1)) await this.#closeHandle();
      // An append may have begun while the handle was being closed; it starts a segment of its own then.
      this.#segments.shift();
      this.#forgottenOfFront -= first.records;
      await unlink(this.#file(first.number));
    }
  }

  /** Waits for the appends under way. What is in the spool stays there. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#closeHandle();
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0) + this.#waitingBytes;
  }

  #startOf(segment: number): number {
    return segment === this.#front.segment ? this.#front.offset : SEGMENT_HEAD.length;
  }

  #file(segment: number): string {
    return join(this.#options.folder, `${String(segment).padStart(8, '0')}.spool`);
  }

  async #bytesOf(segment: Segment): Promise<Buffer> {
    const held = this.#frontBytes;
    if (held?.segment === segment.number && held.bytes.length >= segment.bytes) return held.bytes;
    const bytes = (await readFile(this.#file(segment.number))).subarray(0, segment.bytes);
    this.#frontBytes = { segment: segment.number, bytes };
    return bytes;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group: Waiting[] = [];
      for (let total = 0; total < WRITE_BYTES_MAX && this.#waiting.length > 0; ) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        group.push(next);
        total += next.record.length;
      }
      const bytes = group.reduce((sum, { record }) => sum + record.length, 0);
      try {
        await this.#writeGroup(group, bytes);
        for (const { done } of group) done.resolve();
      } catch (cause) {
        await this.#abandonSegment();
        const problem = new Problem('spool_failed', `the spool in ${this.#options.folder} cannot be written`, {
          cause,
        });
        for (const { done } of group) done.reject(problem);
      } finally {
        this.#waitingBytes -= bytes;
      }
    }
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Waiting[], bytes: number): Promise<void> {
    let segment = this.#segments.at(-1);
    if (this.#handle === undefined || segment === undefined || segment.bytes + bytes > this.#options.segmentBytes) {
      segment = await this.#startSegment();
    }
    const handle = this.#handle;
    if (handle === undefined) throw new Error('the segment was closed while it was opened');
    const records = Buffer.concat(group.map(({ record }) => record));
    for (let written = 0; written < records.length; ) {
      written += (await handle.write(records, written, records.length - written, segment.bytes + written)).bytesWritten;
    }
    await handle.datasync();
    segment.bytes += bytes;
    segment.records += group.length;
  }

  async #startSegment(): Promise<Segment> {
    await this.#closeHandle();
    const number = this.#nextNumber++;
    const handle = await open(this.#file(number), constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600);
    this.#handle = handle;
    await handle.write(SEGMENT_HEAD, 0, SEGMENT_HEAD.length, 0);
    await syncFolder(this.#options.folder);
    const segment: Segment = { number, bytes: SEGMENT_HEAD.length, records: 0 };
    this.#segments.push(segment);
    return segment;
  }

  /** After a failure: the next append starts a new segment. What was written in part is cut off, where that still goes. */
  async #abandonSegment(): Promise<void> {
    const segment = this.#segments.at(-1);
    await this.#closeHandle().catch(() => undefined);
    // Where this fails too, opening the spool again puts the tail aside.
    if (segment !== undefined) await truncate(this.#file(segment.number), segment.bytes).catch(() => undefined);
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** Cuts a tail that is no record off, after it was put aside. Undefined where nothing is left of the segment. */
async function mendSegment(folder: string, number: number): Promise<Segment | undefined> {
  const name = `${String(number).padStart(8, '0')}.spool`;
  const file = join(folder, name);
  const bytes = await readFile(file);
  const { offsets, end } = scanSegment(bytes);
  if (end < bytes.length && !bytes.subarray(end).equals(SEGMENT_HEAD)) {
    await writeDurably(join(folder, 'damaged', `${name}-${end}`), bytes.subarray(end));
  }
  if (offsets.length === 0) {
    await unlink(file);
    return undefined;
  }
  if (end < bytes.length) await truncate(file, end);
  return { number, bytes: end, records: offsets.length };
}
