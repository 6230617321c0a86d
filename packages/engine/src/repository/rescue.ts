// Taking packs out of the lists of what is condemned, because something is going to need them again.
//
// A writer stores such chunks anew, under another name. A copy cannot: the object has its name already. So it strikes the
// packs from the lists, as a collection does with what is needed again, and under the same lock, so that none sweeps
// meanwhile. From then on they are like packs of a backup that is running: who condemns them again finds the copy at
// work, and waits for it.

import type { SpillwayError } from '@spillway/contract';
import { COLLECT_LOCK } from './collect.ts';
import { condemn, forget, listCondemned } from './condemned.ts';
import { LOCK_WAIT_MS, takeLock } from './lock.ts';
import type { Repository } from './repository.ts';

/** Gives how many were condemned. Throws where a list cannot be read: nobody knows then what it names. */
export async function rescue(
  repository: Repository,
  packIds: ReadonlySet<string>,
  options: { readonly holder: string; readonly signal: AbortSignal },
): Promise<number> {
  const { holder, signal } = options;
  const concerns = async (): Promise<boolean> => {
    const { condemned, unreadable } = await listCondemned(repository, signal);
    refuse(unreadable);
    return condemned.some((each) => each.packIds.some((packId) => packIds.has(packId)));
  };
  if (!(await concerns())) return 0;
  await using lock = await takeLock(repository, COLLECT_LOCK, {
    holder,
    waitMs: LOCK_WAIT_MS,
    // An expiry ends by itself, however long it takes.
    passing: () => true,
    signal,
  });
  const { condemned, unreadable } = await listCondemned(repository, signal);
  refuse(unreadable);
  let next = (condemned.at(-1)?.number ?? 0) + 1;
  let rescued = 0;
  for (const each of condemned) {
    const left = each.packIds.filter((packId) => !packIds.has(packId));
    if (left.length === each.packIds.length) continue;
    await lock.assertHeld();
    next = await condemn(repository, next, left, each.at, signal);
    await forget(repository, each, signal);
    rescued += each.packIds.length - left.length;
  }
  return rescued;
}

function refuse([broken]: readonly SpillwayError[]): void {
  if (broken !== undefined) throw broken;
}
