// Keeps a WAL receiver running for each cluster: a child of the command line with --wait, started again when it ended.
//
// What becomes of it is decided by the receivers' table of states (control). With --wait a second service, or a receiver that
// somebody runs by hand, is no quarrel: whoever has the lock receives, the others stand by.

import type { ReceiverDocument, ReceiverState } from '@spillway/contract';
import { nextReceiverState, type ReceiverEvent, restAfter, STEADY_MS } from '@spillway/control';
import type { EventBus } from '../bus.ts';
import { type Clock, iso } from '../clock.ts';
import { type Child, type ChildEnd, type Launch, startChild } from '../job/child.ts';
import type { Logger } from '../log.ts';
import type { Marks } from '../state/marks.ts';

export interface ReceiverParts {
  readonly cluster: string;
  readonly launch: Launch;
  readonly marks: Marks;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly endWithinMs: number;
}

export class ReceiverSupervisor {
  readonly #parts: ReceiverParts;
  #state: ReceiverState = 'idle';
  #since: number;
  #restarts = 0;
  #failures = 0;
  #error: ReceiverDocument['error'] = null;
  #detail: string | null = null;

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
    this.#since = parts.clock.now();
  }

  get cluster(): string {
    return this.#parts.cluster;
  }

  get document(): ReceiverDocument {
    return {
      state: this.#state,
      since: iso(this.#since),
      restarts: this.#restarts,
      error: this.#error,
      detail: this.#detail,
    };
  }

  /** Until the signal; resolves when the receiver has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, cluster } = this.#parts;
    if (signal.aborted) return;
    this.#become('start');
    for (;;) {
      const end = await this.#receive(signal);
      if (signal.aborted) {
        this.#become('stop');
        if (this.#state === 'stopping') this.#become('ended');
        return;
      }
      if (this.#state === 'steady') this.#failures = 0;
      this.#failures++;
      this.#error = end.error;
      this.#become('ended');
      const rest = restAfter(this.#failures);
      log.warn(
        { cluster, code: end.error?.code, error: end.error?.message, rest_seconds: rest / 1000 },
        'the WAL receiver ended, and is started again',
      );
      const until = clock.now() + rest;
      while (!signal.aborted && clock.now() < until) await clock.until(until, signal);
      if (signal.aborted) {
        this.#become('stop');
        return;
      }
      this.#restarts++;
      this.#become('rested');
    }
  }

  async #receive(signal: AbortSignal): Promise<ChildEnd> {
    const { launch, cluster, marks, clock, log, endWithinMs } = this.#parts;
    const words = ['--cluster', cluster, '--json-lines', '--no-input', '--color=never', 'wal', 'receive', '--wait'];
    const child: Child = startChild(launch, words, {
      onLine: ({ level, message }) => {
        this.#detail = message;
        if (level === 'info') log.info({ cluster }, message);
        else log.warn({ cluster }, message);
        this.#publish();
      },
      onProgress: ({ phase, detail }) => {
        this.#detail = detail === null ? phase : `${phase}: ${detail}`;
        if (this.#state === 'running') this.#error = null;
      },
    });
    const owner = `receiver ${cluster}`;
    if (child.pid !== undefined && child.started !== undefined) {
      marks.startedChild({ owner, pid: child.pid, started: child.started });
    }
    let killer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.stop();
      killer = setTimeout(() => child.kill(), endWithinMs);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    const steady = new AbortController();
    void this.#becomeSteady(clock.now() + STEADY_MS, AbortSignal.any([steady.signal, signal]));
    try {
      return await child.ended;
    } finally {
      steady.abort();
      clearTimeout(killer);
      signal.removeEventListener('abort', stop);
      marks.endedChild(owner);
    }
  }

  async #becomeSteady(at: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted && clock.now() < at) await clock.until(at, signal);
    if (signal.aborted) return;
    this.#error = null;
    this.#become('steady');
  }

  #become(event: ReceiverEvent): void {
    const next = nextReceiverState(this.#state, event);
    if (next === this.#state) return;
    this.#state = next;
    this.#since = this.#parts.clock.now();
    this.#publish();
  }

  #publish(): void {
    this.#parts.bus.publish({ type: 'receiver', cluster: this.#parts.cluster, receiver: this.document });
  }
}
