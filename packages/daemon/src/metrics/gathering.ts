// Readings that are gathered in the background, each on an interval of its own, so that whoever asks for metrics waits for
// nothing and nobody.
//
// 1. A reading is taken again when its interval has passed, or at once when somebody says that it has changed.
// 2. One that fails, or does not end in time, has no value from then on: a good value of before would say that all is well.
// 3. One that has not ended well for three intervals counts as failed too, whatever keeps it.
// Invariant: a value is younger than `FRESH_INTERVALS` intervals, or there is none.

import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

export interface Reading<Value> {
  /** What is read, such as `backups`. */
  readonly part: string;
  /** Null where it is about no single cluster. */
  readonly cluster: string | null;
  readonly everyMs: number;
  readonly read: (signal: AbortSignal) => Promise<Value>;
  /** Called when it fails and did not before, and the other way round. */
  readonly turned?: (() => void) | undefined;
}

export interface Taken<Value> {
  readonly part: string;
  readonly cluster: string | null;
  /** Undefined where it failed, is too old, or was never taken. */
  readonly value: Value | undefined;
  /** Seconds since it was last taken well; since the service started where it never was. */
  readonly ageSeconds: number;
  readonly durationSeconds: number | null;
  /** Null before the first attempt has ended, and where all is well. */
  readonly error: string | null;
}

const FRESH_INTERVALS = 3;
const READ_MS_MAX = 60_000;
const WHEN_FAILED_MS_MAX = 60_000;

export class Gathered<Value> {
  readonly #reading: Reading<Value>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #since: number;
  #value: Value | undefined;
  #takenAt: number | undefined;
  #durationMs: number | undefined;
  #error: string | null = null;
  #wake = new AbortController();

  constructor(reading: Reading<Value>, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#reading = reading;
    this.#clock = clock;
    this.#log = log;
    this.#since = clock.now();
  }

  get cluster(): string | null {
    return this.#reading.cluster;
  }

  taken(): Taken<Value> {
    const { part, cluster, everyMs } = this.#reading;
    const age = Math.max(0, this.#clock.now() - (this.#takenAt ?? this.#since));
    const old = this.#takenAt !== undefined && age > FRESH_INTERVALS * everyMs + READ_MS_MAX;
    return {
      part,
      cluster,
      value: old || this.#error !== null ? undefined : this.#value,
      ageSeconds: age / 1000,
      durationSeconds: this.#durationMs === undefined ? null : this.#durationMs / 1000,
      error: this.#error ?? (old ? 'it was not taken in time' : null),
    };
  }

  /** To be taken again at once. */
  touch(): void {
    this.#wake.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { everyMs } = this.#reading;
    const stop = (): void => this.touch();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      this.#wake = new AbortController();
      await this.take(signal);
      if (signal.aborted) return;
      const wait = this.#error === null ? everyMs : Math.min(everyMs, WHEN_FAILED_MS_MAX);
      const until = this.#clock.now() + wait;
      while (!this.#wake.signal.aborted && this.#clock.now() < until) {
        await this.#clock.until(until, this.#wake.signal);
      }
    }
  }

  async take(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const failedBefore = this.#error !== null;
    try {
      const value = await within(this.#reading.read, signal);
      this.#value = value;
      this.#takenAt = this.#clock.now();
      this.#error = null;
    } catch (error) {
      if (signal.aborted) return;
      this.#value = undefined;
      const message = error instanceof Error ? error.message : String(error);
      if (this.#error !== message) {
        const { part, cluster } = this.#reading;
        this.#log.warn({ part, cluster, err: error }, 'a reading for the metrics failed');
      }
      this.#error = message;
    }
    this.#durationMs = performance.now() - began;
    if (failedBefore !== (this.#error !== null)) this.#reading.turned?.();
  }
}

/** Also what heeds no signal ends in time, as far as anybody waits for it. */
async function within<Value>(read: (signal: AbortSignal) => Promise<Value>, signal: AbortSignal): Promise<Value> {
  const limit = AbortSignal.timeout(READ_MS_MAX);
  const either = AbortSignal.any([signal, limit]);
  const ended = new Promise<never>((_, reject) => {
    const end = (): void =>
      reject(new Error(limit.aborted ? `no answer within ${READ_MS_MAX / 1000} s` : 'the service stops'));
    if (either.aborted) end();
    else either.addEventListener('abort', end, { once: true });
  });
  return Promise.race([read(either), ended]);
}
