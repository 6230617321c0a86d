// What routes share where somebody does something: who he is, and that it is written down.

import type { FastifyRequest } from 'fastify';
import type { Parts } from '../parts.ts';
import type { Caller } from '../state/tokens.ts';
import { Problem } from './problem.ts';

/** The caller of a route that wants a role. */
export function callerOf({ who }: FastifyRequest): Caller {
  if (who === null) throw new Problem('unauthorised', 'send a token that the service knows');
  return who;
}

/** Writes down who did what. In one transaction with what he did, where that is of the state. */
export function record(
  parts: Parts,
  request: FastifyRequest,
  caller: Pick<Caller, 'name' | 'role' | 'token'>,
  of: {
    readonly action: string;
    readonly cluster?: string;
    readonly subject?: string;
    readonly details?: Readonly<Record<string, unknown>>;
  },
): void {
  parts.audit.add({
    at: parts.clock.now(),
    who: caller.name,
    role: caller.role,
    action: of.action,
    cluster: of.cluster ?? null,
    subject: of.subject ?? null,
    details: { ...of.details, token: caller.token },
    address: request.ip,
  });
  parts.trail.wake();
}

/** Throws where no such cluster is configured. */
export function needCluster({ configuration }: Parts, name: string): string {
  if (Object.hasOwn(configuration.clusters, name)) return name;
  throw new Problem(
    'not_found',
    `no cluster is called ${name}; there are ${Object.keys(configuration.clusters).join(', ') || 'none'}`,
  );
}
