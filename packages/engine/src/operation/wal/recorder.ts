// Makes a timeline's WAL durable, in order, as it comes in.
//
// 1. Bytes are gathered into a segment. A full segment is stored as one object; `flushIntervalMs` after a byte came in
//    that no object holds yet, what is there is stored as a piece. When storing is slower than that, pieces grow.
// 2. Objects are stored one after the other, so `durable` only ever moves over WAL without a hole; a few segments may
//    wait, then `append` waits.
// 3. Pieces that an earlier run left of the first segment are compared with what comes in before they count as durable,
//    and are removed with the others once the whole segment is durable.
// 4. Of a new timeline nothing is stored before the place where it began: a restore reads the newest timeline that has a
//    segment, and such a piece would hide what the old one has of it.
// Invariant: nothing is reported durable that the repository could lose, or that differs from what it holds.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { formatLsn, type Lsn, lsn, type TimelineId } from '../../postgres/lsn.ts';
import type { WalArchive, WalObject } from './archive.ts';

const WAITING_MAX = 3;
const WAITING_BYTES = 128 * 1024 * 1024;

/** Full segments that may wait to be stored: fewer where they are large, since each is in memory. */
export const waitingMax = (segmentBytes: number): number =>
  Math.min(WAITING_MAX, Math.max(1, Math.floor(WAITING_BYTES / segmentBytes)));

export interface RecorderTotals {
  segments: number;
  pieces: number;
  bytes: number;
  storedBytes: number;
}

interface Open {
  readonly start: Lsn;
  readonly buffer: Buffer;
  /** Bytes received. */
  filled: number;
  /** Bytes handed to be stored. */
  given: number;
  /** Pieces of this segment that this recorder stored or found to agree. */
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
  #left: WalObject[];
  #open: Open;
  #durable: Lsn;
  #sentAt = new Date(0);
  #waiting = 0;
  /** Whether a piece is to be stored when what waits is. */
  #afterwards = false;
  #last: Promise<void> = Promise.resolve();
  #removing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    archive: WalArchive,
    timeline: TimelineId,
    start: Lsn,
    left: readonly WalObject[],
    options: RecorderOptions,
  ) {
    this.#archive = archive;
    this.timeline = timeline;
    this.#left = left.filter(({ kind }) => kind === 'piece');
    this.#open = openSegment(start, archive.segmentSize);
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
        this.#storeSegment(open);
        this.#open = openSegment(lsn(open.start + BigInt(open.buffer.length)), this.#archive.segmentSize);
        while (this.#waiting >= waitingMax(this.#archive.segmentSize)) await this.#last;
        this.#failed.signal.throwIfAborted();
      }
    }
    // Somebody waits for each byte: what comes in while it is stored goes into one piece together, as the next.
    if (this.#flushIntervalMs === 0) this.#storePiece();
    else if (this.#open.filled > this.#open.given) {
      this.#timer ??= setTimeout(() => this.#storePiece(), this.#flushIntervalMs);
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
    await this.#removing;
    this.#failed.signal.throwIfAborted();
  }

  /** Stops the timer. What was not flushed is not stored. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #storePiece(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const open = this.#open;
    if (open.filled <= open.given || this.#failed.signal.aborted) return;
    if (this.#begin !== undefined && this.received < this.#begin) return;
    if (this.#waiting > 0) {
      // The store is behind: one larger piece when it has caught up is better than many in a queue.
      if (!this.#afterwards) void this.#storeAfter(this.#last);
      return;
    }
    const from = open.given;
    const to = open.filled;
    const sentAt = this.#sentAt;
    open.given = to;
    this.#inOrder(async () => {
      const start = lsn(open.start + BigInt(from));
      const { object } = await this.#archive.write(this.timeline, start, open.buffer.subarray(from, to), sentAt);
      open.pieces.push(object);
      this.#totals.pieces++;
      this.#totals.storedBytes += object.storedBytes;
      this.#moveTo(object.end);
    });
  }

  async #storeAfter(last: Promise<void>): Promise<void> {
    this.#afterwards = true;
    await last;
    this.#afterwards = false;
    this.#storePiece();
  }

  #storeSegment(open: Open): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    open.given = open.filled;
    const sentAt = this.#sentAt;
    const left = this.#left;
    this.#left = [];
    this.#inOrder(async () => {
      for (const piece of left) await this.#compare(open, piece);
      const { object } = await this.#archive.write(this.timeline, open.start, open.buffer, sentAt);
      this.#totals.segments++;
      this.#totals.storedBytes += object.storedBytes;
      this.#moveTo(object.end);
      // Nobody who waits for a commit waits for this; of two segments the second does.
      await this.#removing;
      this.#removing = this.#remove(open.pieces);
    });
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
      if (from < 0 || to > open.filled || from > open.given) return;
      this.#left.shift();
      open.given = Math.max(open.given, to);
      const agreed = piece;
      this.#inOrder(async () => {
        await this.#compare(open, agreed);
        this.#moveTo(agreed.end);
      });
    }
  }

  async #compare(open: Open, piece: WalObject): Promise<void> {
    const from = Number(piece.start - open.start);
    const bytes = await this.#stored(piece, open.start);
    if (!open.buffer.subarray(from, from + bytes.length).equals(bytes)) {
      throw new SpillwayError('SPW_WAL_CONFLICT', `WAL of timeline ${this.timeline} was refused`, {
        why: `the repository holds other WAL from ${formatLsn(piece.start)} to ${formatLsn(piece.end)} than the server sends`,
      });
    }
    open.pieces.push(piece);
  }

  /** What the repository holds in the place of the piece: itself, or the segment that `wal push` finished meanwhile. */
  async #stored(piece: WalObject, segment: Lsn): Promise<Buffer> {
    try {
      return (await this.#archive.read(piece)).bytes;
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
      const whole = await this.#archive.assemble(this.timeline, segment);
      if (whole === undefined || whole.end < piece.end) throw error;
      return whole.bytes.subarray(Number(piece.start - segment), Number(piece.end - segment));
    }
  }

  #moveTo(end: Lsn): void {
    if (end <= this.#durable) return;
    this.#durable = end;
    this.#onDurable(end);
  }

  #inOrder(act: () => Promise<void>): void {
    this.#waiting++;
    this.#last = this.#afterLast(this.#last, act);
  }

  async #afterLast(last: Promise<void>, act: () => Promise<void>): Promise<void> {
    await last;
    try {
      if (!this.#failed.signal.aborted) await act();
    } catch (error) {
      this.#failed.abort(error);
    } finally {
      this.#waiting--;
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

const openSegment = (start: Lsn, bytes: number): Open => ({
  start,
  buffer: Buffer.allocUnsafeSlow(bytes),
  filled: 0,
  given: 0,
  pieces: [],
});
