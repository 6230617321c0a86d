// What the console asks beyond the repository's own documents: how a cluster stands against its objectives, how the last weeks
// went, how its servers are, what keeps its backups, what is wrong, and how much room there is.

import {
  alertsDocument,
  clusterParameter,
  historyQuery,
  jobHistoryDocument,
  retentionDocument,
  serversDocument,
  spaceDocument,
  statusDocument,
} from '@spillway/contract/schemas';
import { policyOf } from '@spillway/control';
import { isPolicy } from '@spillway/engine';
import { iso } from '../../clock.ts';
import { conditionsOf } from '../../notify/conditions.ts';
import type { Parts } from '../../parts.ts';
import { needCluster } from '../act.ts';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';
import { problems, secured, told } from './shapes.ts';

const DAY_MS = 86_400_000;
/** A month of a job every ten minutes. */
const HISTORY_MAX = 5000;

export function standingRoutes(app: Api, parts: Parts): void {
  const { readings, jobs, clock, metrics, notifier, configuration } = parts;
  const viewer = { wants: 'viewer' } as const;

  app.get(
    '/api/v1/clusters/:cluster/status',
    {
      config: viewer,
      schema: {
        summary: 'RPO and RTO now, against the objectives; as spillway status',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: statusDocument, ...problems },
      },
    },
    async ({ params }) => {
      const cluster = needCluster(parts, params.cluster);
      if (!readings.canWatch) throw unwatched();
      return told(await readings.status(cluster));
    },
  );

  app.get(
    '/api/v1/clusters/:cluster/history',
    {
      config: viewer,
      schema: {
        summary: 'How each job of the last days went, in a line each; without what only looks',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        querystring: historyQuery,
        response: { 200: jobHistoryDocument, ...problems },
      },
    },
    async ({ params, query }) => {
      const cluster = needCluster(parts, params.cluster);
      const since = clock.now() - query.days * DAY_MS;
      const found = jobs.history(cluster, since, HISTORY_MAX + 1);
      const shown = found.slice(0, HISTORY_MAX).toReversed();
      return {
        cluster,
        since: iso(since),
        cut: found.length > HISTORY_MAX,
        jobs: shown.map(({ at, ...job }) => ({ ...job, at: iso(at) })),
      };
    },
  );

  app.get(
    '/api/v1/clusters/:cluster/servers',
    {
      config: viewer,
      schema: {
        summary: 'How its servers are, and what the first of them did since the service began',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: serversDocument, ...problems },
      },
    },
    async ({ params }) => {
      const cluster = needCluster(parts, params.cluster);
      const series = metrics.servers(cluster);
      if (series === undefined) throw unwatched();
      return {
        cluster,
        at: series.now === undefined ? null : iso(series.now.at),
        servers: (series.now?.servers ?? []).map(({ server, figures, problem, rates, statements }) => ({
          server,
          up: figures !== undefined,
          problem,
          figures:
            figures === undefined
              ? null
              : {
                  in_recovery: figures.inRecovery,
                  timeline: figures.timeline,
                  connections: figures.connections,
                  connections_max: figures.connectionsMax,
                  longest_transaction_seconds: figures.longestTransactionSeconds,
                  commits_per_second: rates.commitsPerSecond,
                  rollbacks_per_second: rates.rollbacksPerSecond,
                  hit_ratio: rates.hitRatio,
                  deadlocks: figures.deadlocks,
                },
          statements:
            statements === undefined
              ? null
              : {
                  at: iso(statements.at),
                  since: statements.since?.toISOString() ?? null,
                  missing: statements.missing,
                  top: statements.top.map(({ database, query, calls, totalMs, meanMs, maxMs }) => ({
                    database,
                    query,
                    calls,
                    total_ms: totalMs,
                    mean_ms: meanMs,
                    max_ms: maxMs,
                  })),
                },
        })),
        every_seconds: configuration.service.metrics.interval / 1000,
        series: series.points.map(({ at, connections, commitsPerSecond, hitRatio }) => ({
          at: iso(at),
          connections,
          commits_per_second: commitsPerSecond,
          hit_ratio: hitRatio,
        })),
      };
    },
  );

  app.get(
    '/api/v1/clusters/:cluster/retention',
    {
      config: viewer,
      schema: {
        summary: 'What keeps each backup by the configured rules; as the reasons of spillway expire --dry-run',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: retentionDocument, ...problems },
      },
    },
    async ({ params }) => {
      const cluster = needCluster(parts, params.cluster);
      const policy = policyOf(configuration.clusters[cluster]?.retention);
      const { backups } = await readings.retention(cluster, policy);
      return {
        cluster,
        expires: isPolicy(policy),
        backups: backups.map(({ id, keep, reasons }) => ({ id, keep, reasons: [...reasons] })),
      };
    },
  );

  app.get(
    '/api/v1/alerts',
    {
      config: viewer,
      schema: {
        summary: 'What is wrong by the rules of the alerts, and who was told of it',
        tags: ['clusters'],
        security: secured,
        response: { 200: alertsDocument, ...problems },
      },
    },
    async () => {
      const { memory } = notifier;
      const counts = notifier.counts();
      const counted = (channel: string, outcome: string): number =>
        counts.find((each) => each.channel === channel && each.outcome === outcome)?.count ?? 0;
      return {
        at: iso(clock.now()),
        alerts: conditionsOf(metrics.facts()).open.map(({ key, alert, cluster, severity, summary }) => {
          const known = memory[key];
          return {
            alert,
            cluster,
            severity,
            summary,
            since: known === undefined ? null : iso(known.since),
            told_at: known === undefined || known.toldAt === null ? null : iso(known.toldAt),
          };
        }),
        runbooks: configuration.notifications.runbooks?.replace(/\/+$/, '') ?? null,
        channels: [...new Set(counts.map(({ channel }) => channel))].map((channel) => ({
          channel,
          sent: counted(channel, 'sent'),
          failed: counted(channel, 'failed'),
        })),
      };
    },
  );

  app.get(
    '/api/v1/storage',
    {
      config: viewer,
      schema: {
        summary: 'The room under each place of the repository',
        tags: ['clusters'],
        security: secured,
        response: { 200: spaceDocument, ...problems },
      },
    },
    async () => {
      if (!readings.canWatch) throw unwatched();
      const places = await readings.places();
      return {
        places: places.map(({ place, availableBytes, sizeBytes }) => ({
          place,
          available_bytes: availableBytes,
          size_bytes: sizeBytes,
        })),
      };
    },
  );
}

const unwatched = (): Problem =>
  new Problem('not_found', 'this service was started without the means to look; start it with spillway serve');
