// What Prometheus scrapes, and the rate of ingest over the last seconds that people read. Gauges ask at scrape time.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { DatabaseLink } from './database/link.ts';
import type { EpochMemory } from './database/epoch.ts';
import type { Batch } from './ingest/batch.ts';
import type { Intake } from './ingest/intake.ts';
import type { Spool } from './spool/spool.ts';

const RATE_SECONDS = 60;

export class Metrics {
  readonly registry = new Registry();
  readonly #acknowledged: Counter;
  readonly #stored: Counter<'way'>;
  readonly #seconds: Histogram;
  readonly #perSecond = new Map<number, number>();
  readonly #since = Math.floor(Date.now() / 1000);

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#acknowledged = new Counter({
      name: 'monitor_readings_acknowledged_total',
      help: 'Readings acknowledged to their senders',
      registers,
    });
    this.#stored = new Counter({
      name: 'monitor_batches_stored_total',
      help: 'Batches committed in the database, directly or replayed from the spool',
      labelNames: ['way'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'monitor_batch_seconds',
      help: 'From a batch read to its acknowledgement',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
  }

  watch(parts: {
    readonly link: DatabaseLink;
    readonly spool: Spool;
    readonly intake: Intake;
    readonly epochs: EpochMemory;
    readonly lastReadingAt: () => number | undefined;
  }): void {
    const { link, spool, intake, epochs } = parts;
    const gauge = (name: string, help: string, value: () => number): void => {
      const made: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => made.set(value()) });
    };
    gauge('monitor_database_ready', '1 while the database can be used', () => (link.isReady ? 1 : 0));
    gauge('monitor_epoch_timeline', 'Highest timeline that was written to', () => epochs.seen?.timeline ?? 0);
    gauge('monitor_spool_batches', 'Batches that wait on disk', () => spool.depth.records);
    gauge('monitor_spool_bytes', 'Bytes of the spool', () => spool.depth.bytes);
    gauge('monitor_spool_limit_bytes', 'Bytes that the spool may take', () => spool.depth.limitBytes);
    gauge('monitor_quarantined_batches', 'Acknowledged batches that the database refused', () => intake.quarantined);
    gauge(
      'monitor_last_reading_seconds',
      'Time of the newest reading, since 1970',
      () => (parts.lastReadingAt() ?? 0) / 1000,
    );
  }

  acknowledged({ readings }: Pick<Batch, 'readings'>, milliseconds: number): void {
    this.#acknowledged.inc(readings.length);
    this.#seconds.observe(milliseconds / 1000);
    const second = Math.floor(Date.now() / 1000);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + readings.length);
    for (const old of this.#perSecond.keys()) {
      if (old >= second - RATE_SECONDS) break;
      this.#perSecond.delete(old);
    }
  }

  stored(batches: number, replayed: boolean): void {
    this.#stored.inc({ way: replayed ? 'spool' : 'direct' }, batches);
  }

  /** Readings acknowledged a second, over the last whole seconds. */
  get readingsPerSecond(): number {
    const now = Math.floor(Date.now() / 1000);
    const seconds = Math.min(RATE_SECONDS, now - this.#since);
    let sum = 0;
    for (const [second, readings] of this.#perSecond) if (second >= now - seconds && second < now) sum += readings;
    return seconds === 0 ? 0 : Math.round((sum / seconds) * 10) / 10;
  }
}
