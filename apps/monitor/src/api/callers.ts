// Who calls: tokens with a name and a role, kept as SHA-256 in a file, so that the file gives nobody a token.
//
// A token is 256 random bits, so a plain hash is enough. The table is looked up by hash, whose timing tells nothing of it.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export const roles = ['ingest', 'operator', 'read'] as const;
export type Role = (typeof roles)[number];

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

const tokensFile = z.array(
  z.strictObject({
    name: z.string().regex(/^[\w.-]{1,32}$/),
    role: z.enum(roles),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
);

export type Callers = ReadonlyMap<string, Caller>;

export async function readCallers(file: string): Promise<Callers> {
  const read = tokensFile.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!read.success) {
    throw new TypeError(`${file} is not as it must be, [{"name", "role", "sha256"}]: ${z.prettifyError(read.error)}`);
  }
  return new Map(read.data.map(({ name, role, sha256 }) => [sha256, { name, role }]));
}

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');

/** By the value of an Authorization header. */
export function callerOf(callers: Callers, authorization: string | undefined): Caller | undefined {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  return token === undefined ? undefined : callers.get(hashToken(token));
}

/** Operators may all that readers may; senders may only send. */
export const mayActAs = (caller: Caller, wanted: Role): boolean =>
  caller.role === wanted || (caller.role === 'operator' && wanted === 'read');
