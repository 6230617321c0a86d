// One worker of a backup: reads files in chunks, verifies their pages, and stores the chunks nobody has.
//
// For each chunk: read into the one buffer of this worker, verify page checksums in place, recognise zeros, take the
// id, claim it in the shared table, and only if the claim is won compress, seal and pack it. No byte of a file ever
// leaves this thread but sealed.
//
// A page whose checksum is wrong may have been read while PostgreSQL wrote it. It is read again; if it stays wrong and
// its LSN lies past the start of the backup, WAL replay will write it anew, so it is reported with that LSN for the main
// thread to compare with the end of the backup; otherwise it is damaged, kept as it is, and reported.

import { closeSync, openSync, readSync } from 'node:fs';
import { SpillwayError } from '@spillway/contract';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { verifyPages } from '../../postgres/page.ts';
import { allocatePages } from '../../postgres/page-sum.ts';
import { ChunkIntake, type IntakeData } from '../chunk-intake.ts';
import { serveCrew } from '../crew.ts';
import type { WrongPageOfFile } from './source.ts';

const READ_AGAIN_MAX = 3;

export interface CopyData extends IntakeData {
  readonly blockBytes: number;
  readonly startLsn: bigint;
}

/** A stretch of a file: from a multiple of the chunk length, to the next stretch or the file's end. */
export interface CopyItem {
  readonly file: number;
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  /** Undefined where pages are not verified. */
  readonly pages?: {
    /** As the server names the file. */
    readonly path: string;
    /** Number of the block at `offset`, counted over the relation's files. */
    readonly firstBlock: number;
  };
}

export interface CopyTask {
  readonly items: readonly CopyItem[];
}

export interface CopiedItem {
  readonly file: number;
  readonly offset: number;
  /** Less than was asked for where the file was cut meanwhile; undefined where it is gone. */
  readonly bytes: number | undefined;
  readonly ids: Uint8Array;
}

export interface CopyResult {
  readonly items: readonly CopiedItem[];
  readonly readBytes: number;
  readonly newBytes: number;
  readonly newChunks: number;
  readonly wrongPages: readonly WrongPageOfFile[];
}

export type CopyFinal = readonly PackDirectory[];

serveCrew<CopyData, CopyTask, CopyResult, CopyFinal>((data) => {
  const intake = new ChunkIntake(data);
  const chunk = allocatePages(CHUNK_BYTES);

  /** Writes its ids to `ids`, which has room for all of them. */
  async function copyItem(item: CopyItem, ids: Uint8Array, totals: Totals): Promise<CopiedItem> {
    const file = openUnlessGone(item.path);
    if (file === undefined) {
      return { file: item.file, offset: item.offset, bytes: undefined, ids: ids.subarray(0, 0) };
    }
    let done = 0;
    try {
      for (let at = 0; done < item.bytes; at += CHUNK_ID_BYTES) {
        const wanted = Math.min(CHUNK_BYTES, item.bytes - done);
        const got = readFully(file, chunk, wanted, item.offset + done, item.path);
        if (got > 0) {
          const plain = chunk.subarray(0, got);
          if (item.pages !== undefined) verify(item, item.pages, file, plain, done, totals);
          await store(plain, ids, at, totals);
          done += got;
        }
        if (got < wanted) break;
      }
    } finally {
      closeSync(file);
    }
    totals.readBytes += done;
    return {
      file: item.file,
      offset: item.offset,
      bytes: done,
      ids: ids.subarray(0, chunkCount(done) * CHUNK_ID_BYTES),
    };
  }

  async function store(plain: Buffer, ids: Uint8Array, at: number, totals: Totals): Promise<void> {
    if (!(await intake.take(plain, ids, at))) return;
    totals.newBytes += plain.length;
    totals.newChunks++;
  }

  function verify(
    item: CopyItem,
    { path, firstBlock: itemBlock }: NonNullable<CopyItem['pages']>,
    file: number,
    plain: Buffer,
    done: number,
    totals: Totals,
  ): void {
    const firstBlock = itemBlock + done / data.blockBytes;
    const wrong: number[] = [];
    verifyPages(plain, firstBlock, (block) => wrong.push(block), data.blockBytes);
    for (const block of wrong) {
      const at = (block - firstBlock) * data.blockBytes;
      const page = plain.subarray(at, at + data.blockBytes);
      let lsn: bigint | undefined;
      for (let again = 0; again < READ_AGAIN_MAX; again++) {
        lsn = undefined;
        // A buffer of its own: pages are verified as words, and a short read must not tear the chunk.
        const fresh = Buffer.allocUnsafeSlow(data.blockBytes);
        const got = readFully(file, fresh, data.blockBytes, item.offset + done + at, item.path);
        if (got < data.blockBytes) break;
        fresh.copy(page);
        verifyPages(
          fresh,
          block,
          (_, pageLsn) => {
            lsn = pageLsn;
          },
          data.blockBytes,
        );
        if (lsn === undefined || lsn >= data.startLsn) break;
      }
      if (lsn !== undefined) totals.wrongPages.push({ path, block, lsn });
    }
  }

  return {
    async perform(task) {
      const totals: Totals = { readBytes: 0, newBytes: 0, newChunks: 0, wrongPages: [] };
      const items: CopiedItem[] = [];
      // One buffer for the ids of a task: one each would take more memory than the ids, with a million small files.
      const ids = new Uint8Array(task.items.reduce((sum, { bytes }) => sum + chunkCount(bytes), 0) * CHUNK_ID_BYTES);
      let at = 0;
      for (const item of task.items) {
        const end = at + chunkCount(item.bytes) * CHUNK_ID_BYTES;
        items.push(await copyItem(item, ids.subarray(at, end), totals));
        at = end;
      }
      // Not transferred: the pack being written still refers to it.
      return { result: { items, ...totals } };
    },
    finish: () => intake.finish(),
  };
});

interface Totals {
  readBytes: number;
  newBytes: number;
  newChunks: number;
  readonly wrongPages: WrongPageOfFile[];
}

function openUnlessGone(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read`, { cause: error });
  }
}

/** Bytes read: fewer than wanted only at the file's end. */
function readFully(file: number, target: Buffer, bytes: number, position: number, path: string): number {
  let at = 0;
  try {
    while (at < bytes) {
      const got = readSync(file, target, at, bytes - at, position + at);
      if (got === 0) break;
      at += got;
    }
  } catch (cause) {
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read at byte ${position + at}`, {
      cause,
      hint: 'an unreadable sector of the disk looks like this; see the kernel log',
    });
  }
  return at;
}
