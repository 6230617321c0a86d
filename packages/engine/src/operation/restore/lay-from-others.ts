// Of packs that did not give what the index says: again by their own directories, and then from other packs, which may hold
// the same chunks.
//
// Who can write to the repository can make an index object or a pack that lies, sealed as it should be; but he takes away
// none that is true, and no content has another's id.

import { type Report, SpillwayError } from '@spillway/contract';
import { packName } from '../../format/names.ts';
import { readIndex, type RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { Crew } from '../crew.ts';
import { hasAll, wantedOf } from './chunks.ts';
import type { LayResult } from './lay-worker.ts';
import type { PlannedRestore } from './planned.ts';

/** By pack. */
export type BadPacks = Map<string, NonNullable<LayResult['bad']>>;

export interface FromOthers {
  readonly repository: Repository;
  readonly planned: PlannedRestore;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Throws what the first pack failed with, where no other has it. */
export async function layFromOthers(
  { planned, repository, report, signal, workers }: FromOthers,
  first: BadPacks,
  wanted: Uint8Array,
  run: (by: Crew, some: Uint8Array, from: RepositoryIndex) => Promise<BadPacks>,
): Promise<void> {
  const ids = planned.manifest.chunkIds;
  const distrust = { index: new Set<string>(), packs: new Set<string>() };
  let [bad, index, left] = [first, planned.index, wanted];
  while (bad.size > 0) {
    const [[, why] = []] = bad;
    left = wantedOf(new Set(bad.keys()), left, ids, index);
    for (const packId of bad.keys()) (distrust.index.has(packId) ? distrust.packs : distrust.index).add(packId);
    index = await readIndex(repository, { distrust, unnamed: true, signal });
    if (why !== undefined && !hasAll(left, ids, index)) {
      const { code, message, ...rest } = why;
      throw new SpillwayError(code, message, rest);
    }
    for (const [packId, { why: problem = 'it is not there' }] of bad) {
      const message = `${packName(packId)} does not hold what the index says: ${problem}. What is needed is looked for in other packs. Next: spillway verify`;
      report({ type: 'notice', level: 'warning', message });
    }
    await using crew = newCrew(workers);
    bad = await run(crew, left, index);
  }
}

export const newCrew = (workers: number): Crew => new Crew(new URL('./lay-worker.ts', import.meta.url), workers);
