// Tokens, the audit, and the configuration in force.

import {
  auditPageDocument,
  auditQuery,
  configShowDocument,
  configurationNowDocument,
  createdTokenDocument,
  tokenDocument,
  tokenParameter,
  tokenRequest,
  tokensDocument,
} from '@spillway/contract/schemas';
import type { Parts } from '../../parts.ts';
import { callerOf, record } from '../act.ts';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';
import { problems, secured, told } from './shapes.ts';

export function administrationRoutes(app: Api, parts: Parts): void {
  const { tokens, audit, clock, database } = parts;
  const tags = ['administration'];

  app.get(
    '/api/v1/tokens',
    {
      config: { wants: 'administrator' },
      schema: { summary: 'Tokens', tags, security: secured, response: { 200: tokensDocument, ...problems } },
    },
    async () => ({ tokens: [...tokens.list()] }),
  );

  app.post(
    '/api/v1/tokens',
    {
      config: { wants: 'administrator' },
      schema: {
        summary: 'Make a token, which is shown this one time',
        tags,
        security: secured,
        body: tokenRequest,
        response: { 201: createdTokenDocument, ...problems },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { name, role, expires_at: expires } = request.body;
      const expiresAt = expires === undefined ? undefined : Date.parse(expires);
      if (expiresAt !== undefined && expiresAt <= clock.now()) {
        throw new Problem('invalid_request', 'expires_at is in the past');
      }
      const made = database.transaction(() => {
        const created = tokens.create({ name, role, createdBy: caller.name, now: clock.now(), expiresAt });
        record(parts, request, caller, {
          action: 'token.create',
          subject: created.document.id,
          details: { name, role },
        });
        return created;
      });
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...made.document, token: made.token });
    },
  );

  app.delete(
    '/api/v1/tokens/:token',
    {
      config: { wants: 'administrator' },
      schema: {
        summary: 'Revoke a token, and end its sessions',
        tags,
        security: secured,
        params: tokenParameter,
        response: { 200: tokenDocument, ...problems },
      },
    },
    async (request) =>
      database.transaction(() => {
        const { token: id } = request.params;
        const known = tokens.list().find((each) => each.id === id);
        if (known === undefined) throw new Problem('not_found', `there is no token ${id}`);
        const { name, role } = known;
        record(parts, request, callerOf(request), { action: 'token.revoke', subject: id, details: { name, role } });
        return tokens.revoke(id, clock.now());
      }),
  );

  app.get(
    '/api/v1/audit',
    {
      config: { wants: 'operator' },
      schema: {
        summary: 'Who did what, newest first',
        tags,
        security: secured,
        querystring: auditQuery,
        response: { 200: auditPageDocument, ...problems },
      },
    },
    async ({ query: { limit, cursor, cluster } }) => {
      if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
        throw new Problem('invalid_request', 'there is no such cursor');
      const found = audit.list({
        cluster,
        before: cursor === undefined ? undefined : Number(cursor),
        limit: limit + 1,
      });
      const entries = found.slice(0, limit);
      return { entries: told(entries), next_cursor: found.length > limit ? String(entries.at(-1)?.id ?? '') : null };
    },
  );

  app.get(
    '/api/v1/configuration',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'Every setting in force and where it comes from, without secrets; as spillway config show',
        tags,
        security: secured,
        response: { 200: configShowDocument, ...problems },
      },
    },
    async () => told(parts.shown),
  );

  app.get(
    '/api/v1/configuration/check',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'What is wrong with the configuration as it is now, and what a start of the service would change',
        tags,
        security: secured,
        response: { 200: configurationNowDocument, ...problems },
      },
    },
    async () => {
      if (parts.recheck === undefined) throw new Problem('not_found', 'this service was given nothing to read again');
      return told(await parts.recheck());
    },
  );
}
