// The last look of a writer that lost its lock while it wrote its manifest, having slept for long for example.
//
// Whoever took the lock away may have collected packs that the manifest needs. A manifest that is there before a
// collection looks keeps what it needs; so what counts is which of the two was first. No collection runs while this
// looks: it holds their lock. Where every chunk is there then, it stays. Else the manifest is taken away again.
// What is left is a writer that never wakes up to look: verification finds what it listed.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../format/chunk.ts';
import { HEAD_NAME, packName, RING } from '../format/names.ts';
import { COLLECT_LOCK } from './collect.ts';
import { readIndex } from './index-store.ts';
import { type Lock, LOCK_WAIT_MS, takeLock } from './lock.ts';
import type { Repository } from './repository.ts';
import { extendLocks, lastingNames } from './retention.ts';

export interface Written {
  readonly repository: Repository;
  /** Of the writer, which it should still hold. */
  readonly lock: Lock;
  /** The manifest's name, which is listed by now. */
  readonly name: string;
  /** `backup 2026… of cluster main`. */
  readonly what: string;
  readonly chunkIds: Uint8Array;
  readonly signal?: AbortSignal;
  readonly report: Report;
}

/**
 * Throws SPW_LOCK_LOST where the manifest had to be removed. Where the store takes nothing any more a warning says so: the
 * manifest is listed, the lock was held just before it, and who does not know must not remove it.
 */
export async function confirmWhole(written: Written): Promise<void> {
  await confirmThere(written);
  await lockNeeded(written);
}

async function confirmThere(written: Written): Promise<void> {
  const { repository, lock, name, what, chunkIds, signal } = written;
  try {
    return await lock.assertHeld();
  } catch (error) {
    if (isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_STORAGE_FULL')) {
      const why = error.why ?? error.message;
      const message = `Whether the lock was held until ${what} was listed cannot be seen: ${why}. Next: spillway verify`;
      return written.report({ type: 'notice', level: 'warning', message });
    }
    if (!isSpillwayError(error, 'SPW_LOCK_LOST')) throw error;
  }
  // An expiry ends by itself, however long it takes.
  await using _ = await takeLock(repository, COLLECT_LOCK, {
    holder: `look at ${what}`,
    waitMs: LOCK_WAIT_MS,
    passing: () => true,
    ...(signal && { signal }),
  });
  const { table } = await readIndex(repository, { only: chunkIds, ...(signal && { signal }) });
  let missing = 0;
  for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
    if (!isZeroChunk(chunkIds, at) && !table.has(chunkIds, at)) missing += 1;
  }
  if (missing === 0) return;
  await repository.storage.remove(name, { hide: true });
  throw new SpillwayError('SPW_LOCK_LOST', `${what} was given up`, {
    why: `its lock was lost before its manifest was there, and ${missing} of its chunks were collected meanwhile`,
    hint: 'run it again',
  });
}

/** In a store that locks: what the manifest builds upon was locked when it was put, which may be long ago. */
async function lockNeeded({ repository, chunkIds, what, signal, report }: Written): Promise<void> {
  if (repository.storage.lock === undefined) return;
  const now = new Date();
  try {
    const index = await readIndex(repository, { only: chunkIds, ...(signal && { signal }) });
    const names = new Set<string>();
    for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
      const place = isZeroChunk(chunkIds, at) ? undefined : index.table.find(chunkIds, at);
      const pack = place && index.packs[place.pack];
      if (pack !== undefined) names.add(packName(pack.packId));
    }
    for (const prefix of [HEAD_NAME, 'keys/', RING]) {
      for (const name of await lastingNames(repository, prefix, signal)) names.add(name);
    }
    await extendLocks(repository, names, { now, ...(signal && { signal }) });
  } catch (error) {
    if (!isSpillwayError(error) || signal?.aborted === true) throw error;
    const why = error.why ?? error.message;
    const message = `Not all that ${what} builds upon could be locked for longer: ${why}. The next backup or expiry tries again.`;
    report({ type: 'notice', level: 'warning', message });
  }
}
