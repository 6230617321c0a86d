// What all threads of a process share about one store: counters, the pace of its bandwidth limit, and whether it ever
// answered. One piece of shared memory that goes along with the location, so that every thread that opens it counts there.

import type { StorageLocation } from './port.ts';

export const counterNames = [
  // Calls and bytes at the port, whatever the store.
  'get_calls',
  'get_bytes',
  'put_calls',
  'put_bytes',
  'list_calls',
  'stat_calls',
  'remove_calls',
  // Requests to a server, each attempt counted: that is what is paid for.
  'put_requests',
  'get_requests',
  'list_requests',
  'delete_requests',
  'sent_bytes',
  'received_bytes',
  'retries',
  'throttled',
] as const;

export type CounterName = (typeof counterNames)[number];
export type Counters = Readonly<Record<CounterName, number>>;

const PACE = 0;
const ANSWERED = 1;
const FIRST_COUNTER = 2;
const WORDS = FIRST_COUNTER + counterNames.length;
const indexOf = new Map(counterNames.map((name, index) => [name, FIRST_COUNTER + index]));

/** The location with memory to share; as it is where it has some. */
export const shareStorage = (location: StorageLocation): StorageLocation =>
  location.shared instanceof SharedArrayBuffer
    ? location
    : { ...location, shared: new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT) };

export class SharedState {
  readonly #words: BigInt64Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new BigInt64Array(shared);
  }

  count(name: CounterName, by = 1): void {
    Atomics.add(this.#words, indexOf.get(name) ?? 0, BigInt(by));
  }

  /** Whether the store has answered any thread of the process. */
  get answered(): boolean {
    return Atomics.load(this.#words, ANSWERED) !== 0n;
  }

  noteAnswer(): void {
    if (!this.answered) Atomics.store(this.#words, ANSWERED, 1n);
  }

  /** Replaces the pace by what `next` makes of it, as one step among all threads. */
  movePace(next: (pace: bigint) => bigint): bigint {
    for (;;) {
      const before = Atomics.load(this.#words, PACE);
      const after = next(before);
      if (Atomics.compareExchange(this.#words, PACE, before, after) === before) return after;
    }
  }

  read(): Counters {
    const entries = counterNames.map((name) => [name, Number(Atomics.load(this.#words, indexOf.get(name) ?? 0))]);
    return Object.fromEntries(entries) as Counters;
  }
}

/** What was counted in a store since its location was shared. */
export const countersOf = ({ shared }: StorageLocation): Counters =>
  new SharedState(shared ?? new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)).read();
