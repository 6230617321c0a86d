// How the service is: whether the process lives, whether it can do its work, the whole picture, and the metrics.
//
// /livez asks nothing and nobody, so that an outage of the database restarts no process. /readyz is for balancers.
// /api/v1/monitoring/health is for people and drills; it needs no token, and what the database counts for it
// is kept for a second.

import { z } from 'zod';
import type { DatabaseLink } from '../database/link.ts';
import type { EpochMemory } from '../database/epoch.ts';
import type { Intake } from '../ingest/intake.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { severities } from '../rules/rule.ts';
import type { Spool } from '../spool/spool.ts';
import type { Api } from './http.ts';
import { sensorStates } from './network.ts';
import { instant } from './shapes.ts';

const KEPT_MS = 1000;

const epochSchema = z.object({ system: z.string(), timeline: z.int() });

const healthSchema = z
  .object({
    status: z
      .enum(['ok', 'degraded', 'down'])
      .describe('down: the database cannot be used; degraded: it can, and something needs a look'),
    version: z.string(),
    started_at: instant,
    database: z.object({
      state: z.enum(['ready', 'away', 'refused']),
      why: z.string().nullable(),
      since: instant,
      version: z.string().nullable(),
      in_recovery: z.boolean().nullable(),
      epoch: epochSchema.nullable().describe('of the server in use: system identifier and timeline'),
      highest_epoch: epochSchema.nullable().describe('the highest that was ever written to'),
      standbys: z.array(
        z.object({ name: z.string(), state: z.string().nullable(), lag_seconds: z.number().nullable() }),
      ),
    }),
    ingest: z.object({
      mode: z.enum(['direct', 'spooling', 'catching up']),
      readings_per_second: z.number(),
      last_reading_at: instant.nullable(),
      last_reading_age_seconds: z.number().nullable(),
    }),
    spool: z.object({
      batches: z.int(),
      bytes: z.int(),
      limit_bytes: z.int(),
      quarantined: z.int(),
      damaged: z.int(),
    }),
    alerts: z
      .object({ standing: z.record(z.enum(severities), z.int()), unacknowledged: z.int() })
      .nullable()
      .describe('null while the database is away'),
    sensors: z.record(z.enum(sensorStates), z.int()).nullable().describe('by state; null while the database is away'),
  })
  .meta({ id: 'Health' });

type Health = z.output<typeof healthSchema>;

export interface MonitoringRoutes {
  readonly link: DatabaseLink;
  readonly epochs: EpochMemory;
  readonly intake: Intake;
  readonly spool: Spool;
  readonly metrics: Metrics;
  readonly lastReadingAt: () => number | undefined;
  readonly version: string;
  readonly startedAt: Date;
}

export function monitoringRoutes(app: Api, parts: MonitoringRoutes): void {
  const unlimited = { rateLimit: false };
  app.get(
    '/livez',
    { config: unlimited, schema: { summary: 'The process lives', tags: ['monitoring'] } },
    async () => ({
      alive: true,
    }),
  );

  app.get(
    '/readyz',
    {
      config: unlimited,
      schema: {
        summary: 'The database is reachable, not in recovery, and its migrations are done',
        tags: ['monitoring'],
        response: {
          '2xx': z.object({ ready: z.literal(true) }),
          503: z.object({ ready: z.literal(false), database: z.string(), why: z.string() }),
        },
      },
    },
    async (_request, reply) => {
      const { state } = parts.link;
      if (state.name === 'ready') return { ready: true as const };
      return reply.code(503).send({ ready: false as const, database: state.name, why: state.why });
    },
  );

  let kept: { readonly at: number; readonly counts: Promise<Counts> } | undefined;
  const counts = async (): Promise<Counts | undefined> => {
    if (!parts.link.isReady) return undefined;
    const now = performance.now();
    if (kept === undefined || now - kept.at > KEPT_MS) kept = { at: now, counts: readCounts(parts.link) };
    return kept.counts.catch((error: unknown) => {
      kept = undefined;
      if (error instanceof Problem) return undefined;
      throw error;
    });
  };
  app.get(
    '/api/v1/monitoring/health',
    {
      schema: {
        summary: 'The whole picture',
        description: 'Answered with 503 while the database cannot be used, so that a plain check sees it.',
        tags: ['monitoring'],
        response: { 200: healthSchema, 503: healthSchema },
      },
    },
    async (_request, reply) => {
      const health = healthOf(parts, await counts());
      if (health.status === 'down') return reply.code(503).header('retry-after', '2').send(health);
      return health;
    },
  );

  app.get('/metrics', { config: unlimited, schema: { hide: true } }, async (_request, reply) => {
    void reply.header('content-type', parts.metrics.registry.contentType);
    return parts.metrics.registry.metrics();
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

function healthOf(parts: MonitoringRoutes, counts: Counts | undefined): Health {
  const { link, intake, spool, epochs, metrics } = parts;
  const { state } = link;
  const server = state.name === 'ready' ? state.server : undefined;
  const { records, bytes, limitBytes } = spool.depth;
  const lastReadingAt = parts.lastReadingAt();
  const isWhole = intake.mode === 'direct' && intake.quarantined === 0 && spool.damaged === 0;
  return {
    status: counts === undefined || server === undefined ? 'down' : isWhole ? 'ok' : 'degraded',
    version: parts.version,
    started_at: parts.startedAt.toISOString(),
    database: {
      state: state.name,
      why: state.name === 'ready' ? null : state.why,
      since: state.since.toISOString(),
      version: server?.version ?? null,
      in_recovery: server?.inRecovery ?? null,
      epoch: server === undefined ? null : { system: server.system, timeline: server.timeline },
      highest_epoch: epochs.seen ?? null,
      standbys: counts?.standbys ?? [],
    },
    ingest: {
      mode: intake.mode,
      readings_per_second: metrics.readingsPerSecond,
      last_reading_at: lastReadingAt === undefined ? null : new Date(lastReadingAt).toISOString(),
      last_reading_age_seconds: lastReadingAt === undefined ? null : (Date.now() - lastReadingAt) / 1000,
    },
    spool: {
      batches: records,
      bytes,
      limit_bytes: limitBytes,
      quarantined: intake.quarantined,
      damaged: spool.damaged,
    },
    alerts: counts?.alerts ?? null,
    sensors: counts?.sensors ?? null,
  };
}

interface Counts {
  readonly alerts: NonNullable<Health['alerts']>;
  readonly sensors: NonNullable<Health['sensors']>;
  readonly standbys: Health['database']['standbys'];
}

async function readCounts(link: DatabaseLink): Promise<Counts> {
  const [row] = await link.read<Counts & { readonly unacknowledged: number }>(
    `SELECT (SELECT jsonb_build_object(
               'standing', jsonb_build_object(
                 'critical', count(*) FILTER (WHERE cleared_at IS NULL AND severity = 'critical'),
                 'warning', count(*) FILTER (WHERE cleared_at IS NULL AND severity = 'warning'),
                 'information', count(*) FILTER (WHERE cleared_at IS NULL AND severity = 'information')),
               'unacknowledged', count(*) FILTER (WHERE acknowledged_at IS NULL))
               FROM alert WHERE cleared_at IS NULL OR acknowledged_at IS NULL) AS alerts,
            (SELECT jsonb_object_agg(state, sensors)
               FROM (SELECT state, count(sensor_state.id) AS sensors
                       FROM unnest($1::text[]) AS state LEFT JOIN sensor_state USING (state) GROUP BY state) AS counted) AS sensors,
            (SELECT coalesce(jsonb_agg(jsonb_build_object('name', application_name, 'state', state,
                                                          'lag_seconds', extract(epoch FROM replay_lag))), '[]')
               FROM pg_stat_replication) AS standbys`,
    [sensorStates],
  );
  if (row === undefined) throw new Error('the database counted nothing');
  return row;
}
