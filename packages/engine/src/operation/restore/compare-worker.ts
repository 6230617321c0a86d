// One worker of a restore in place: compares what files hold with what the backup says they held.
//
// Each chunk is read and its id taken with the repository's key; sizes and times are not trusted. A chunk that is to be
// zeros is made so at once (where mending is asked for): there is nothing to fetch for it. All others that differ are named,
// to be fetched.

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { SpillwayError } from '@spillway/contract';
import { chunkId, idKey } from '../../codec/keys.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { serveCrew } from '../crew.ts';

export interface CompareData {
  readonly repository: RepositoryHandle;
  readonly mend: boolean;
}

/** A stretch of a file, from a multiple of the chunk length on. */
export interface CompareItem {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  /** Number of the first chunk, counted over the whole backup. */
  readonly chunk: number;
  readonly ids: Uint8Array;
}

export interface CompareTask {
  readonly items: readonly CompareItem[];
}

export interface CompareResult {
  /** Numbers of chunks to be fetched. */
  readonly different: readonly number[];
  readonly comparedBytes: number;
  /** Bytes that became, or are to become, zeros. */
  readonly zeroedBytes: number;
  readonly differentBytes: number;
}

serveCrew<CompareData, CompareTask, CompareResult, undefined>((data) => {
  const key = idKey(new Repository(data.repository).keys);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const zeros = Buffer.alloc(CHUNK_BYTES);

  /** Bytes past the end count as zeros: that is what they become when the file gets its length. */
  function read(file: number, bytes: number, position: number): Buffer | undefined {
    let at = 0;
    try {
      while (at < bytes) {
        const got = readSync(file, buffer, at, bytes - at, position + at);
        if (got === 0) break;
        at += got;
      }
    } catch {
      // Not readable is different: what is wrong with the disk shows when it is written.
      return undefined;
    }
    return buffer.fill(0, at, bytes).subarray(0, bytes);
  }

  function compare(item: CompareItem, totals: Totals): void {
    const flags = (data.mend ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NOFOLLOW;
    const file = openSync(item.path, flags);
    try {
      for (let done = 0, i = 0; done < item.bytes; done += CHUNK_BYTES, i++) {
        const bytes = Math.min(CHUNK_BYTES, item.bytes - done);
        const position = item.offset + done;
        const plain = read(file, bytes, position);
        const ids = item.ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES);
        totals.comparedBytes += bytes;
        if (isZeroChunk(ids, 0)) {
          if (plain?.equals(zeros.subarray(0, bytes)) === true) continue;
          totals.zeroedBytes += bytes;
          if (data.mend) write(file, zeros.subarray(0, bytes), position);
        } else if (plain === undefined || !chunkId(key, plain).equals(ids)) {
          totals.different.push(item.chunk + i);
          totals.differentBytes += bytes;
        }
      }
    } catch (cause) {
      throw new SpillwayError('SPW_RESTORE_FAILED', `${item.path} could not be compared`, { cause });
    } finally {
      closeSync(file);
    }
  }

  return {
    async perform({ items }) {
      const totals: Totals = { different: [], comparedBytes: 0, zeroedBytes: 0, differentBytes: 0 };
      for (const item of items) compare(item, totals);
      return { result: totals };
    },
    async finish() {
      return undefined;
    },
  };
});

interface Totals {
  readonly different: number[];
  comparedBytes: number;
  zeroedBytes: number;
  differentBytes: number;
}

function write(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at, bytes.byteLength - at, position + at);
}
