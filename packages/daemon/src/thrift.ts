// Memory that the start or a burst left behind is given back when the process is at rest: V8 keeps the pages of a heap that has
// grown, and the service and its receivers, which mostly wait, give it no reason to look.
//
// 1. Every half a minute: where hardly anything was done since, everything unused is collected and returned: once after the
//    start, and whenever the process has grown by a third beyond what it had at rest before.
// 2. What it has after that is what growth is reckoned from, so that one that needs more is not troubled again and again.
// Only where the process was started with --expose-gc, as the program starts `serve` and `wal receive`.

import { type Clock, systemClock } from './clock.ts';

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

/** Until the signal. */
export async function giveBackMemory(
  signal: AbortSignal,
  clock: Clock = systemClock,
  heap: Heap = processHeap(),
): Promise<void> {
  const { collect } = heap;
  if (collect === undefined) return;
  for (let rest = 0; !signal.aborted; ) {
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
