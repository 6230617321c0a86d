// What there is: clusters, how they are, their backups, WAL, evidence and schedules.

import { setTimeout as sleep } from 'node:timers/promises';
import { SpillwayError, type StatusDocument } from '@spillway/contract';
import {
  backupsDocument,
  clusterDocument,
  clusterParameter,
  clustersDocument,
  evidenceListDocument,
  evidenceQuery,
  overviewDocument,
  schedulesDocument,
  walReportDocument,
} from '@spillway/contract/schemas';
import { iso } from '../../clock.ts';
import { overviewOf } from '../../overview.ts';
import type { Parts } from '../../parts.ts';
import { needCluster } from '../act.ts';
import type { Api } from '../server.ts';
import { SharedAnswer } from '../shared-answer.ts';
import { problems, secured, told } from './shapes.ts';

/** The first screen waits no longer for a source or a place that does not answer; what comes later is told to the next. */
const STANDING_MS_MAX = 2000;

export function clusterRoutes(app: Api, parts: Parts): void {
  const { readings, dispatcher, jobs, runner, receivers, configuration, clock, bus } = parts;
  const names = Object.keys(configuration.clusters);
  const viewer = { wants: 'viewer' } as const;

  const openJobs = (cluster: string) =>
    jobs
      .open()
      .filter((job) => job.cluster === cluster)
      .map((job) => ({ ...runner.documentOf(job), result: null }));

  const standingOf = async (
    cluster: string,
  ): Promise<{ readonly status: StatusDocument | null; readonly statusError: string | null }> => {
    if (!readings.canWatch) return { status: null, statusError: 'this service was started without the means to look' };
    const patience = new AbortController();
    const late = sleep(STANDING_MS_MAX, undefined, { signal: patience.signal, ref: false }).catch(() => undefined);
    try {
      const status = await Promise.race([readings.status(cluster), late]);
      if (status !== undefined) return { status, statusError: null };
      return { status: null, statusError: 'it is still being looked at; ask again in a moment' };
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      return { status: null, statusError: error.message };
    } finally {
      patience.abort();
    }
  };

  const describe = (name: string) => {
    const { host, port } = configuration.clusters[name]?.connection ?? { host: '', port: 0 };
    return told({
      name,
      host,
      port,
      receiver: receivers.get(name)?.document ?? null,
      schedules: dispatcher.documents(name),
      jobs: openJobs(name),
    });
  };

  // Put into words once for all who look.
  const overview = new SharedAnswer(async () => {
    const document = {
      at: iso(clock.now()),
      version: parts.version,
      started_at: iso(parts.startedAt),
      clusters: await Promise.all(
        names.map(async (name) => {
          const [read, standing] = await Promise.all([
            readings.backups(name).catch((error: unknown) => {
              if (error instanceof SpillwayError) return error;
              throw error;
            }),
            standingOf(name),
          ]);
          const failed = read instanceof SpillwayError;
          const found = overviewOf({
            name,
            backups: failed ? null : read,
            repositoryError: failed ? read.message : null,
            ...standing,
            receiver: receivers.get(name)?.document ?? null,
            schedules: dispatcher.documents(name),
            jobs: openJobs(name),
          });
          return told(found);
        }),
      ),
    };
    return { document, words: JSON.stringify(overviewDocument.encode(document)) };
  });
  bus.listen(({ event: { type } }) => {
    if (type === 'job' || type === 'receiver') overview.forget();
  });

  app.get(
    '/api/v1/overview',
    {
      config: viewer,
      schema: {
        summary:
          'Whether each cluster can be recovered, to when, how fast, when that was last shown, and what is wrong',
        tags: ['clusters'],
        security: secured,
        response: { 200: overviewDocument, ...problems },
      },
    },
    async (_request, reply) => {
      const { document, words } = await overview.ask();
      return reply
        .type('application/json; charset=utf-8')
        .serializer(() => words)
        .send(document);
    },
  );

  app.get(
    '/api/v1/clusters',
    {
      config: viewer,
      schema: {
        summary: 'The clusters, their schedules, receivers and jobs',
        tags: ['clusters'],
        security: secured,
        response: { 200: clustersDocument, ...problems },
      },
    },
    async () => ({ clusters: names.map((name) => describe(name)) }),
  );

  app.get(
    '/api/v1/clusters/:cluster',
    {
      config: viewer,
      schema: {
        summary: 'One cluster',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: clusterDocument, ...problems },
      },
    },
    async ({ params }) => describe(needCluster(parts, params.cluster)),
  );

  app.get(
    '/api/v1/clusters/:cluster/backups',
    {
      config: viewer,
      schema: {
        summary: 'Its backups and its recovery window; as spillway backups',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: backupsDocument, ...problems },
      },
    },
    async ({ params }) => told(await readings.backups(needCluster(parts, params.cluster))),
  );

  app.get(
    '/api/v1/clusters/:cluster/wal',
    {
      config: viewer,
      schema: {
        summary: 'Its WAL in the repository, and the gaps in it; as spillway wal check',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        response: { 200: walReportDocument, ...problems },
      },
    },
    async ({ params }) => told(await readings.wal(needCluster(parts, params.cluster))),
  );

  app.get(
    '/api/v1/clusters/:cluster/evidence',
    {
      config: viewer,
      schema: {
        summary: 'Signed records of verifications, restores, drills and actions; kind=drill gives the drills alone',
        tags: ['clusters'],
        security: secured,
        params: clusterParameter,
        querystring: evidenceQuery,
        response: { 200: evidenceListDocument, ...problems },
      },
    },
    async ({ params, query }) => {
      const cluster = needCluster(parts, params.cluster);
      const { records, unreadable } = await readings.evidence(cluster);
      return told({
        cluster,
        records: records.filter(({ kind }) => query.kind === undefined || kind === query.kind),
        unreadable,
      });
    },
  );

  app.get(
    '/api/v1/schedules',
    {
      config: viewer,
      schema: {
        summary: 'What runs by itself, and when',
        tags: ['clusters'],
        security: secured,
        response: { 200: schedulesDocument, ...problems },
      },
    },
    async () => ({ schedules: [...dispatcher.documents()] }),
  );
}
