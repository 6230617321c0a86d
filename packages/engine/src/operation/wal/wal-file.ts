// A file of the server's pg_wal that is read a few megabytes at a time.

import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { SpillwayError } from '@spillway/contract';

export class WalFile implements AsyncDisposable {
  readonly name: string;
  readonly #handle: FileHandle;
  /** As it was when it was opened. */
  readonly stat: BigIntStats;

  private constructor(name: string, handle: FileHandle, stat: BigIntStats) {
    this.name = name;
    this.#handle = handle;
    this.stat = stat;
  }

  static async open(path: string): Promise<WalFile> {
    const name = basename(path);
    try {
      const handle = await open(path, 'r');
      try {
        return new WalFile(name, handle, await handle.stat({ bigint: true }));
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw unreadable(name, error);
    }
  }

  get bytes(): number {
    return Number(this.stat.size);
  }

  /** Bytes [from, to), at the start of `buffer`; fewer where the file ends before. */
  async read(from: number, to: number, buffer: Buffer = Buffer.allocUnsafeSlow(to - from)): Promise<Buffer> {
    let filled = 0;
    try {
      while (filled < to - from) {
        const { bytesRead } = await this.#handle.read(buffer, filled, to - from - filled, from + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw unreadable(this.name, error);
    }
    return buffer.subarray(0, filled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

export const unreadable = (name: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_DATA_DIRECTORY', `${name} cannot be read`, {
    cause,
    hint: 'check the path that PostgreSQL gives as %p, and that this user may read it',
  });
