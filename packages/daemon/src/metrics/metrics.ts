// The metrics of the service: readings of every part, gathered in the background, and what they are at the moment of a scrape.
//
// 1. What changes by itself (objectives, servers, jobs) is read every `intervalMs`; what only jobs change, or changes slowly,
//    every ten of those, and at once when a job of the cluster has ended, or the status cannot be read any more, or again: the
//    repository may have gone away.
// 2. A scrape reads nothing: it turns what was gathered into text.

import type { BackupsDocument, Configuration, ReceiverDocument, StatusDocument, WalReport } from '@spillway/contract';
import { hasEnded, type ServerSeen } from '@spillway/control';
import type { EvidenceList } from '@spillway/engine';
import type { EventBus } from '../bus.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Readings } from '../repository/readings.ts';
import type { Dispatcher } from '../schedule/dispatcher.ts';
import type { ScheduleRule } from '../schedule/rules.ts';
import type { Database } from '../state/database.ts';
import type { CertificateSeen, PlaceSeen, Watch } from '../watch.ts';
import { Exposition, formatOf } from './exposition.ts';
import { Gathered } from './gathering.ts';
import { readJobs } from './jobs-read.ts';
import { type Availability, type Room, takeAvailability, takeRooms } from './past.ts';
import { type Facts, type JobsRead, samplesOf, takesWrites } from './samples.ts';
import { ServerSeries } from './series.ts';

export interface MetricsParts {
  readonly version: string;
  readonly configuration: Configuration;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bus: EventBus;
  readonly database: Database;
  readonly dispatcher: Pick<Dispatcher, 'documents'>;
  readonly rules: readonly ScheduleRule[];
  readonly readings: Readings;
  readonly receiver: (cluster: string) => ReceiverDocument | null;
  /** Undefined where nobody can look further than the repository. */
  readonly watch: Watch | undefined;
  readonly intervalMs: number;
  readonly notifications: () => Facts['notifications'];
}

const SLOW_TIMES = 10;
/** A reading that is late by more than this does not tell of all the time since the one before. */
const REACH_TIMES = 3;

interface ClusterReadings {
  readonly cluster: string;
  readonly backups: Gathered<BackupsDocument>;
  readonly wal: Gathered<WalReport>;
  readonly evidence: Gathered<EvidenceList>;
  readonly jobs: Gathered<JobsRead>;
  readonly status: Gathered<StatusDocument> | undefined;
  readonly servers: Gathered<readonly ServerSeen[]> | undefined;
}

export class Metrics {
  readonly #parts: MetricsParts;
  readonly #exposition = new Exposition();
  readonly #series: ReadonlyMap<string, ServerSeries>;
  readonly #availability = new Map<string, Availability>();
  #rooms: readonly Room[] = [];
  readonly #clusters: readonly ClusterReadings[];
  readonly #places: Gathered<readonly PlaceSeen[]> | undefined;
  readonly #certificates: Gathered<readonly CertificateSeen[]> | undefined;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    const { configuration, readings, watch, intervalMs, clock } = parts;
    const gather = <Value>(
      part: string,
      cluster: string | null,
      times: number,
      read: (signal: AbortSignal) => Promise<Value>,
      turned?: () => void,
    ): Gathered<Value> => new Gathered({ part, cluster, everyMs: intervalMs * times, read, turned }, parts);
    this.#series = new Map(Object.keys(configuration.clusters).map((cluster) => [cluster, new ServerSeries()]));
    this.#clusters = Object.keys(configuration.clusters).map((cluster) => ({
      cluster,
      backups: gather('backups', cluster, SLOW_TIMES, () => readings.backups(cluster, intervalMs)),
      wal: gather('wal', cluster, SLOW_TIMES, () => readings.wal(cluster, intervalMs)),
      evidence: gather('evidence', cluster, SLOW_TIMES, () => readings.evidence(cluster, intervalMs)),
      jobs: gather('jobs', cluster, 1, async () => readJobs({ ...parts, cluster, now: clock.now() })),
      status:
        watch &&
        gather(
          'status',
          cluster,
          1,
          () => readings.status(cluster, intervalMs),
          () => this.#touchRepository(cluster),
        ),
      servers:
        watch &&
        gather('servers', cluster, 1, async (signal) => {
          const seen = await watch.servers(cluster, signal);
          const at = clock.now();
          this.#series.get(cluster)?.take(at, seen);
          const past = this.#availability.get(cluster);
          this.#availability.set(cluster, takeAvailability(past, at, takesWrites(seen), intervalMs * REACH_TIMES));
          return seen;
        }),
    }));
    this.#places =
      watch &&
      gather('places', null, SLOW_TIMES, async (signal) => {
        const seen = await watch.places(signal);
        this.#rooms = takeRooms(this.#rooms, clock.now(), seen);
        return seen;
      });
    this.#certificates = watch && gather('certificates', null, SLOW_TIMES, (signal) => watch.certificates(signal));
  }

  /** Until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#parts.bus.listen(({ event }) => {
      if (event.type === 'job' && hasEnded(event.job.state)) this.touch(event.cluster);
    });
    try {
      await Promise.all(this.#all().map((gathered) => gathered.run(signal)));
    } finally {
      stop();
    }
  }

  /** What is known of the cluster has changed. */
  touch(cluster: string): void {
    this.#touchRepository(cluster);
    for (const of of this.#clusters) {
      if (of.cluster === cluster) for (const gathered of [of.jobs, of.status]) gathered?.touch();
    }
  }

  #touchRepository(cluster: string): void {
    for (const of of this.#clusters) {
      if (of.cluster === cluster) for (const gathered of [of.backups, of.wal, of.evidence]) gathered.touch();
    }
  }

  /** What its servers did lately; undefined where nobody looks at them. */
  servers(cluster: string): ServerSeries | undefined {
    return this.#parts.watch && this.#series.get(cluster);
  }

  facts(): Facts {
    const { version, configuration, clock, receiver, notifications } = this.#parts;
    return {
      version,
      now: clock.now(),
      storageFloorBytes: configuration.service.metrics.storage_floor,
      clusters: this.#clusters.map(({ cluster, backups, wal, evidence, jobs, status, servers }) => {
        const { rpo, rto } = configuration.clusters[cluster]?.objectives ?? { rpo: 0, rto: 0 };
        return {
          cluster,
          objectives: { rpoSeconds: rpo / 1000, rtoSeconds: rto / 1000 },
          receiver: receiver(cluster),
          backups: backups.taken(),
          wal: wal.taken(),
          evidence: evidence.taken(),
          jobs: jobs.taken(),
          status: status?.taken(),
          servers: servers?.taken(),
          availability: this.#availability.get(cluster),
        };
      }),
      places: this.#places?.taken(),
      rooms: this.#rooms,
      certificates: this.#certificates?.taken(),
      notifications: notifications(),
    };
  }

  scrape(accept: string | undefined): Promise<{ readonly type: string; readonly text: string }> {
    return this.#exposition.render(samplesOf(this.facts()), formatOf(accept));
  }

  #all(): readonly Gathered<unknown>[] {
    return [
      ...this.#clusters.flatMap(
        ({ backups, wal, evidence, jobs, status, servers }): readonly (Gathered<unknown> | undefined)[] => [
          backups,
          wal,
          evidence,
          jobs,
          status,
          servers,
        ],
      ),
      this.#places,
      this.#certificates,
    ].filter((each) => each !== undefined);
  }
}
