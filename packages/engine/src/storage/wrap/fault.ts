// A store that fails as it was told to, for tests: the same seed fails at the same puts.
//
// A failing put leaves nothing behind, or, as a full disk does, fails from a number of bytes or puts on for ever. A
// counted put can also be the last thing that the process ever does.

import { SpillwayError } from '@spillway/contract';
import type { FaultPlan, Storage } from '../port.ts';

export function withFaults(inner: Storage, plan: FaultPlan): Storage {
  const random = mulberry32(plan.seed);
  let written = 0;
  return {
    description: inner.description,
    get: (name, options) => inner.get(name, options),
    list: (prefix, options) => inner.list(prefix, options),
    stat: (name, options) => inner.stat(name, options),
    remove: (name, options) => inner.remove(name, options),
    put: async (name, parts, options) => {
      const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
      const number = plan.atPut && Atomics.add(new Int32Array(plan.atPut.counter), 0, 1) + 1;
      const struck = plan.atPut !== undefined && number !== undefined && number >= plan.atPut.put;
      if (struck && plan.atPut.what === 'kill') process.kill(process.pid, 'SIGKILL');
      if (struck || (plan.capacityBytes !== undefined && written + bytes > plan.capacityBytes)) {
        throw new SpillwayError('SPW_STORAGE_FULL', `writing ${name} failed in ${inner.description}`, {
          why: 'no space left (a fault asked for by a test)',
        });
      }
      if (random() < (plan.putFailure ?? 0)) {
        const code = plan.failure === 'full' ? 'SPW_STORAGE_FULL' : 'SPW_STORAGE_UNREACHABLE';
        throw new SpillwayError(code, `writing ${name} failed in ${inner.description}`, {
          why: 'a fault asked for by a test',
        });
      }
      written += bytes;
      return inner.put(name, parts, options);
    },
  };
}

/** A small seeded generator of numbers from 0 to 1. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
