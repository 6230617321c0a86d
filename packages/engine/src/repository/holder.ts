// Whether somebody who held a lock is still at work. One of whom that is not known, be it on another host, loses its lock
// here, once it has given no sign of life for long: then it cannot bring its work to an end, should it only have slept.

import { isSpillwayError } from '@spillway/contract';
import { type Holder, listHolders, LOCK_WAIT_MS, takeLock } from './lock.ts';
import type { Repository } from './repository.ts';

export interface LookOptions {
  readonly signal?: AbortSignal;
  /** How long to wait for a sign of life; without one for so long, it has ended. */
  readonly lockWaitMs?: number;
}

export async function isAtWork(repository: Repository, holder: Holder, options: LookOptions = {}): Promise<boolean> {
  const { signal, lockWaitMs } = options;
  const now = await listHolders(repository, signal);
  if (!now.some(({ purpose, token }) => purpose === holder.purpose && token === holder.token)) return false;
  try {
    const lock = await takeLock(repository, holder.purpose, {
      holder: 'look for holders that died',
      waitMs: lockWaitMs ?? LOCK_WAIT_MS,
      untilSign: true,
      ...(signal && { signal }),
    });
    await lock[Symbol.asyncDispose]();
    return false;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_LOCKED')) return true;
    throw error;
  }
}
