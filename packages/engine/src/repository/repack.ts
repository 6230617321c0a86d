// Packs of which little is still needed: what is needed moves into new packs, so that the old ones can go.
//
// 1. A live chunk is decrypted, which authenticates it, and sealed anew as it was compressed: a frame belongs to its
//    object, so the sealed bytes themselves cannot be copied.
// 2. The new packs and their index are durable when this returns. The old packs are left to be condemned by the caller.
// Memory: one old pack, and the writer's two.

import { SpillwayError } from '@spillway/contract';
import { DEFAULT_COMPRESSION_LEVEL } from '../codec/seal.ts';
import { CHUNK_ID_BYTES } from '../format/chunk.ts';
import { packName } from '../format/names.ts';
import { chunkOffsets } from '../format/pack.ts';
import { packOpener, type RepositoryIndex, writeIndex } from './index-store.ts';
import type { Marked } from './mark.ts';
import { readPackFooter } from './pack-footer.ts';
import { PackWriter } from './pack-writer.ts';
import type { Repository } from './repository.ts';

export interface Repacked {
  /** The packs of which nothing is needed any more. */
  readonly packIds: readonly string[];
  /** Bytes of these, and of the packs that hold what was needed of them. */
  readonly oldBytes: number;
  readonly newBytes: number;
}

/** Moves what is live of the packs with these numbers. */
export async function repack(
  repository: Repository,
  index: RepositoryIndex,
  marked: Marked,
  numbers: readonly number[],
  signal?: AbortSignal,
): Promise<Repacked> {
  const writer = new PackWriter(repository, DEFAULT_COMPRESSION_LEVEL, signal);
  const packIds: string[] = [];
  let oldBytes = 0;
  for (const number of numbers) {
    const pack = index.packs[number];
    if (pack === undefined) throw new SpillwayError('SPW_INTERNAL', `there is no pack number ${number}`);
    const name = packName(pack.packId);
    const bytes = await repository.storage.get(name, signal && { signal });
    const directory = await readPackFooter(repository, pack.packId, pack.packBytes, signal);
    const opener = await packOpener(repository, pack);
    let moved = 0;
    for (const [i, offset] of chunkOffsets(directory).entries()) {
      const slot = index.table.slotOf(directory.ids, i * CHUNK_ID_BYTES);
      if (slot < 0 || !marked.isLive(slot) || index.table.placeIn(slot).pack !== number) continue;
      const { body, plainBytes } = opener.openBody(bytes, offset, offset, false);
      writer.addBody(directory.ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES), body, plainBytes);
      moved += 1;
      if (writer.full) await writer.settle();
    }
    if (moved !== marked.liveChunks[number]) {
      throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, {
        why: `its footer names ${moved} of the ${marked.liveChunks[number]} chunks that the index says are needed`,
      });
    }
    packIds.push(pack.packId);
    oldBytes += pack.packBytes;
  }
  const directories = await writer.finish();
  await writeIndex(repository, directories, signal);
  return { packIds, oldBytes, newBytes: directories.reduce((sum, { packBytes }) => sum + packBytes, 0) };
}
