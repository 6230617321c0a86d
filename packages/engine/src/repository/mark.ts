// Marking: which chunks does anything need? Every manifest of every backup and every dump of every cluster is read, and
// what it names is marked in the chunk table's slots: one bit a slot, and a sum of bytes a pack.
//
// Fail closed: a manifest that cannot be read, or one that needs a chunk that is not there, ends the marking with an
// error. Nobody knows then what may go, so nothing goes.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../format/chunk.ts';
import { dumpName, manifestName } from '../format/names.ts';
import { readDump } from './dump-store.ts';
import type { RepositoryIndex } from './index-store.ts';
import { readManifest } from './manifest-store.ts';
import type { Repository } from './repository.ts';

export interface Marked {
  /** By pack number: stored bytes of its chunks that something needs, and how many these are. */
  readonly liveBytes: Float64Array;
  readonly liveChunks: Uint32Array;
  /** Whether something needs the chunk of that slot of the index's table. */
  isLive(slot: number): boolean;
  readonly manifests: number;
}

/** Something that is listed and needs chunks. */
export interface Needs {
  readonly cluster: string;
  readonly id: string;
  readonly kind: 'backup' | 'dump';
}

/**
 * Throws SPW_OBJECT_DAMAGED or SPW_OBJECT_MISSING where it cannot be known what is needed. `without` are names of manifests
 * to be taken for gone already, to see what their going would set free.
 */
export async function mark(
  repository: Repository,
  listed: readonly Needs[],
  index: RepositoryIndex,
  signal?: AbortSignal,
  without: ReadonlySet<string> = new Set(),
): Promise<Marked> {
  const bits = new Uint8Array(Math.ceil(index.table.slots / 8));
  const liveBytes = new Float64Array(index.packs.length);
  const liveChunks = new Uint32Array(index.packs.length);
  let manifests = 0;
  for (const needs of listed) {
    if (without.has(nameOf(needs))) continue;
    const ids = await chunkIdsOf(repository, needs, signal);
    if (ids === undefined) continue;
    manifests += 1;
    let missing = 0;
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      if (isZeroChunk(ids, at)) continue;
      const slot = index.table.slotOf(ids, at);
      if (slot < 0) {
        missing += 1;
        continue;
      }
      const byte = slot >>> 3;
      const bit = 1 << (slot & 7);
      if (((bits[byte] ?? 0) & bit) !== 0) continue;
      bits[byte] = (bits[byte] ?? 0) | bit;
      const { pack, storedBytes } = index.table.placeIn(slot);
      liveBytes[pack] = (liveBytes[pack] ?? 0) + storedBytes;
      liveChunks[pack] = (liveChunks[pack] ?? 0) + 1;
    }
    if (missing > 0) {
      throw new SpillwayError('SPW_OBJECT_MISSING', 'no packs were collected', {
        why: `${missing} chunks of ${needs.kind} ${needs.id} of cluster ${needs.cluster} are missing or damaged`,
        hint: `find out what is wrong with the repository first; where that ${needs.kind} is given up, remove it with: spillway expire --backup ${needs.id}`,
      });
    }
  }
  return {
    liveBytes,
    liveChunks,
    isLive: (slot) => ((bits[slot >>> 3] ?? 0) & (1 << (slot & 7))) !== 0,
    manifests,
  };
}

/**
 * To be listed before the index is read: then every chunk of what is listed was named by an index object before, and a
 * backup that ends meanwhile does not look as if it lacked chunks.
 */
export async function listNeeds(repository: Repository, signal?: AbortSignal): Promise<readonly Needs[]> {
  const found: Needs[] = [];
  for await (const { name } of repository.storage.list('clusters/', signal && { signal })) {
    const [, cluster, folder, id] = name.split('/');
    if (cluster === undefined || id === undefined) continue;
    if (folder === 'backups') found.push({ cluster, id, kind: 'backup' });
    else if (folder === 'dumps') found.push({ cluster, id, kind: 'dump' });
  }
  return found;
}

const nameOf = ({ cluster, id, kind }: Needs): string =>
  kind === 'backup' ? manifestName(cluster, id) : dumpName(cluster, id);

/** Undefined where it was removed since it was listed, as somebody may remove a dump at any time. */
async function chunkIdsOf(
  repository: Repository,
  needs: Needs,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const { cluster, id, kind } = needs;
  const name = nameOf(needs);
  try {
    return kind === 'backup'
      ? (await readManifest(repository, cluster, id, signal)).chunkIds
      : (await readDump(repository, cluster, id, signal)).chunkIds;
  } catch (error) {
    if (!isSpillwayError(error)) throw error;
    const gone = error.code === 'SPW_OBJECT_MISSING';
    if (gone && (await repository.storage.stat(name, signal && { signal })) === undefined) return undefined;
    if (!gone && !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
    throw new SpillwayError(error.code, 'no packs were collected', {
      why: `${name} cannot be read, so nobody knows which chunks it needs: ${error.why ?? error.message}`,
      hint: 'bring the object back from a copy of the repository; where it is given up, remove it',
      cause: error,
    });
  }
}
