// Hands the contents of files to workers as they come in, and hears what became of them.
//
//   1  contents are copied into a batch of shared memory, each chunk of a file in one piece; a full batch is a task
//   2  workers verify, hash, compress, seal and pack (`stream-worker.ts`)
//   3  a piece with a wrong page may have been torn while it was sent: its pages are read again here, over an ordinary
//      session, and the batch goes to a worker once more. What is wrong then is reported, and kept as it is
//
// A page that cannot be read again (the session may not, or the file is gone) keeps its first verdict or, gone, has none:
// WAL replay knows that it was dropped.
// Memory is that of the batches, so many for each worker; whoever writes waits for a free one.

import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { relationFile } from '../../postgres/exclusion.ts';
import { pageLsn, verifyPages } from '../../postgres/page.ts';
import { type Asking, readPiece } from '../../postgres/page-reader.ts';
import { type Crew, TASKS_HELD } from '../crew.ts';
import { TaskQueue } from '../task-queue.ts';
import { pause } from '../pause.ts';
import { pathInCluster, type WrongPageOfFile } from './source.ts';
import type { StreamData, StreamFinal, StreamPiece, StreamResult, StreamTask, SuspectPiece } from './stream-worker.ts';
import type { StreamedFile } from './streamed-tree.ts';
import { WrongPages } from './wrong-pages.ts';

const BATCH_BYTES = 2 * 1024 * 1024;
/** A batch of small files has many pieces; each costs some words of a message. */
const PIECES_MAX = 512;
const READ_AGAIN_MAX = 3;
const READ_AGAIN_AFTER_MS = 5;

export interface StreamCopyOptions {
  readonly crew: Crew;
  readonly workers: number;
  readonly data: StreamData;
  /** How many new chunks the table has room for. */
  readonly room: number;
  /** Blocks in a file of a relation; undefined where pages have no checksums. */
  readonly relationSegmentBlocks: number | undefined;
  /** For reading pages again; undefined where the user may not. */
  readonly session: Asking | undefined;
  readonly signal: AbortSignal;
}

export interface StreamCopied {
  readonly packs: readonly PackDirectory[];
  readonly wrongPages: readonly WrongPageOfFile[];
  readonly wrongPagesBeyond: number;
  readonly newBytes: number;
  readonly newChunks: number;
}

export class StreamCopy {
  readonly #options: StreamCopyOptions;
  readonly #queue: TaskQueue<StreamTask>;
  readonly #work: Promise<readonly StreamFinal[]>;
  readonly #free: SharedArrayBuffer[] = [];
  /** Files by the number that their pieces carry, while any of them is on its way. */
  readonly #files = new Map<number, StreamedFile & { pending: number }>();
  readonly #wrongPages = new WrongPages();
  #room: number;
  #newBytes = 0;
  #newChunks = 0;
  #memory = new SharedArrayBuffer(BATCH_BYTES);
  #pieces: StreamPiece[] = [];
  #used = 0;
  #nextFile = 0;

  constructor(options: StreamCopyOptions) {
    this.#options = options;
    this.#room = options.room;
    this.#queue = new TaskQueue(options.workers * TASKS_HELD);
    this.#work = options.crew.run<StreamTask, StreamResult, StreamFinal>({
      data: options.data,
      tasks: this.#queue,
      onBegin: this.#queue.onBegin,
      onResult: (result) => this.#take(result),
      signal: options.signal,
    });
    // Whoever writes or finishes hears of it.
    this.#work.catch((error: unknown) => this.#queue.fail(error));
  }

  /** Begins a file. Its content is written before the next one begins. */
  begin(streamed: StreamedFile): FileWriter {
    const number = this.#nextFile++;
    const { file } = streamed;
    const { relationSegmentBlocks, data } = this.#options;
    const relation = relationSegmentBlocks === undefined ? undefined : relationFile(pathInCluster(file));
    const firstBlock = relation && relation.segment * (relationSegmentBlocks ?? 0);
    const pending = { ...streamed, pending: 1 };
    this.#files.set(number, pending);
    let chunk = 0;
    let left = file.bytes;
    /** Of the chunk that is being filled. */
    let wanted = 0;
    let filled = 0;
    return {
      write: async (bytes) => {
        for (let at = 0; at < bytes.byteLength; ) {
          if (wanted === 0) {
            wanted = Math.min(CHUNK_BYTES, left);
            if (this.#used + wanted > BATCH_BYTES || this.#pieces.length >= PIECES_MAX) await this.#send();
          }
          const part = bytes.subarray(at, at + wanted - filled);
          new Uint8Array(this.#memory).set(part, this.#used + filled);
          at += part.byteLength;
          filled += part.byteLength;
          if (filled < wanted) continue;
          const block = firstBlock === undefined ? undefined : firstBlock + (chunk * CHUNK_BYTES) / data.blockBytes;
          this.#pieces.push({ file: number, chunk, at: this.#used, bytes: wanted, firstBlock: block });
          pending.pending++;
          this.#used = (this.#used + wanted + 7) & ~7;
          chunk++;
          left -= wanted;
          wanted = 0;
          filled = 0;
        }
      },
      end: () => this.#settled(number),
    };
  }

  /** After all files were written and ended: everything is durable when it returns. */
  async finish(): Promise<StreamCopied> {
    await this.#send();
    await this.#queue.drained();
    this.#queue.end();
    const packs = (await this.#work).flat();
    return { packs, ...this.#wrongPages.all, newBytes: this.#newBytes, newChunks: this.#newChunks };
  }

  async #send(): Promise<void> {
    if (this.#pieces.length === 0) return;
    const task = { memory: this.#memory, pieces: this.#pieces, checked: false, mayClaim: this.#room > 0 };
    this.#pieces = [];
    this.#used = 0;
    await this.#queue.push(task);
    // Counted when sent: what is on its way must have room too.
    this.#room -= task.pieces.length;
    this.#memory = this.#free.pop() ?? new SharedArrayBuffer(BATCH_BYTES);
  }

  #take({ memory, pieces, ids, suspects, newBytes, newChunks }: StreamResult): void {
    this.#newBytes += newBytes;
    this.#newChunks += newChunks;
    this.#room += pieces.length - newChunks;
    for (const [n, { file, chunk }] of pieces.entries()) {
      const id = ids.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES);
      this.#file(file).ids.set(id, chunk * CHUNK_ID_BYTES);
      this.#settled(file);
    }
    if (suspects.length > 0) {
      // The batch keeps its place in the queue until its pieces are stored.
      this.#readAgain(memory, suspects).catch((error: unknown) => this.#queue.fail(error));
      return;
    }
    this.#free.push(memory);
    this.#queue.done();
  }

  async #readAgain(memory: SharedArrayBuffer, suspects: readonly SuspectPiece[]): Promise<void> {
    const { data } = this.#options;
    for (const { piece, blocks } of suspects) {
      const path = pathInCluster(this.#file(piece.file).file);
      for (const block of blocks) {
        const inPiece = (block - (piece.firstBlock ?? 0)) * data.blockBytes;
        const page = new Uint8Array(memory, piece.at + inPiece, data.blockBytes);
        const lsn = await this.#readPageAgain(path, page, block, piece.chunk * CHUNK_BYTES + inPiece);
        if (lsn !== undefined) this.#wrongPages.add({ path, block, lsn });
      }
    }
    const pieces = suspects.map(({ piece }) => piece);
    this.#queue.again({ memory, pieces, checked: true, mayClaim: this.#room > 0 });
  }

  /** Puts into `page` what is there now. Its LSN where it is wrong still. */
  async #readPageAgain(path: string, page: Uint8Array, block: number, offset: number): Promise<bigint | undefined> {
    const { session, data, signal } = this.#options;
    let lsn: bigint | undefined = pageLsn(page, 0);
    if (session === undefined) return lsn;
    for (let reads = 0; lsn !== undefined && reads < READ_AGAIN_MAX; reads++) {
      if (reads > 0) await pause(READ_AGAIN_AFTER_MS, signal);
      const fresh = await readPiece(session, path, offset, data.blockBytes, { signal });
      // Gone, or cut before this page.
      if (fresh === undefined) return undefined;
      page.set(fresh);
      lsn = undefined;
      verifyPages(fresh, block, (_, found) => (lsn = found), data.blockBytes);
    }
    return lsn;
  }

  #file(number: number): StreamedFile {
    const file = this.#files.get(number);
    if (file === undefined) throw new RangeError(`there is no file ${number} on its way`);
    return file;
  }

  /** One piece less of the file is on its way, or its writing is over. */
  #settled(number: number): void {
    const file = this.#files.get(number);
    if (file !== undefined && --file.pending === 0) this.#files.delete(number);
  }
}

export interface FileWriter {
  /** Returns when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
}
