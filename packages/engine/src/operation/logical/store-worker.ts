// One worker of a dump: takes the id of each chunk of a batch, and stores the chunks that nobody has.
// A batch lies in memory shared with the main thread, which uses it again when the result has come.

import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { ChunkIntake, type IntakeData } from '../chunk-intake.ts';
import { serveCrew } from '../crew.ts';

export type StoreData = IntakeData;

export interface StoreTask {
  readonly stream: number;
  /** Number of the batch in its stream. */
  readonly batch: number;
  readonly memory: SharedArrayBuffer;
  /** Of the chunks, one behind the other from the beginning of the memory. */
  readonly lengths: readonly number[];
  /** False where the table has no room for more: then a chunk may be stored twice, and nothing else happens. */
  readonly mayClaim: boolean;
}

export interface StoreResult {
  readonly stream: number;
  readonly batch: number;
  readonly memory: SharedArrayBuffer;
  readonly lengths: readonly number[];
  readonly ids: Uint8Array;
  readonly newBytes: number;
  readonly newChunks: number;
}

export type StoreFinal = readonly PackDirectory[];

serveCrew<StoreData, StoreTask, StoreResult, StoreFinal>((data) => {
  const intake = new ChunkIntake(data);

  return {
    async perform({ stream, batch, memory, lengths, mayClaim }) {
      const ids = new Uint8Array(lengths.length * CHUNK_ID_BYTES);
      let newBytes = 0;
      let newChunks = 0;
      let from = 0;
      for (const [n, length] of lengths.entries()) {
        const plain = Buffer.from(memory, from, length);
        from += length;
        if (!(await intake.take(plain, ids, n * CHUNK_ID_BYTES, mayClaim))) continue;
        newBytes += length;
        newChunks++;
      }
      return { result: { stream, batch, memory, lengths, ids, newBytes, newChunks } };
    },
    finish: () => intake.finish(),
  };
});
