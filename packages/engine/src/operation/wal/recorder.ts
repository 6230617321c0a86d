// Makes a timeline's WAL durable, in order, as it comes in.
//
// 1. Bytes are gathered into a part: a segment, or 8 MiB of a large one. A full part is stored as one object;
//    `flushIntervalMs` after a byte came in that no object holds yet, what is there is stored as a piece. When storing is
//    slower than that, pieces grow.
// 2. Objects are stored one after the other, so `durable` only ever moves over WAL without a hole; a few parts may wait,
//    then `append` waits.
// 3. What an earlier run left of the first segment is compared with what comes in before it counts as durable. What holds
//    a whole part stays in its place; the rest is removed with the other pieces once their part is durable.
// 4. A part of which pieces are stored is finished by a last piece, and nobody waits any longer: the part is stored beside what
//    comes next, and then takes the place of its pieces. A receiver that is killed before leaves that to the next (`leftover.ts`).
// 5. Of a new timeline nothing is stored at the start of a segment before the place where it began is: a restore reads the
//    newest timeline that has the start of a segment, and such a piece would hide what the old one has of it. Where the
//    timeline began in a later part, the first one waits in memory for that.
// 6. Buffers of parts that are stored are used again, so that a fast stream need not have its memory made anew. Where a part is
//    still open after some seconds they are given back, and of its own buffer what is not filled yet.
// Invariant: nothing is reported durable that the repository could lose, or that differs from what it holds.

import { SpillwayError } from '@spillway/contract';
import { discard } from '../../codec/discard.ts';
import { formatLsn, type Lsn, lsn, segmentEnd, segmentStart, type TimelineId } from '../../postgres/lsn.ts';
import { mustAgree } from './agree.ts';
import type { WalArchive, WalObject } from './archive.ts';
import { covers } from './interval.ts';

/** Full parts that may wait to be stored. */
export const WAITING_MAX = 2;

/** As long as a part takes where new memory costs nothing beside it: 3 MB a second, with segments of 16 MB. */
const SLOW_MS = 5_000;

export interface RecorderTotals {
  /** Of which the last part was stored, or found to be there. */
  segments: number;
  /** Stored of parts in progress. */
  pieces: number;
  bytes: number;
  storedBytes: number;
}

/** A part in progress. */
interface Open {
  readonly start: Lsn;
  readonly end: Lsn;
  buffer: Buffer;
  /** Whether its buffer was that of another part, and so is in memory to its end. */
  isUsed: boolean;
  /** Bytes received. */
  filled: number;
  /** Bytes handed to be stored. */
  given: number;
  /** Pieces of this part that this recorder stored or found to agree. */
  readonly pieces: WalObject[];
}

export class WalRecorder {
  readonly timeline: TimelineId;
  readonly #archive: WalArchive;
  readonly #flushIntervalMs: number;
  readonly #begin: Lsn | undefined;
  readonly #onDurable: (durable: Lsn) => void;
  readonly #totals: RecorderTotals;
  readonly #failed = new AbortController();
  /** Of an earlier run, ordered by start: what was not compared to its end. */
  #left: readonly WalObject[];
  /** Those of them that stand for a part. */
  readonly #holders = new Set<WalObject>();
  #open: Open;
  /** See 5. */
  #withheld: { readonly part: Open; readonly sentAt: Date } | undefined;
  /** Buffers of parts that are stored. */
  readonly #spare: Buffer[] = [];
  #durable: Lsn;
  #sentAt = new Date(0);
  /** What is on its way, in order. */
  #waiting = 0;
  /** Whether a piece is to be stored when less is. */
  #afterwards = false;
  #last: Promise<void> = Promise.resolve();
  /** Full parts that are not stored. */
  readonly #parts = new Set<Promise<void>>();
  #aside: Promise<void> = Promise.resolve();
  /** How long the last piece took. */
  #pieceMs = 0;
  #removing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #slow: NodeJS.Timeout | undefined;

  private constructor(
    archive: WalArchive,
    timeline: TimelineId,
    start: Lsn,
    left: readonly WalObject[],
    options: RecorderOptions,
  ) {
    this.#archive = archive;
    this.timeline = timeline;
    this.#left = left;
    this.#open = this.#openPart(start);
    this.#durable = start;
    this.#flushIntervalMs = options.flushIntervalMs;
    this.#begin = options.begin;
    this.#onDurable = options.onDurable;
    this.#totals = options.totals;
  }

  /** `start` must be the start of a segment. */
  static async begin(
    archive: WalArchive,
    timeline: TimelineId,
    start: Lsn,
    options: RecorderOptions,
  ): Promise<WalRecorder> {
    return new WalRecorder(archive, timeline, start, await archive.find(timeline, start, options.signal), options);
  }

  /** Everything before it is in the repository. */
  get durable(): Lsn {
    return this.#durable;
  }

  get received(): Lsn {
    return lsn(this.#open.start + BigInt(this.#open.filled));
  }

  /** Aborted with the error, when something could not be stored. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Takes the next bytes; waits while too much waits to be stored. */
  async append(start: Lsn, bytes: Uint8Array, sentAt: Date): Promise<void> {
    this.#failed.signal.throwIfAborted();
    if (start !== this.received) {
      throw new SpillwayError('SPW_WAL_GAP', `WAL is missing on timeline ${this.timeline}`, {
        why: `the server sent WAL from ${formatLsn(start)}, and ${formatLsn(this.received)} was to come next`,
      });
    }
    this.#sentAt = sentAt;
    this.#totals.bytes += bytes.byteLength;
    for (let at = 0; at < bytes.byteLength; ) {
      const open = this.#open;
      const count = Math.min(bytes.byteLength - at, open.buffer.length - open.filled);
      open.buffer.set(bytes.subarray(at, at + count), open.filled);
      open.filled += count;
      at += count;
      this.#compareLeft(open);
      if (open.filled === open.buffer.length) {
        this.#storePart(open);
        while (this.#parts.size >= WAITING_MAX) await Promise.race(this.#parts);
        this.#failed.signal.throwIfAborted();
        this.#open = this.#openPart(open.end);
      }
    }
    // Somebody waits for each byte: what comes in while it is stored goes into one piece together, as the next.
    if (this.#flushIntervalMs === 0) this.#storePiece();
    else if (this.#open.filled > this.#open.given) {
      // What it takes to store it belongs to the interval.
      const waitMs = Math.max(this.#flushIntervalMs / 2, this.#flushIntervalMs - this.#pieceMs);
      this.#timer ??= setTimeout(() => this.#storePiece(), waitMs);
    }
  }

  /** Stores all that was received, and throws where that failed. */
  async flush(): Promise<void> {
    this.#storePiece();
    for (let last; last !== this.#last; ) {
      last = this.#last;
      await last;
      this.#storePiece();
    }
    await Promise.all(this.#parts);
    await this.#removing;
    this.#failed.signal.throwIfAborted();
  }

  /** Memory of buffers that it keeps at hand: those of stored parts, and of the open one where it has been used before. */
  get keptBytes(): number {
    const kept = this.#spare.reduce((sum, buffer) => sum + buffer.length, 0);
    return kept + (this.#open.isUsed ? this.#open.buffer.length : 0);
  }

  /** Stops the timers. What was not flushed is not stored. */
  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#slow);
    this.#timer = undefined;
    this.#slow = undefined;
  }

  /** See 6. What is on its way is read from the buffers. */
  #giveBack(): void {
    if (this.#failed.signal.aborted) return;
    if (this.#waiting > 0 || this.#parts.size > 0) return this.#watchPace();
    for (const buffer of this.#spare.splice(0)) discard(buffer);
    const open = this.#open;
    if (!open.isUsed) return;
    const { buffer } = open;
    open.buffer = Buffer.allocUnsafeSlow(buffer.length);
    open.buffer.set(buffer.subarray(0, open.filled));
    open.isUsed = false;
    discard(buffer);
  }

  #watchPace(): void {
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#giveBack(), SLOW_MS).unref();
  }

  #storePiece(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const open = this.#open;
    if (open.filled <= open.given || this.#failed.signal.aborted) return;
    if (this.#begin !== undefined && this.received < this.#begin) return;
    // Stored by an earlier run, and to be compared when the part is full.
    if (covers(this.#left, open.start, open.end)) return;
    if (this.#waiting > 0) {
      // The store is behind: one larger piece when it has caught up is better than many in a queue, or several at once.
      this.#afterwards = true;
      return;
    }
    void this.#piece(open, this.#sentAt);
  }

  /** Stores what was not given yet of the part; settles when it is durable. */
  #piece(open: Open, sentAt: Date): Promise<void> {
    const from = open.given;
    const to = open.filled;
    open.given = to;
    return this.#inOrder(async () => {
      const began = performance.now();
      const start = lsn(open.start + BigInt(from));
      const { object } = await this.#archive.write(this.timeline, start, open.buffer.subarray(from, to), sentAt);
      open.pieces.push(object);
      this.#totals.pieces++;
      this.#totals.storedBytes += object.storedBytes;
      this.#pieceMs = performance.now() - began;
      await this.#moveTo(object.end);
    });
  }

  #storePart(open: Open): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sentAt = this.#sentAt;
    const left = this.#left.filter(({ start }) => start < open.end);
    const isNew = this.#begin !== undefined && open.start < this.#begin;
    if (open.given > 0 && left.length === 0 && !isNew && this.#withheld === undefined) this.#storeAside(open, sentAt);
    else this.#storeWhole(open, left, sentAt);
  }

  /** See 4. */
  #storeAside(open: Open, sentAt: Date): void {
    const ended = open.given < open.filled ? this.#piece(open, sentAt) : this.#last;
    const before = this.#aside;
    this.#aside = this.#counted(async () => {
      await ended;
      await before;
      if (this.#failed.signal.aborted) return;
      await this.#writePart(open, sentAt);
      await this.#leave(open);
    });
  }

  #storeWhole(open: Open, left: readonly WalObject[], sentAt: Date): void {
    open.given = open.filled;
    this.#left = this.#left.filter(({ end }) => end > open.end);
    const stored = this.#inOrder(async () => {
      for (const object of left) await this.#mustAgree(open, object);
      const holder = left.find(({ start, end }) => start <= open.start && end >= open.end);
      if (holder !== undefined) this.#holders.add(holder);
      // Compared with all of it, an object that stands for no part is of no more use.
      open.pieces.push(...left.filter((object) => object.end <= open.end && !this.#holders.has(object)));
      if (holder === undefined) {
        if (this.#mustWait(open)) {
          this.#withheld = { part: open, sentAt };
          return;
        }
        await this.#writePart(open, sentAt);
      }
      await this.#moveTo(open.end);
      await this.#leave(open);
    });
    void this.#counted(() => stored);
  }

  /** As a part that waits; what fails ends the recorder. */
  #counted(act: () => Promise<void>): Promise<void> {
    const part = act().catch((error: unknown) => this.#failed.abort(error));
    this.#parts.add(part);
    return part.finally(() => this.#parts.delete(part));
  }

  #mustWait({ start, end }: Open): boolean {
    const size = this.#archive.segmentSize;
    if (this.#begin === undefined || start !== segmentStart(start, size)) return false;
    return end < this.#begin && this.#begin < segmentEnd(start, size);
  }

  async #writePart(part: Open, sentAt: Date): Promise<void> {
    const { object } = await this.#archive.write(this.timeline, part.start, part.buffer, sentAt);
    this.#totals.storedBytes += object.storedBytes;
  }

  /** A part is durable: its buffer is free, and its pieces go. */
  async #leave(part: Open): Promise<void> {
    if (part.end === segmentEnd(part.start, this.#archive.segmentSize)) this.#totals.segments++;
    if (this.#spare.length < WAITING_MAX) this.#spare.push(part.buffer);
    // Nobody who waits for a commit waits for this; of two parts the second does.
    await this.#removing;
    this.#removing = this.#remove(part.pieces);
  }

  async #remove(pieces: readonly WalObject[]): Promise<void> {
    try {
      await this.#archive.remove(pieces);
    } catch (error) {
      this.#failed.abort(error);
    }
  }

  /** Pieces of an earlier run whose bytes have come in again: durable already, once they are seen to be the same. */
  #compareLeft(open: Open): void {
    for (let piece = this.#left[0]; piece !== undefined; piece = this.#left[0]) {
      const from = Number(piece.start - open.start);
      const to = Number(piece.end - open.start);
      if (from < 0 || to > open.filled || from > open.given || (from === 0 && to === open.buffer.length)) return;
      this.#left = this.#left.slice(1);
      open.given = Math.max(open.given, to);
      const agreed = piece;
      void this.#inOrder(async () => {
        await this.#mustAgree(open, agreed);
        open.pieces.push(agreed);
        await this.#moveTo(agreed.end);
      });
    }
  }

  #mustAgree({ start, end, buffer }: Open, object: WalObject): Promise<void> {
    const again = (from: Lsn, to: Lsn): Uint8Array => buffer.subarray(Number(from - start), Number(to - start));
    return mustAgree(this.#archive, object, again, { start, end });
  }

  /** All up to `end` is stored, but for what is withheld. */
  async #moveTo(end: Lsn): Promise<void> {
    if (this.#withheld !== undefined) {
      if (this.#begin !== undefined && end < this.#begin) return;
      const { part, sentAt } = this.#withheld;
      await this.#writePart(part, sentAt);
      this.#withheld = undefined;
      await this.#leave(part);
    }
    if (end <= this.#durable) return;
    this.#durable = end;
    this.#onDurable(end);
  }

  #openPart(start: Lsn): Open {
    const used = this.#spare.pop();
    const buffer = used ?? Buffer.allocUnsafeSlow(this.#archive.partBytes);
    this.#watchPace();
    const end = lsn(start + BigInt(buffer.length));
    return { start, end, buffer, isUsed: used !== undefined, filled: 0, given: 0, pieces: [] };
  }

  #inOrder(act: () => Promise<void>): Promise<void> {
    this.#waiting++;
    this.#last = this.#afterLast(this.#last, act);
    return this.#last;
  }

  async #afterLast(last: Promise<void>, act: () => Promise<void>): Promise<void> {
    await last;
    try {
      if (!this.#failed.signal.aborted) await act();
    } catch (error) {
      this.#failed.abort(error);
    } finally {
      this.#waiting--;
      if (this.#afterwards) {
        this.#afterwards = false;
        this.#storePiece();
      }
    }
  }
}

export interface RecorderOptions {
  /** 0 for at once: as soon as what came before is durable. */
  readonly flushIntervalMs: number;
  /** Where the timeline began. */
  readonly begin?: Lsn;
  readonly onDurable: (durable: Lsn) => void;
  /** Added to as objects are stored. */
  readonly totals: RecorderTotals;
  readonly signal?: AbortSignal;
}
