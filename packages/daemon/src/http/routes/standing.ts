// What the console asks beyond the repository's own documents: how a cluster stands against its objectives, how the last weeks
// went, and how much room there is.

import {
  clusterParameter,
  historyQuery,
  jobHistoryDocument,
  spaceDocument,
  statusDocument,
} from '@spillway/contract/schemas';
import { iso } from '../../clock.ts';
import type { Parts } from '../../parts.ts';
import { needCluster } from '../act.ts';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';
import { problems, secured, told } from './shapes.ts';

const DAY_MS = 86_400_000;
/** A month of a job every ten minutes. */
const HISTORY_MAX = 5000;

export function standingRoutes(app: Api, parts: Parts): void {
  const { readings, jobs, clock } = parts;
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
