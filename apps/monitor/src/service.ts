// The whole service, put together: started in the order in which the parts need one another, stopped in the reverse.
//
// 1. What outlives the process is read first: the spool, the epoch, the sensors last known. So batches are taken from the
//    first moment, with the database or without.
// 2. The link makes each server ready before anybody uses it: migrations, partitions, the catalogue, the rules.
// 3. Stopping: no new requests; those under way are answered; what waits is written or spooled; then the link is let go.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { alertRoutes } from './api/alerts.ts';
import { readCallers } from './api/callers.ts';
import { type Api, makeHttp } from './api/http.ts';
import { monitoringRoutes } from './api/monitoring.ts';
import { networkRoutes } from './api/network.ts';
import { pageRoutes } from './api/page.ts';
import { readingRoutes } from './api/readings.ts';
import type { Resolve } from './database/address.ts';
import { EpochMemory } from './database/epoch.ts';
import { DatabaseLink } from './database/link.ts';
import { migrate } from './database/migrate.ts';
import { DAYS_AHEAD, forgetBatches, tidyPartitions } from './database/retention.ts';
import { makeFolder } from './durable-file.ts';
import { Intake } from './ingest/intake.ts';
import { daysAround, type KnownDays, storeGroup, storeTick } from './ingest/store.ts';
import { Metrics } from './metrics.ts';
import { readCatalogue, SensorMemory } from './network/catalogue.ts';
import { Problem } from './problem.ts';
import { RuleEngine } from './rules/engine.ts';
import type { Settings } from './settings.ts';
import { Spool } from './spool/spool.ts';

export const VERSION = '0.1.0';

const TICK_MS = 5000;
const CATALOGUE_MS = 30_000;
const TIDY_MS = 3_600_000;
const FORGET_MS = 60_000;

export interface Service {
  /** Where it listens. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export interface ServiceOptions {
  readonly now?: () => number;
  readonly resolve?: Resolve;
}

export async function startService(settings: Settings, options: ServiceOptions = {}): Promise<Service> {
  const now = options.now ?? Date.now;
  const { stateFolder } = settings;
  await makeFolder(stateFolder);
  const app = await makeHttp({
    callers: await readCallers(settings.tokensFile),
    version: VERSION,
    requestsPerMinute: settings.requestsPerMinute,
    logLevel: settings.logLevel,
  });
  const { log } = app;
  const spool = await Spool.open({ folder: join(stateFolder, 'spool'), limitBytes: settings.spoolBytes });
  const epochs = await EpochMemory.open(join(stateFolder, 'epoch.json'));
  const sensors = await SensorMemory.open(stateFolder);
  const metrics = new Metrics();
  let rules: RuleEngine | undefined;
  let days: KnownDays = new Set();

  const learn = async (client: pg.Client): Promise<void> => {
    const catalogue = await readCatalogue(client);
    await sensors.remember(catalogue.sensors);
    rules = new RuleEngine(catalogue, now(), rules);
  };
  const prepare = async (client: pg.Client): Promise<void> => {
    const migrations = await migrate(client);
    if (migrations.length > 0) log.info({ migrations }, 'the schema was brought up to date');
    await tidyPartitions(client, now(), settings.retentionDays);
    days = daysAround(now(), DAYS_AHEAD);
    await learn(client);
  };
  const link = new DatabaseLink({
    database: settings.database,
    epochs,
    acceptSystem: settings.acceptSystem,
    timeoutMs: settings.databaseTimeoutMs,
    prepare,
    log,
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
  });
  const intake = new Intake({
    link,
    spool,
    store: (batches) => link.write((client) => storeGroup(client, batches, needed(rules), days, now())),
    quarantineFolder: stateFolder,
    log,
    onStored: (outcomes, replayed) => metrics.stored(outcomes.filter((each) => each === 'stored').length, replayed),
  });
  const lastReadingAt = (): number | undefined => rules?.lastReadingAt;
  metrics.watch({ link, spool, intake, epochs, lastReadingAt });
  const onBatch = metrics.acknowledged.bind(metrics);
  readingRoutes(app, { intake, sensors, link, retentionDays: settings.retentionDays, now, onBatch });
  networkRoutes(app, link);
  alertRoutes(app, link);
  monitoringRoutes(app, {
    link,
    epochs,
    intake,
    spool,
    metrics,
    lastReadingAt,
    version: VERSION,
    startedAt: new Date(),
  });
  await pageRoutes(app);

  const ends = { intake: new AbortController(), link: new AbortController() };
  const linking = link.run(ends.link.signal);
  const taking = intake.run(ends.intake.signal);
  // Only between two pieces of writing, and only while nothing lies in the spool: what is there has arrived, if late.
  const whileDirect = async (work: (client: pg.Client) => Promise<unknown>): Promise<void> => {
    if (intake.mode === 'direct') await link.write(work);
  };
  const chores = [
    repeat(app, TICK_MS, ends.intake.signal, () => whileDirect((client) => storeTick(client, needed(rules), now()))),
    repeat(app, CATALOGUE_MS, ends.intake.signal, () => whileDirect(learn)),
    repeat(app, FORGET_MS, ends.intake.signal, () =>
      whileDirect((client) => forgetBatches(client, now(), settings.retentionDays)),
    ),
    repeat(app, TIDY_MS, ends.intake.signal, () =>
      whileDirect(async (client) => {
        const tidied = await tidyPartitions(client, now(), settings.retentionDays);
        days = daysAround(now(), DAYS_AHEAD);
        log.info(tidied, 'partitions were tidied');
      }),
    ),
  ];
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await app.close();
    ends.intake.abort();
    await Promise.all([taking, ...chores]);
    ends.link.abort();
    await linking;
    await spool.close();
  };
  try {
    const url = await app.listen({ host: settings.host, port: settings.port });
    return { url, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** There are rules wherever there was a server, and nothing is written before. */
function needed(rules: RuleEngine | undefined): RuleEngine {
  if (rules === undefined) throw new Problem('database_away', 'the rules were not read yet');
  return rules;
}

/** Failures of the database are the link's to mend; others are told. */
async function repeat({ log }: Api, everyMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await pause(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    await work().catch((error: unknown) => {
      if (!(error instanceof Problem)) log.error({ err: error }, 'a chore failed');
    });
  }
}
