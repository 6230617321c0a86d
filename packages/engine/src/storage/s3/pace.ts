// The bandwidth limit: a bucket of tokens that all threads of the process draw from, kept as one moment in shared memory.
//
// The moment is the one up to which the bandwidth is spoken for. Whoever wants to move bytes puts it further by what they
// take at the limit, and waits until it. It never lags behind now by more than a tenth of a second: that is the burst.

import { setTimeout as wait } from 'node:timers/promises';
import type { SharedState } from '../process-state.ts';

const SECOND_NS = 1_000_000_000;
const BURST_NS = 100_000_000n;
const SLICE_MAX = 64 * 1024;
const SLICE_MIN = 1024;

/** Where the moment is after `bytes` more, in nanoseconds. */
export function movedPace(pace: bigint, now: bigint, bytes: number, bytesPerSecond: number): bigint {
  const from = pace > now - BURST_NS ? pace : now - BURST_NS;
  return from + BigInt(Math.ceil((bytes / bytesPerSecond) * SECOND_NS));
}

export class Pacer {
  readonly #shared: SharedState;
  readonly #bytesPerSecond: number;

  constructor(shared: SharedState, bytesPerSecond: number) {
    this.#shared = shared;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** How many bytes go at once: a twentieth of a second's, so that many requests side by side all keep moving. */
  get slice(): number {
    return Math.floor(Math.max(SLICE_MIN, Math.min(SLICE_MAX, this.#bytesPerSecond / 20)));
  }

  /** Returns when `bytes` may go. `onWait` is told how long that takes. */
  async take(bytes: number, onWait: (milliseconds: number) => void, signal?: AbortSignal): Promise<void> {
    const now = process.hrtime.bigint();
    const until = this.#shared.movePace((pace) => movedPace(pace, now, bytes, this.#bytesPerSecond));
    const milliseconds = Number(until - now) / 1e6;
    if (milliseconds < 1) return;
    onWait(milliseconds);
    await wait(milliseconds, undefined, signal && { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}
