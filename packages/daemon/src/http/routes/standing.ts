// How a cluster stands against its objectives, all of it; the overview has the gist.

import { clusterParameter, statusDocument } from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import { needCluster } from '../act.ts';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';
import { problems, secured, told } from './shapes.ts';

export function standingRoutes(app: Api, parts: Parts): void {
  const { readings } = parts;
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
}

const unwatched = (): Problem =>
  new Problem('not_found', 'this service was started without the means to look; start it with spillway serve');
