// Sessions of the console: opened with a token, held by a cookie that no script can read and no other site can send.

import type { ServiceConfiguration } from '@spillway/contract';
import { loginRequest, sessionDocument, sessionEnded } from '@spillway/contract/schemas';
import type { FastifyReply } from 'fastify';
import { iso } from '../../clock.ts';
import type { Parts } from '../../parts.ts';
import { csrfOf } from '../../state/tokens.ts';
import { callerOf, record } from '../act.ts';
import { Problem } from '../problem.ts';
import { type Api, refuseForeignOrigin, SESSION_COOKIE } from '../server.ts';
import { problems, secured } from './shapes.ts';

/** A cookie that no script reads and no other site sends. */
export const sessionCookie = (service: ServiceConfiguration) =>
  ({
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure: service.tls !== undefined || service.plain_http,
  }) as const;

export function sessionRoutes(app: Api, parts: Parts): void {
  const { tokens, clock, configuration } = parts;
  const cookie = sessionCookie(configuration.service);

  app.post(
    '/api/v1/session',
    {
      // So few that a token cannot be guessed, whatever the other limits are.
      config: { wants: 'open', rateLimit: { max: 10, timeWindow: '1 minute' } },
      schema: {
        summary: 'Open a session with a token',
        tags: ['session'],
        body: loginRequest,
        response: { 200: sessionDocument, ...problems },
      },
    },
    async (request, reply) => {
      refuseForeignOrigin(request);
      const caller = tokens.callerByToken(request.body.token, clock.now());
      if (caller === undefined) throw new Problem('unauthorised', 'the service knows no such token');
      const session = tokens.open(caller, clock.now(), configuration.service.session);
      record(parts, request, caller, { action: 'session.open' });
      setCookie(reply, session.secret, (session.expiresAt - clock.now()) / 1000);
      return { name: caller.name, role: caller.role, expires_at: iso(session.expiresAt), csrf_token: session.csrf };
    },
  );

  app.get(
    '/api/v1/session',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'Who the caller is',
        description: 'csrf_token is empty for a caller with a token, who needs none.',
        tags: ['session'],
        security: secured,
        response: { 200: sessionDocument, ...problems },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const secret = caller.by === 'session' ? (request.cookies[SESSION_COOKIE] ?? '') : '';
      const expires = tokens.expiryOf(secret) ?? clock.now() + configuration.service.session;
      return {
        name: caller.name,
        role: caller.role,
        expires_at: iso(expires),
        csrf_token: secret === '' ? '' : csrfOf(secret),
      };
    },
  );

  app.delete(
    '/api/v1/session',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'End the session',
        tags: ['session'],
        security: secured,
        response: { 200: sessionEnded, ...problems },
      },
    },
    async (request, reply) => {
      const secret = request.cookies[SESSION_COOKIE];
      if (secret !== undefined) tokens.close(secret);
      record(parts, request, callerOf(request), { action: 'session.close' });
      void reply.clearCookie(SESSION_COOKIE, cookie);
      return { ended: true as const };
    },
  );

  function setCookie(reply: FastifyReply, secret: string, seconds: number): void {
    void reply.setCookie(SESSION_COOKIE, secret, { ...cookie, maxAge: Math.floor(seconds) });
  }
}
