// The files that a worker of a restore writes to, open while it does, and on their way to the disk meanwhile.
//
// 1. A file is opened when it is first written to. Of many the one that was opened first is closed.
// 2. Each time that so much was written to one, its data is synced beside the work: the kernel by itself would begin when a
//    tenth of the memory is dirty, and the sync at the end would wait for all of it.
// 3. `settle` waits where syncs are behind, so that a slow disk holds the work back instead of filling the memory.
// Nothing durable is promised here: the restore syncs everything at its end. But an error of these syncs ends the restore: the
// kernel tells of data that it could not write once, and the sync at the end would not hear of it any more.

import { close, closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';

const OPEN_FILES_MAX = 128;
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;
const SYNCS_AT_ONCE = 2;

const syncData = promisify(fdatasync);
const closeLater = promisify(close);

interface WrittenFile {
  readonly descriptor: number;
  unsynced: number;
  syncing: Promise<void> | undefined;
}

export class WrittenFiles {
  readonly #syncData: (descriptor: number) => Promise<void>;
  readonly #open = new Map<string, WrittenFile>();
  readonly #syncing = new Set<Promise<void>>();
  #failure: SpillwayError | undefined;

  constructor(sync: (descriptor: number) => Promise<void> = syncData) {
    this.#syncData = sync;
  }

  /** Throws SPW_RESTORE_FAILED. */
  write(path: string, bytes: Uint8Array, position: number): void {
    try {
      const file = this.#fileAt(path);
      for (let at = 0; at < bytes.byteLength; ) {
        at += writeSync(file.descriptor, bytes, at, bytes.byteLength - at, position + at);
      }
      file.unsynced += bytes.byteLength;
      if (file.unsynced >= SYNC_EVERY_BYTES && file.syncing === undefined) this.#sync(file, path);
    } catch (cause) {
      throw new SpillwayError('SPW_RESTORE_FAILED', `${path} could not be written`, { cause });
    }
  }

  /** Throws SPW_RESTORE_FAILED, also for what was written long ago. */
  async settle(): Promise<void> {
    while (this.#syncing.size > SYNCS_AT_ONCE) await Promise.race(this.#syncing);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The same. */
  async close(): Promise<void> {
    await Promise.all(this.#syncing);
    for (const { descriptor } of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
    await this.settle();
  }

  #fileAt(path: string): WrittenFile {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    if (this.#open.size >= OPEN_FILES_MAX) {
      const [oldest] = this.#open;
      if (oldest !== undefined) {
        this.#open.delete(oldest[0]);
        this.#let(oldest[1]);
      }
    }
    const file: WrittenFile = { descriptor: openSync(path, 'r+'), unsynced: 0, syncing: undefined };
    this.#open.set(path, file);
    return file;
  }

  #sync(file: WrittenFile, path: string): void {
    file.unsynced = 0;
    const syncing: Promise<void> = this.#syncData(file.descriptor)
      .catch((cause: unknown) => {
        this.#failure ??= new SpillwayError('SPW_RESTORE_FAILED', `${path} could not be written to its disk`, {
          cause,
        });
      })
      .finally(() => {
        this.#syncing.delete(syncing);
        file.syncing = undefined;
      });
    file.syncing = syncing;
    this.#syncing.add(syncing);
  }

  /** A descriptor must not be closed, and used for another file, while it is being synced. */
  #let({ descriptor, syncing }: WrittenFile): void {
    if (syncing === undefined) {
      closeSync(descriptor);
      return;
    }
    const closing: Promise<void> = syncing
      .then(() => closeLater(descriptor))
      .finally(() => this.#syncing.delete(closing));
    this.#syncing.add(closing);
  }
}
