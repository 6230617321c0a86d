// Carries what people did from the state into the repository, as signed evidence of the cluster that it was about.
//
// An action is written to the state in the moment it is done, whatever the repository does: it may be away, and that may be
// why somebody acts. From there it goes on as soon as it can, oldest first, one after the other. A record that was written
// twice, because the service died between writing and noting it, tells the same action twice and loses none.
// Actions about no cluster (tokens, sessions) stand with the first one that is configured.

import { writeEvidence } from '@spillway/engine';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { Readings } from './repository/readings.ts';
import type { AuditStore } from './state/audit.ts';

const AT_ONCE = 100;
const EVERY_MS = 30_000;
const WAIT_MS_MAX = 15 * 60_000;

export class AuditTrail {
  readonly #parts: {
    readonly audit: AuditStore;
    readonly readings: Readings;
    readonly clusters: readonly string[];
    readonly clock: Clock;
    readonly log: Logger;
  };
  #wake = new AbortController();

  constructor(parts: {
    readonly audit: AuditStore;
    readonly readings: Readings;
    readonly clusters: readonly string[];
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#parts = parts;
  }

  wake(): void {
    this.#wake.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const stop = (): void => this.wake();
    signal.addEventListener('abort', stop, { once: true });
    let failures = 0;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.carry(signal);
        failures = 0;
      } catch (error) {
        failures++;
        log.warn({ err: error, failures }, 'actions are not in the repository yet; they are kept, and tried again');
      }
      const wait = Math.min(WAIT_MS_MAX, EVERY_MS * 2 ** Math.min(failures, 10));
      if (!signal.aborted) await clock.until(clock.now() + wait, failures === 0 ? this.#wake.signal : signal);
    }
  }

  /** Returns how many were written. */
  async carry(signal: AbortSignal): Promise<number> {
    const { audit, readings, clusters } = this.#parts;
    const [first] = clusters;
    let carried = 0;
    if (first === undefined) return carried;
    for (;;) {
      const waiting = audit.unwritten(AT_ONCE);
      if (waiting.length === 0) return carried;
      for (const { id, at, cluster, evidence: _, ...told } of waiting) {
        signal.throwIfAborted();
        const record = await readings.with((repository, until) =>
          writeEvidence(
            repository,
            {
              kind: 'action',
              cluster: cluster !== null && clusters.includes(cluster) ? cluster : first,
              backup: null,
              level: 'action',
              result: 'passed',
              started_at: at,
              finished_at: at,
              details: { ...told },
            },
            until,
          ),
        );
        audit.written(id, record.id);
        carried++;
      }
    }
  }
}
