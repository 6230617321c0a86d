// Writing a backup to several places at once.
//
//   1  at each further place: see that it is a copy of this repository, or make it; take the lock that a copy takes, so that
//      nobody collects there the packs that nothing names yet
//   2  the backup runs over a repository whose packs go to these places too (`storage/wrap/tee.ts`)
//   3  when it is listed at the first place, each other one is completed as `copy` does it (`run.ts`): the packs are there by
//      then, and a place that failed in between, or was away at the last backup, gets what it lacks
// A place that fails is behind, with why, and never ends the backup.

import { isSpillwayError, type Report, type SpillwayError } from '@spillway/contract';
import { copyLock } from '../../repository/hold.ts';
import { takeLock } from '../../repository/lock.ts';
import { preparePlace } from '../../repository/place.ts';
import { Repository } from '../../repository/repository.ts';
import type { StorageLocation } from '../../storage/port.ts';
import type { RetentionPolicy } from '../expire/policy.ts';
import { copy } from './run.ts';

export interface FurtherPlace {
  readonly name: string;
  readonly location: StorageLocation;
  readonly policy: RetentionPolicy;
}

export interface TeeOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly places: readonly FurtherPlace[];
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface PlaceOutcome {
  readonly place: string;
  /** Undefined where it is complete. */
  readonly failure: string | undefined;
}

/** Gives what `make` gave, and where it is by then. Throws what `make` throws. */
export async function throughPlaces<Made extends { readonly id: string }>(
  options: TeeOptions,
  make: (repository: Repository) => Promise<Made>,
): Promise<{ readonly made: Made; readonly places: readonly PlaceOutcome[] }> {
  const { repository, places } = options;
  if (places.length === 0) return { made: await make(repository), places: [] };
  const made = await teed(options, make);
  const outcomes: PlaceOutcome[] = [];
  for (const place of places) outcomes.push({ place: place.name, failure: await complete(options, place, made.id) });
  return { made, places: outcomes };
}

/** The locks end with the backup: who completes the place takes them again. */
async function teed<Made>(
  { repository, cluster, places, signal }: TeeOptions,
  make: (repository: Repository) => Promise<Made>,
): Promise<Made> {
  await using locks = new AsyncDisposableStack();
  const tee: StorageLocation[] = [];
  for (const { location } of places) {
    try {
      const { repository: target } = await preparePlace(repository, location, { signal });
      locks.use(
        await takeLock(target, copyLock(cluster), { holder: `backup of cluster ${cluster}`, waitMs: 0, signal }),
      );
      tee.push(location);
    } catch (error) {
      // Told when it is completed, or cannot be.
      if (!isSpillwayError(error) || signal.aborted) throw error;
    }
  }
  const location = tee.length === 0 ? repository.location : { ...repository.location, tee };
  return await make(new Repository({ ...repository.handle, location }));
}

/** Why the place is behind; undefined where all is there. */
async function complete(options: TeeOptions, place: FurtherPlace, id: string): Promise<string | undefined> {
  const { repository, cluster, workers, signal, report } = options;
  try {
    const { clusters } = await copy({
      source: repository,
      target: place.location,
      clusters: [{ name: cluster, policy: place.policy }],
      workers,
      signal,
      report,
    });
    const items = clusters.flatMap(({ backups, dumps }) => [...backups, ...dumps]);
    const own = items.find((each) => each.id === id);
    if (own?.outcome === 'copied' || own?.outcome === 'there') return undefined;
    const [damage] = clusters.flatMap((each) => each.damage);
    return damage === undefined ? 'its retention would not keep the backup' : `${damage.object}: ${damage.problem}`;
  } catch (error) {
    if (!isSpillwayError(error) || signal.aborted) throw error;
    return told(error);
  }
}

const told = ({ message, why }: SpillwayError): string => (why === undefined ? message : `${message}: ${why}`);
