// Waiting, to look again. An abort ends it with the signal's own reason: a lock that was lost, say, and not only that
// something was aborted.

import { setTimeout as wait } from 'node:timers/promises';

export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(milliseconds, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
