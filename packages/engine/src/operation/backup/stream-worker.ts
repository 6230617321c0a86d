// One worker of a backup over the replication protocol: verifies the pages of the chunks of a batch and stores the chunks
// that nobody has. A batch lies in memory shared with the main thread, which uses it again when the result has come.
//
// A chunk with a wrong page is left to the main thread for now, where the page can be read again: the batch then comes
// back with what was read (`checked`), and only the chunks that were left are stored.

import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { verifyPages } from '../../postgres/page.ts';
import { ChunkIntake, type IntakeData } from '../chunk-intake.ts';
import { serveCrew } from '../crew.ts';

export interface StreamData extends IntakeData {
  readonly blockBytes: number;
}

/** A chunk in the memory of its batch. */
export interface StreamPiece {
  readonly file: number;
  /** Its number in the file. */
  readonly chunk: number;
  /** Where it begins: a multiple of eight, because pages are verified as words. */
  readonly at: number;
  readonly bytes: number;
  /** Number of its first block, counted over the relation's files; undefined where pages are not verified. */
  readonly firstBlock: number | undefined;
}

export interface StreamTask {
  readonly memory: SharedArrayBuffer;
  readonly pieces: readonly StreamPiece[];
  /** Pages of these pieces are not verified any more. */
  readonly checked: boolean;
  /** False where the chunk table has no room for more. */
  readonly mayClaim: boolean;
}

/** A piece that was not stored, because these of its blocks are wrong. */
export interface SuspectPiece {
  readonly piece: StreamPiece;
  readonly blocks: readonly number[];
}

export interface StreamResult {
  readonly memory: SharedArrayBuffer;
  /** Those that are in the repository now, and their ids. */
  readonly pieces: readonly StreamPiece[];
  readonly ids: Uint8Array;
  readonly suspects: readonly SuspectPiece[];
  readonly newBytes: number;
  readonly newChunks: number;
}

export type StreamFinal = readonly PackDirectory[];

serveCrew<StreamData, StreamTask, StreamResult, StreamFinal>((data) => {
  const intake = new ChunkIntake(data);

  function wrongBlocks({ memory, checked }: StreamTask, { at, bytes, firstBlock }: StreamPiece): readonly number[] {
    const wrong: number[] = [];
    if (checked || firstBlock === undefined) return wrong;
    verifyPages(new Uint8Array(memory, at, bytes), firstBlock, (block) => wrong.push(block), data.blockBytes);
    return wrong;
  }

  return {
    async perform(task) {
      const pieces: StreamPiece[] = [];
      const suspects: SuspectPiece[] = [];
      const ids = new Uint8Array(task.pieces.length * CHUNK_ID_BYTES);
      let newBytes = 0;
      let newChunks = 0;
      for (const piece of task.pieces) {
        const blocks = wrongBlocks(task, piece);
        if (blocks.length > 0) {
          suspects.push({ piece, blocks });
          continue;
        }
        const plain = Buffer.from(task.memory, piece.at, piece.bytes);
        if (await intake.take(plain, ids, pieces.length * CHUNK_ID_BYTES, task.mayClaim)) {
          newBytes += piece.bytes;
          newChunks++;
        }
        pieces.push(piece);
      }
      return { result: { memory: task.memory, pieces, ids, suspects, newBytes, newChunks } };
    },
    finish: () => intake.finish(),
  };
});
