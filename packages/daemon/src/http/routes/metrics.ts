// What Prometheus scrapes. It names clusters and servers, so it wants a viewer's token, unless the configuration opens it.

import { metricsText } from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import type { Api } from '../server.ts';
import { problems, secured } from './shapes.ts';

export function metricsRoutes(app: Api, { metrics, configuration }: Parts): void {
  const { open } = configuration.service.metrics;
  app.get(
    '/metrics',
    {
      config: { wants: open ? 'open' : 'viewer' },
      schema: {
        summary: 'Metrics in OpenMetrics, or the older text format of Prometheus',
        tags: ['monitoring'],
        ...(open ? {} : { security: secured }),
        produces: ['application/openmetrics-text', 'text/plain'],
        response: { 200: metricsText, ...problems },
      },
    },
    async ({ headers }, reply) => {
      const { type, text } = await metrics.scrape(headers.accept);
      // Past the serializer of JSON.
      return reply
        .header('content-type', type)
        .serializer((payload: string) => payload)
        .send(text);
    },
  );
}
