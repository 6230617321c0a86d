// One worker of a restore: fetches a stretch of a pack, opens its chunks and writes each where it belongs.
//
// A stretch is one range read. Its chunks are authenticated one by one, hashed anew, and written straight to every file that
// has them. What a pack cannot give is a result: the same chunks may lie in another. Files are there already, of full length
// and empty: what is zero is never written.
//
// What was written is sent on to the disk beside the work, again and again (`WrittenFiles`), so that the sync at the end of the
// restore, which alone promises anything, finds little left to do.

import { type ErrorCode, isSpillwayError } from '@spillway/contract';
import { discard } from '../../codec/discard.ts';
import { chunkId, idKey } from '../../codec/keys.ts';
import { damaged } from '../../codec/seal.ts';
import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import { packName } from '../../format/names.ts';
import { elsewhere, takeDetours } from '../../repository/elsewhere.ts';
import { packOpener, type PackReference } from '../../repository/index-store.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import type { Detour } from '../../storage/wrap/several.ts';
import { serveCrew } from '../crew.ts';
import { WrittenFiles } from './written-files.ts';

export interface LayData {
  readonly repository: RepositoryHandle;
}

export interface LayTask {
  readonly pack: PackReference;
  readonly offset: number;
  readonly bytes: number;
  /** Of the chunks, one after the other: what each must be. */
  readonly ids: Uint8Array;
  readonly chunks: readonly {
    readonly offset: number;
    /** Number of the path and position, in turns. */
    readonly destinations: readonly number[];
  }[];
  /** Absolute, of the files that these chunks go into. */
  readonly paths: readonly string[];
}

export interface LayResult {
  readonly packId: string;
  /** Why what the pack should hold cannot be had from it. */
  readonly bad?: { readonly code: ErrorCode; readonly message: string; readonly why?: string; readonly hint?: string };
  readonly fetchedBytes: number;
  readonly writtenBytes: number;
  readonly detours: readonly Detour[];
}

serveCrew<LayData, LayTask, LayResult, undefined>((data) => {
  const repository = new Repository(data.repository);
  const key = idKey(data.repository.keys);
  const files = new WrittenFiles();

  return {
    async perform(task) {
      const { packId } = task.pack;
      try {
        const written = await elsewhere(repository, packName(packId), () => lay(task));
        return { result: { packId, ...written, detours: takeDetours(repository) } };
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) throw error;
        const { code, message, why, hint } = error;
        const bad = { code, message, ...(why !== undefined && { why }), hint };
        return { result: { packId, bad, fetchedBytes: 0, writtenBytes: 0, detours: takeDetours(repository) } };
      }
    },
    async finish() {
      await files.close();
      return undefined;
    },
  };

  /** Done again where a chunk turns out damaged: what was written by then is written once more, the same. */
  async function lay({
    pack,
    offset,
    bytes,
    ids,
    chunks,
    paths,
  }: LayTask): Promise<Pick<LayResult, 'fetchedBytes' | 'writtenBytes'>> {
    const name = packName(pack.packId);
    const opener = await packOpener(repository, pack);
    const stretch = await repository.storage.get(name, { range: { offset, bytes } });
    if (stretch.byteLength !== bytes) throw damaged(name, 'it was cut short');
    let writtenBytes = 0;
    for (const [n, chunk] of chunks.entries()) {
      const { plain } = opener.open(stretch, chunk.offset - offset, chunk.offset, false);
      // Whoever has the keys can seal anything; but not another content under the id that the manifest names.
      if (!chunkId(key, plain).equals(ids.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES))) {
        throw damaged(name, `the chunk at byte ${chunk.offset} is not the one of its id`);
      }
      for (let i = 0; i < chunk.destinations.length; i += 2) {
        files.write(paths[chunk.destinations[i] ?? 0] ?? '', plain, chunk.destinations[i + 1] ?? 0);
        writtenBytes += plain.byteLength;
      }
      discard(plain);
    }
    discard(stretch);
    await files.settle();
    return { fetchedBytes: bytes, writtenBytes };
  }
});
