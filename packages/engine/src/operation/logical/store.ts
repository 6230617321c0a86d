// Stores streams of bytes as chunks, while they come in.
//
//   1  what a stream brings is copied into a batch of shared memory; a full batch is cut (`cut.ts`) on this thread, and
//      what lies behind its last cut begins the next
//   2  workers hash, compress, seal and pack (`store-worker.ts`)
//   3  `finish` gives ids and lengths of each stream in order, and the directories of the new packs, all durable
//
// A stream that is faster than the workers waits: `write` returns when there is memory for more. Memory is that of the
// batches: so many for each worker, and one for each stream that is open.

import { idKey } from '../../codec/keys.ts';
import type { CompressionLevel } from '../../codec/seal.ts';
import type { PackDirectory } from '../../format/pack.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import type { Repository } from '../../repository/repository.ts';
import { Crew, TASKS_HELD } from '../crew.ts';
import { TaskQueue } from '../task-queue.ts';
import { gearOf, nextCut } from './cut.ts';
import type { StoreData, StoreFinal, StoreResult, StoreTask } from './store-worker.ts';

const BATCH_BYTES = 2 * 1024 * 1024;

export interface StoreOptions {
  readonly repository: Repository;
  readonly table: ChunkTable;
  /** How many new chunks the table has room for. */
  readonly room: number;
  readonly workers: number;
  readonly compressionLevel: CompressionLevel;
  readonly signal: AbortSignal;
}

export interface StoredStream {
  readonly bytes: number;
  readonly ids: Uint8Array;
  readonly lengths: readonly number[];
}

export interface Stored {
  readonly streams: readonly StoredStream[];
  readonly packs: readonly PackDirectory[];
  readonly newBytes: number;
  readonly newChunks: number;
}

interface OpenStream {
  readonly batches: (Pick<StoreResult, 'ids' | 'lengths'> | undefined)[];
  bytes: number;
  memory: SharedArrayBuffer | undefined;
  used: number;
  /** Batches sent. */
  sent: number;
}

export class StreamStore implements AsyncDisposable {
  readonly #crew: Crew;
  readonly #queue: TaskQueue<StoreTask>;
  readonly #work: Promise<readonly StoreFinal[]>;
  readonly #gear: Int32Array;
  readonly #streams: OpenStream[] = [];
  readonly #free: SharedArrayBuffer[] = [];
  #room: number;
  #newBytes = 0;
  #newChunks = 0;

  constructor(options: StoreOptions) {
    const { repository, table, workers, signal } = options;
    this.#crew = new Crew(new URL('./store-worker.ts', import.meta.url), workers);
    this.#queue = new TaskQueue(workers * TASKS_HELD);
    this.#gear = gearOf(idKey(repository.keys));
    this.#room = options.room;
    const data: StoreData = {
      repository: repository.threadHandle,
      table: table.shared,
      level: options.compressionLevel,
    };
    this.#work = this.#crew.run<StoreTask, StoreResult, StoreFinal>({
      data,
      tasks: this.#queue,
      onBegin: this.#queue.onBegin,
      onResult: (result) => this.#take(result),
      signal,
    });
    // Whoever writes or finishes hears of it.
    this.#work.catch((error: unknown) => this.#queue.fail(error));
  }

  /** The number of a new stream. */
  open(): number {
    return this.#streams.push({ batches: [], bytes: 0, memory: undefined, used: 0, sent: 0 }) - 1;
  }

  /** Takes all of `bytes`; returns when there is room for more. One call at a time for a stream. */
  async write(number: number, bytes: Uint8Array): Promise<void> {
    const stream = this.#stream(number);
    stream.bytes += bytes.byteLength;
    for (let at = 0; at < bytes.byteLength; ) {
      stream.memory ??= this.#memory();
      const part = bytes.subarray(at, at + BATCH_BYTES - stream.used);
      new Uint8Array(stream.memory).set(part, stream.used);
      stream.used += part.byteLength;
      at += part.byteLength;
      if (stream.used === BATCH_BYTES) await this.#send(number, false);
    }
  }

  /** Says that the stream is whole. */
  async close(number: number): Promise<void> {
    if (this.#stream(number).used > 0) await this.#send(number, true);
  }

  /** After all streams were closed. */
  async finish(): Promise<Stored> {
    this.#queue.end();
    const finals = await this.#work;
    const streams = this.#streams.map(({ bytes, batches }) => ({
      bytes,
      ids: Buffer.concat(batches.map((batch) => batch?.ids ?? new Uint8Array())),
      lengths: batches.flatMap((batch) => batch?.lengths ?? []),
    }));
    return { streams, packs: finals.flat(2), newBytes: this.#newBytes, newChunks: this.#newChunks };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crew[Symbol.asyncDispose]();
  }

  async #send(number: number, last: boolean): Promise<void> {
    const stream = this.#stream(number);
    const { memory, used } = stream;
    if (memory === undefined) return;
    const bytes = new Uint8Array(memory);
    const lengths: number[] = [];
    let from = 0;
    for (;;) {
      const cut = nextCut(bytes, from, used, last, this.#gear);
      if (cut === undefined) break;
      lengths.push(cut - from);
      from = cut;
    }
    const rest = used - from;
    stream.memory = undefined;
    stream.used = 0;
    if (rest > 0) {
      stream.memory = this.#memory();
      new Uint8Array(stream.memory).set(bytes.subarray(from, used));
      stream.used = rest;
    }
    const batch = stream.sent++;
    stream.batches[batch] = undefined;
    const mayClaim = this.#room > 0;
    // Counted when sent: what is on its way must have room too. What turns out to be known gives it back.
    this.#room -= lengths.length;
    await this.#queue.push({ stream: number, batch, memory, lengths, mayClaim });
  }

  #take(result: StoreResult): void {
    const { stream, batch, ids, lengths } = result;
    this.#stream(stream).batches[batch] = { ids, lengths };
    this.#free.push(result.memory);
    this.#newBytes += result.newBytes;
    this.#newChunks += result.newChunks;
    this.#room += lengths.length - result.newChunks;
    this.#queue.done();
  }

  #memory(): SharedArrayBuffer {
    return this.#free.pop() ?? new SharedArrayBuffer(BATCH_BYTES);
  }

  #stream(number: number): OpenStream {
    const stream = this.#streams[number];
    if (stream === undefined) throw new RangeError(`there is no stream ${number}`);
    return stream;
  }
}
