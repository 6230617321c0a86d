// Hands batches in, in order and one at a time, until each is acknowledged: the same key at every attempt, so that none is
// stored twice. What cannot be handed in now waits, up to a bound; beyond it the oldest is dropped, and counted.
//
// 1. A broken connection, a timeout, 429 and 5xx are tried again, later and later, or when Retry-After says.
// 2. Any other refusal is final: the batch is dropped and counted, for it would keep all behind it waiting.
// 3. Each acknowledgement can be noted in a ledger: what was promised, against which a drill counts what is there.

import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { SentReading } from './telemetry.ts';

const WAITING_MAX = 5000;
const ANSWER_WITHIN_MS = 15_000;
const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;

export interface Batch {
  readonly batch: string;
  readonly readings: readonly SentReading[];
}

export interface SenderOptions {
  readonly url: string;
  readonly token: string;
  readonly ledger?: Ledger;
  /** Told of what goes wrong and of what is well again. */
  readonly tell: (message: string) => void;
  readonly waitingMax?: number;
}

export interface Counts {
  readonly acknowledged: number;
  readonly dropped: number;
  readonly refused: number;
}

export class Sender {
  readonly #options: SenderOptions;
  #waiting: Batch[] = [];
  #wake = Promise.withResolvers<void>();
  #idle = Promise.withResolvers<void>();
  #counts = { acknowledged: 0, dropped: 0, refused: 0 };
  #isTroubled = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#idle.resolve();
  }

  get counts(): Counts {
    return this.#counts;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when nothing waits. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  enqueue(batch: Batch): void {
    if (this.#waiting.length === 0) this.#idle = Promise.withResolvers<void>();
    this.#waiting.push(batch);
    if (this.#waiting.length > (this.#options.waitingMax ?? WAITING_MAX)) {
      // The first may be on its way.
      this.#waiting.splice(1, 1);
      this.#counts.dropped += 1;
    }
    this.#wake.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake.resolve();
    signal.addEventListener('abort', wake, { once: true });
    while (!signal.aborted) {
      const [batch] = this.#waiting;
      if (batch === undefined) {
        this.#idle.resolve();
        this.#wake = Promise.withResolvers<void>();
        await this.#wake.promise;
      } else if (await this.#deliver(batch, signal)) this.#waiting.shift();
    }
  }

  /** True when the batch is done with. */
  async #deliver(batch: Batch, signal: AbortSignal): Promise<boolean> {
    for (let wait = RETRY_MS_MIN; !signal.aborted; wait = Math.min(RETRY_MS_MAX, wait * 2)) {
      const { answer, retryAfterMs } = await this.#attempt(batch, signal);
      if (answer === 'acknowledged' || answer === 'refused') {
        this.#counts[answer] += 1;
        if (answer === 'acknowledged') this.#well();
        return true;
      }
      const patience = retryAfterMs ?? wait * (0.5 + Math.random() / 2);
      await pause(Math.min(RETRY_MS_MAX, patience), undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  async #attempt(
    batch: Batch,
    signal: AbortSignal,
  ): Promise<{ readonly answer: 'acknowledged' | 'refused' | 'later'; readonly retryAfterMs?: number }> {
    const { url, token, ledger } = this.#options;
    try {
      const response = await fetch(new URL('/api/v1/readings', url), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(batch),
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      const text = await response.text();
      if (response.ok) {
        ledger?.note(batch, text.includes('"stored":"spool"') ? 'spool' : 'database');
        return { answer: 'acknowledged' };
      }
      const isFinal = response.status < 500 && response.status !== 429 && response.status !== 408;
      this.#trouble(`${isFinal ? 'a batch was refused' : 'a batch must wait'}: ${response.status} ${text}`, isFinal);
      if (isFinal) return { answer: 'refused' };
      const seconds = Number(response.headers.get('retry-after'));
      return seconds > 0 ? { answer: 'later', retryAfterMs: seconds * 1000 } : { answer: 'later' };
    } catch (error) {
      if (!signal.aborted) this.#trouble(`the monitor cannot be reached: ${reasonOf(error)}`, false);
      return { answer: 'later' };
    }
  }

  #trouble(message: string, always: boolean): void {
    if (always || !this.#isTroubled) this.#options.tell(message);
    if (!always) this.#isTroubled = true;
  }

  #well(): void {
    if (this.#isTroubled) this.#options.tell('batches are acknowledged again');
    this.#isTroubled = false;
  }
}

/** One line an acknowledgement: key, readings, where it was stored, our clock. */
export class Ledger {
  readonly #file: WriteStream;

  constructor(file: string) {
    this.#file = createWriteStream(file, { flags: 'a', mode: 0o600 });
  }

  note({ batch, readings }: Batch, stored: 'database' | 'spool'): void {
    this.#file.write(`${batch} ${readings.length} ${stored} ${new Date().toISOString()}\n`);
  }

  async close(): Promise<void> {
    if (this.#file.closed) return;
    this.#file.end();
    await once(this.#file, 'close');
  }
}

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
};
