// Memory that a burst of requests left behind is given back when the service is at rest again: V8 keeps the pages of a heap
// that has grown, and a process that mostly waits gives it no reason to look.
//
// 1. Every half a minute: where hardly anything was done since, and the process has grown by a third beyond what it had at rest
//    before, everything unused is collected and returned.
// 2. What it has after that is what growth is reckoned from, so that one that needs more is not troubled again and again.
// Only where the process was started with --expose-gc, as the program starts `serve`.

import type { Clock } from './clock.ts';

const TURN_MS = 30_000;
/** Of the time, in which something was done. */
const BUSY_MAX = 0.05;
const GROWN = 4 / 3;

export interface Heap {
  readonly rss: () => number;
  /** Share of the time since it was last asked. */
  readonly busy: () => number;
  /** Undefined where nothing can be collected on demand. */
  readonly collect: (() => void) | undefined;
}

export async function giveBackMemory(clock: Clock, signal: AbortSignal, heap: Heap = processHeap()): Promise<void> {
  const { collect } = heap;
  if (collect === undefined) return;
  for (let rest = heap.rss(); !signal.aborted; ) {
    const until = clock.now() + TURN_MS;
    while (!signal.aborted && clock.now() < until) await clock.until(until, signal);
    if (signal.aborted) return;
    const rss = heap.rss();
    if (heap.busy() > BUSY_MAX) continue;
    if (rss > rest * GROWN) {
      collect();
      rest = heap.rss();
    } else {
      rest = Math.min(rest, rss);
    }
  }
}

function processHeap(): Heap {
  let last = performance.eventLoopUtilization();
  const { gc } = globalThis;
  return {
    rss: () => process.memoryUsage.rss(),
    busy: () => {
      const { utilization } = performance.eventLoopUtilization(last);
      last = performance.eventLoopUtilization();
      return utilization;
    },
    collect: gc && (() => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })),
  };
}
