// The whole service, put together: started in the order in which the parts need one another, stopped in the reverse.
//
// 1. The folder of the state is held, so that no second service works with it; then the state is opened.
// 2. What a killed service left is ended: its processes first, then the jobs that were running are told as cut short.
// 3. It listens. Then the last successes are read from the repository, and only then does anything begin by schedule: a state
//    that was lost must not begin what was done an hour ago.
// 4. Stopping: no new requests and no new jobs; children are asked to end and waited for; then the state is closed.

import type { ConfigShowDocument, Configuration, ConfigurationNowDocument } from '@spillway/contract';
import { knownHeadNow, type Repository } from '@spillway/engine';
import { AuditTrail } from './audit-trail.ts';
import { EventBus } from './bus.ts';
import { type Clock, systemClock } from './clock.ts';
import { makeFirstToken } from './first-token.ts';
import { administrationRoutes } from './http/routes/administration.ts';
import { clusterRoutes } from './http/routes/clusters.ts';
import { consoleRoutes } from './http/routes/console.ts';
import { eventRoutes } from './http/routes/events.ts';
import { jobRoutes } from './http/routes/jobs.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { monitoringRoutes } from './http/routes/monitoring.ts';
import { oidcRoutes } from './http/routes/oidc.ts';
import { sessionRoutes } from './http/routes/session.ts';
import { standingRoutes } from './http/routes/standing.ts';
import { OidcLogin } from './http/oidc.ts';
import { type Api, makeHttp } from './http/server.ts';
import { EventStreams } from './http/streams.ts';
import { keepRenewed, readPair, type TlsFiles } from './http/tls.ts';
import type { Launch } from './job/child.ts';
import { endLeftovers } from './job/leftovers.ts';
import { JobRunner } from './job/runner.ts';
import { Metrics } from './metrics/metrics.ts';
import type { Channel } from './notify/channel.ts';
import { Notifier } from './notify/notifier.ts';
import type { Parts } from './parts.ts';
import { ReceiverSupervisor } from './receiver/supervisor.ts';
import { Readings } from './repository/readings.ts';
import { Dispatcher } from './schedule/dispatcher.ts';
import { type HasDrill, rulesOf } from './schedule/rules.ts';
import { AuditStore } from './state/audit.ts';
import { holdFolder, openState } from './state/database.ts';
import { JobStore } from './state/jobs.ts';
import { Marks } from './state/marks.ts';
import { TokenStore } from './state/tokens.ts';
import { giveBackMemory } from './thrift.ts';
import type { Watch } from './watch.ts';

export interface ServiceOptions {
  readonly version: string;
  readonly configuration: Configuration;
  readonly shown: ConfigShowDocument;
  /** Reads the configuration again, and tells what a start would say to it. */
  readonly recheck?: () => Promise<ConfigurationNowDocument>;
  /** Absolute; made where it is missing. */
  readonly stateFolder: string;
  /** Relative paths of `service` count from here. */
  readonly resolvePath: (path: readonly string[], value: string) => string;
  /** How the command line is started, with the words that name this configuration. */
  readonly launch: Launch;
  /** The client secret of `service.oidc`. */
  readonly oidcSecret?: string;
  /** With what it looks beyond the repository and the jobs. */
  readonly watch?: Watch;
  /** Without it a drill is begun whether its file is there or not, and says itself that it is not. */
  readonly hasDrill?: HasDrill;
  /** Of `notifications`, with their secrets. */
  readonly channels?: readonly Channel[];
  /** Where the built console is; undefined where it was not built. */
  readonly consoleFolder?: string | undefined;
  readonly openRepository: (signal: AbortSignal) => Promise<Repository>;
  readonly logStream: { readonly write: (line: string) => void };
  readonly logLevel: 'debug' | 'info' | 'warn';
  readonly clock?: Clock;
  /** How long a child may take to end when it is asked to. */
  readonly endWithinMs?: number;
}

export interface Service {
  /** Where it listens. */
  readonly url: string;
  /** Where the first administrator's token was written; null where there is one already. */
  readonly firstTokenFile: string | null;
  readonly api: Api;
  readonly parts: Parts;
  readonly stop: () => Promise<void>;
}

const END_WITHIN_MS = 30_000;
const LEARN_MS_MAX = 60_000;
const LEARN_AGAIN_MS = 300_000;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { configuration, stateFolder, launch, clock = systemClock, endWithinMs = END_WITHIN_MS } = options;
  const { service } = configuration;
  const held = holdFolder(stateFolder);
  const ends = { all: new AbortController(), work: new AbortController() };
  try {
    const { database, putAside } = openState(stateFolder, clock.now());
    const [jobs, marks, tokens, audit] = [
      new JobStore(database),
      new Marks(database),
      new TokenStore(database),
      new AuditStore(database),
    ];
    const files: TlsFiles | undefined = service.tls && {
      certificate: options.resolvePath(['service', 'tls', 'certificate_file'], service.tls.certificate_file),
      key: options.resolvePath(['service', 'tls', 'key_file'], service.tls.key_file),
    };
    const pair = files && (await readPair(files));
    const app = await makeHttp({
      tokens,
      clock,
      version: options.version,
      requestsPerMinute: service.requests_per_minute,
      eventClients: service.event_clients,
      tls: pair,
      isBehindProxy: service.plain_http,
      logStream: options.logStream,
      logLevel: options.logLevel,
    });
    const { log } = app;
    if (putAside !== null) log.warn({ put_aside: putAside }, 'the state was damaged; it was put aside, and made anew');

    const bus = new EventBus((error) => log.error({ err: error }, 'a listener failed'));
    const readings = new Readings({
      open: options.openRepository,
      clock,
      signal: ends.all.signal,
      watch: options.watch,
    });
    const clusters = Object.keys(configuration.clusters);
    const learn = async (cluster: string): Promise<void> => {
      const drill = configuration.clusters[cluster]?.schedules.drill_name ?? '';
      for (const [kind, at] of await readings.successes(cluster, drill)) marks.succeeded(cluster, kind, at);
    };
    const runner: JobRunner = new JobRunner({
      jobs,
      marks,
      bus,
      clock,
      launch,
      log,
      endWithinMs,
      onEnd: (job) => {
        readings.forget(job.cluster);
        dispatcher.ended(job);
        // Somebody else did the same: what he did may be what this job was for.
        if (job.error?.code === 'SPW_LOCKED') {
          learn(job.cluster).catch((error: unknown) => log.warn({ err: error }, 'the repository could not be asked'));
        }
      },
    });
    const rules = rulesOf(
      configuration,
      new Intl.DateTimeFormat().resolvedOptions().timeZone,
      options.hasDrill ?? (() => true),
    );
    const dispatcher: Dispatcher = new Dispatcher({
      database,
      jobs,
      marks,
      runner,
      clock,
      log,
      rules,
      jobsAtOnce: service.jobs_at_once,
      approvalWithinMs: service.approval_within,
      keepJobsMs: service.keep_jobs,
    });
    const receivers = new Map(
      clusters.flatMap((cluster): [string, ReceiverSupervisor][] =>
        configuration.clusters[cluster]?.schedules.receive === true
          ? [[cluster, new ReceiverSupervisor({ cluster, launch, marks, bus, clock, log, endWithinMs })]]
          : [],
      ),
    );
    const metrics: Metrics = new Metrics({
      version: options.version,
      configuration,
      clock,
      log,
      bus,
      database,
      dispatcher,
      rules,
      readings,
      receiver: (cluster) => receivers.get(cluster)?.document ?? null,
      watch: options.watch,
      intervalMs: service.metrics.interval,
      notifications: () => notifier.counts(),
    });
    const notifier: Notifier = new Notifier({
      settings: configuration.notifications,
      channels: options.channels ?? [],
      clusters: Object.keys(configuration.clusters),
      database,
      clock,
      log,
      facts: () => metrics.facts(),
      evidenceHead: (cluster) => readings.with((repository, signal) => knownHeadNow(repository, cluster, signal)),
    });
    const parts: Parts = {
      version: options.version,
      startedAt: clock.now(),
      configuration,
      shown: options.shown,
      recheck: options.recheck,
      fileDirectories: service.file_directories.map((folder) =>
        options.resolvePath(['service', 'file_directories'], folder),
      ),
      clock,
      database,
      jobs,
      marks,
      tokens,
      audit,
      trail: new AuditTrail({ audit, readings, clusters, clock, log }),
      bus,
      runner,
      dispatcher,
      readings,
      metrics,
      notifier,
      receivers,
      streams: new EventStreams({ bus, tokens, clock, limit: service.event_clients }),
    };
    monitoringRoutes(app, parts);
    metricsRoutes(app, parts);
    sessionRoutes(app, parts);
    oidcRoutes(
      app,
      parts,
      service.oidc && new OidcLogin({ settings: service.oidc, secret: options.oidcSecret, clock, log }),
    );
    clusterRoutes(app, parts);
    jobRoutes(app, parts);
    eventRoutes(app, parts);
    standingRoutes(app, parts);
    administrationRoutes(app, parts);
    await consoleRoutes(app, options.consoleFolder);

    await endLeftovers(marks, log, endWithinMs);
    runner.recover();
    const firstTokenFile = makeFirstToken(tokens, stateFolder, clock.now());

    const working: Promise<void>[] = [];
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      ends.work.abort();
      parts.streams[Symbol.dispose]();
      await app.close();
      await Promise.all([runner.stop(), ...working]);
      ends.all.abort();
      database[Symbol.dispose]();
      held[Symbol.dispose]();
    };
    try {
      const url = await app.listen({ host: service.host, port: service.port });
      working.push(work());
      return { url, firstTokenFile, api: app, parts, stop: () => (stopping ??= stop()) };
    } catch (error) {
      await stop();
      throw error;
    }

    async function work(): Promise<void> {
      const { signal } = ends.work;
      const chores = [...receivers.values()].map((receiver) => receiver.run(signal));
      if (files !== undefined && pair !== undefined) {
        // A server with a pair is one of node:https.
        const server = app.server as unknown as Parameters<typeof keepRenewed>[0]['server'];
        chores.push(keepRenewed({ server, files, inUse: pair, clock, log }, signal));
      }
      const learnt = Promise.withResolvers<void>();
      chores.push(parts.trail.run(signal), metrics.run(signal), notifier.run(signal), learnAll(learnt.resolve, signal));
      chores.push(giveBackMemory(signal, clock));
      // A repository that does not answer must not keep the schedules from turning for ever.
      const patience = AbortSignal.any([AbortSignal.timeout(LEARN_MS_MAX), signal]);
      await Promise.race([learnt.promise, new Promise((done) => patience.addEventListener('abort', done))]);
      if (!signal.aborted) await dispatcher.run(signal);
      await Promise.all(chores);
    }

    /** Until each cluster's last successes are known; tells when all have been asked once. */
    async function learnAll(asked: () => void, signal: AbortSignal): Promise<void> {
      for (let unknown = clusters; unknown.length > 0 && !signal.aborted; ) {
        const failed: string[] = [];
        for (const cluster of unknown) {
          try {
            await learn(cluster);
          } catch (error) {
            failed.push(cluster);
            if (!signal.aborted)
              log.warn({ cluster, err: error }, 'the last successes cannot be read from the repository');
          }
        }
        unknown = failed;
        asked();
        const until = clock.now() + LEARN_AGAIN_MS;
        while (unknown.length > 0 && !signal.aborted && clock.now() < until) await clock.until(until, signal);
      }
      asked();
    }
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}
