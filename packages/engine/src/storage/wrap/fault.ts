// A store that fails as it was told to, for tests: the same seed fails at the same calls.
//
// A failing put leaves nothing behind, or, as a full disk does, fails from a number of bytes or calls on for ever. A
// counted call can also be the last thing that the process ever does, or the first that no answer comes to.

import { SpillwayError } from '@spillway/contract';
import type { FaultPlan, Storage, StorageVerb } from '../port.ts';

export function withFaults(inner: Storage, plan: FaultPlan): Storage {
  const random = mulberry32(plan.seed);
  const { atCall } = plan;
  const calls = atCall && new Int32Array(atCall.counter);
  let written = 0;
  const full = (name: string): SpillwayError =>
    new SpillwayError('SPW_STORAGE_FULL', `writing ${name} failed in ${inner.description}`, {
      why: 'no space left (a fault asked for by a test)',
    });
  const unreachable = (verb: StorageVerb, name: string): SpillwayError =>
    new SpillwayError('SPW_STORAGE_UNREACHABLE', `${verb} of ${name} failed in ${inner.description}`, {
      why: 'a fault asked for by a test',
    });

  /** Counts the call, and lets happen what is to happen at it. */
  function count(verb: StorageVerb, name: string): void {
    if (atCall === undefined || calls === undefined) return;
    const number = atCall.verbs.includes(verb) ? Atomics.add(calls, 0, 1) + 1 : Atomics.load(calls, 0);
    if (number < atCall.call) return;
    if (atCall.what === 'kill') process.kill(process.pid, 'SIGKILL');
    if (atCall.what === 'unreachable') throw unreachable(verb, name);
    if (verb === 'put') throw full(name);
  }

  return {
    description: inner.description,
    ...(inner.lock !== undefined && { lock: inner.lock }),
    ...(inner.history !== undefined && { history: inner.history }),
    ...(inner.classes !== undefined && { classes: inner.classes }),
    async get(name, options) {
      count('get', name);
      return inner.get(name, options);
    },
    async *list(prefix, options) {
      count('list', prefix);
      yield* inner.list(prefix, options);
    },
    async stat(name, options) {
      count('stat', name);
      return inner.stat(name, options);
    },
    async remove(name, options) {
      count('remove', name);
      return inner.remove(name, options);
    },
    async replace(name, parts, options) {
      count('put', name);
      await inner.replace?.(name, parts, options);
    },
    async put(name, parts, options) {
      count('put', name);
      const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
      if (plan.capacityBytes !== undefined && written + bytes > plan.capacityBytes) throw full(name);
      if (random() < (plan.putFailure ?? 0)) {
        throw plan.failure === 'full' ? full(name) : unreachable('put', name);
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
