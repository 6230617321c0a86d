// The stream of events. What it sends is told in http/streams.ts.

import { eventsQuery, eventStreamDocument } from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import { callerOf } from '../act.ts';
import type { Api } from '../server.ts';
import { problems, secured } from './shapes.ts';

export function eventRoutes(app: Api, { streams }: Parts): void {
  app.get(
    '/api/v1/events',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'What happens, as server-sent events: jobs, their progress and lines, receivers',
        description: 'Last-Event-ID goes on where a stream broke off; `reset` says that too much happened since.',
        tags: ['events'],
        security: secured,
        querystring: eventsQuery,
        produces: ['text/event-stream'],
        response: { 200: eventStreamDocument, ...problems },
      },
    },
    (request, reply) => {
      streams.open(request, reply, callerOf(request), request.query);
    },
  );
}
