// How the service is, and what it can be asked.
//
// /livez asks nothing and nobody, so that an outage of the database or the repository restarts no process. /readyz says
// whether the service does its own work: its state can be read and its schedules turn. A repository that is away makes it
// no less ready: that is when somebody wants to see the console.

import { liveDocument, openApiDocument, readyDocument } from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import type { Api } from '../server.ts';
import { problems } from './shapes.ts';

const TURN_MS_MAX = 120_000;

export function monitoringRoutes(app: Api, parts: Parts): void {
  const open = { wants: 'open', rateLimit: false } as const;
  app.get(
    '/livez',
    { config: open, schema: { summary: 'The process lives', tags: ['monitoring'], response: { 200: liveDocument } } },
    async () => ({ alive: true as const }),
  );

  app.get(
    '/readyz',
    {
      config: open,
      schema: {
        summary: 'The service does its work',
        tags: ['monitoring'],
        response: { 200: readyDocument, 503: readyDocument },
      },
    },
    async (_request, reply) => {
      const why = whyNotReady(parts);
      if (why === null) return { ready: true, why };
      return reply.code(503).send({ ready: false, why });
    },
  );

  app.get(
    '/api/v1/openapi.json',
    {
      config: { wants: 'open' },
      schema: {
        summary: 'This API, as OpenAPI 3.1',
        tags: ['monitoring'],
        response: { 200: openApiDocument, ...problems },
      },
    },
    async () => app.swagger() as unknown as Record<string, unknown>,
  );
}

function whyNotReady({ database, dispatcher, clock }: Parts): string | null {
  try {
    database.get('SELECT count(*) AS jobs FROM job WHERE ended = 0');
  } catch (error) {
    return `its state cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return clock.now() - dispatcher.turnedAt > TURN_MS_MAX ? 'its schedules do not turn' : null;
}
