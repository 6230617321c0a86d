// Naming packs again that no index object names any more, though something needs them: somebody removed index objects.
//
// Packs tell themselves what they hold. All that no index names are named then, by one new object: whether one of them is
// needed shows afterwards, and a collection takes the others as it takes any pack that nothing needs. A pack of a backup that
// is running may be among them, which names it again when it ends; the same words twice do no harm.

import { isSpillwayError } from '@spillway/contract';
import type { PackDirectory } from '../format/pack.ts';
import { readIndex, readUnnamed, writeIndex } from './index-store.ts';
import { listNeeds, mark } from './mark.ts';
import type { Repository } from './repository.ts';

/** The packs that were named, or would be. None where nothing lacks any. */
export async function reindex(
  repository: Repository,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const needs = await listNeeds(repository, signal);
  const index = await readIndex(repository, { signal });
  if (index.unnamedPacks.length === 0) return [];
  try {
    await mark(repository, needs, index, signal);
    return [];
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) throw error;
  }
  const directories: readonly PackDirectory[] = await readUnnamed(repository, index.unnamedPacks, signal);
  if (!dryRun) await writeIndex(repository, directories, signal);
  return directories.map(({ packId }) => packId);
}
