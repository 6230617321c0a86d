// The way of a browser through OpenID Connect, and the session at its end. What is checked is told in http/oidc.ts.
//
// The page at the end sends the browser on by itself: a redirect would still count as coming from the provider, and the
// session's cookie is for what comes from here.

import { oidcCallbackQuery, pageDocument, redirectDocument } from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import { record } from '../act.ts';
import { CALLBACK_PATH, type OidcLogin, PENDING_MS } from '../oidc.ts';
import { Problem } from '../problem.ts';
import { type Api, SESSION_COOKIE } from '../server.ts';
import { sessionCookie } from './session.ts';
import { problems } from './shapes.ts';

const HANDLE_COOKIE = 'spillway_login';
const PAGE =
  '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>Spillway</title>';

export function oidcRoutes(app: Api, parts: Parts, login: OidcLogin | undefined): void {
  const { tokens, clock, configuration, database } = parts;
  const config = { wants: 'open', rateLimit: { max: 20, timeWindow: '1 minute' } } as const;
  const cookie = { ...sessionCookie(configuration.service), path: CALLBACK_PATH, sameSite: 'lax' } as const;
  const needLogin = (): OidcLogin => {
    if (login === undefined) throw new Problem('not_found', 'service.oidc is not configured');
    return login;
  };

  app.get(
    '/api/v1/oidc/login',
    {
      config,
      schema: {
        summary: 'Log in with OpenID Connect: to the provider',
        tags: ['session'],
        response: { 302: redirectDocument, ...problems },
      },
    },
    async (_request, reply) => {
      const { url, handle } = await needLogin().begin();
      return reply.setCookie(HANDLE_COOKIE, handle, { ...cookie, maxAge: PENDING_MS / 1000 }).redirect(url);
    },
  );

  app.get(
    CALLBACK_PATH,
    {
      config,
      schema: {
        summary: 'Log in with OpenID Connect: back from the provider',
        tags: ['session'],
        querystring: oidcCallbackQuery,
        response: { 200: pageDocument, ...problems },
      },
    },
    async (request, reply) => {
      const search = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
      const identity = await needLogin().finish(search, request.cookies[HANDLE_COOKIE]);
      const now = clock.now();
      const session = database.transaction(() => {
        const expiresAt = now + configuration.service.session;
        const { document } = tokens.create({ ...identity, createdBy: 'openid', now, expiresAt });
        const caller = { token: document.id, name: document.name, role: document.role };
        record(parts, request, caller, { action: 'session.open', details: { by: 'openid' } });
        return tokens.open(caller, now, configuration.service.session);
      });
      return reply
        .clearCookie(HANDLE_COOKIE, cookie)
        .setCookie(SESSION_COOKIE, session.secret, {
          ...sessionCookie(configuration.service),
          maxAge: Math.floor(configuration.service.session / 1000),
        })
        .header('cache-control', 'no-store')
        .type('text/html; charset=utf-8')
        .serializer((page: unknown) => String(page))
        .send(PAGE);
    },
  );
}
