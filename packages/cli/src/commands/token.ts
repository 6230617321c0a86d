// `spillway token create`, `token list` and `token revoke`: at the machine of the service, whether it runs or not, where a running
// one knows of it with the next request; or from afar, by its API.

import { userInfo } from 'node:os';
import {
  parseDuration,
  SpillwayError,
  type CreatedTokenDocument,
  type Role,
  type TokenDocument,
  type TokensDocument,
} from '@spillway/contract';
import { tokenRequest } from '@spillway/contract/schemas';
import type { Command, Context } from '../context.ts';
import { loadFor } from '../session.ts';
import { stateFolder } from '../state-folder.ts';
import { formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface CreateTokenOptions {
  readonly role: Role;
  readonly expires?: string;
}

export const createToken: Command<CreateTokenOptions> = async (context, { role, expires }, name = '') => {
  const now = Date.now();
  const forMs = expires === undefined ? undefined : parseDuration(expires);
  if (expires !== undefined && forMs === undefined) {
    throw new SpillwayError('SPW_USAGE', `--expires ${expires} is no duration`, { hint: 'such as 90d or 12h' });
  }
  if (!tokenRequest.safeParse({ name, role }).success) {
    throw new SpillwayError('SPW_USAGE', 'a token cannot be called that', {
      why: 'its name is 1 to 64 letters, digits, spaces and ._@-',
    });
  }
  using tokens = await open(context, now);
  const created = await tokens.create({ name, role, expiresAt: forMs === undefined ? undefined : now + forMs });
  const { token } = created;
  context.output.result(
    created,
    () =>
      `Token of ${name} (${role}), shown now and never again:\n\n  ${token}\n\nNext: curl -H 'Authorization: Bearer …'`,
  );
  return 0;
};

export const listTokens: Command<object> = async (context) => {
  using tokens = await open(context, Date.now());
  const document: TokensDocument = { tokens: await tokens.list() };
  context.output.result(document, () => renderTokens(document.tokens));
  return 0;
};

export const revokeToken: Command<object> = async (context, _options, id = '') => {
  using tokens = await open(context, Date.now());
  const document = await tokens.revoke(id);
  context.output.result(document, () => `The token ${id} of ${document.name} opens nothing any more.`);
  return 0;
};

interface Tokens extends Disposable {
  readonly create: (of: {
    readonly name: string;
    readonly role: Role;
    readonly expiresAt: number | undefined;
  }) => Promise<CreatedTokenDocument>;
  readonly list: () => Promise<readonly TokenDocument[]>;
  readonly revoke: (id: string) => Promise<TokenDocument>;
}

async function open(context: Context, now: number): Promise<Tokens> {
  const { service } = context.options;
  if (service !== undefined) return openThere(context, service);
  const loaded = await loadFor(context);
  const { openTokens } = await import('@spillway/daemon');
  const tokens = openTokens(stateFolder(context, loaded), accountName(), now);
  return {
    create: async (of) => {
      const { token, document } = tokens.create(of);
      return { ...document, token };
    },
    list: async () => tokens.list(),
    revoke: async (id) => tokens.revoke(id),
    [Symbol.dispose]: () => tokens[Symbol.dispose](),
  };
}

async function openThere(context: Context, service: string): Promise<Tokens> {
  const { atService } = await import('../remote/connection.ts');
  const { answerOf } = await import('@spillway/client');
  const { signal } = context;
  return {
    create: ({ name, role, expiresAt }) => {
      const expiry = expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString() };
      const body = { name, role, ...expiry };
      return atService(context, service, ({ api }) => answerOf(api.POST('/api/v1/tokens', { body, signal })));
    },
    list: () =>
      atService(context, service, async ({ api }) => (await answerOf(api.GET('/api/v1/tokens', { signal }))).tokens),
    revoke: (token) =>
      atService(context, service, ({ api }) =>
        answerOf(api.DELETE('/api/v1/tokens/{token}', { params: { path: { token } }, signal })),
      ),
    [Symbol.dispose]: () => undefined,
  };
}

/** A container may run as a number that has no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

function renderTokens(tokens: readonly TokenDocument[]): string {
  if (tokens.length === 0) return 'There is no token yet. Next: spillway serve, which makes the first';
  const time = (at: string | null): string => (at === null ? '-' : formatTime(new Date(at)));
  return renderTable(
    [
      { title: 'ID' },
      { title: 'NAME' },
      { title: 'ROLE' },
      { title: 'MADE' },
      { title: 'LAST USED' },
      { title: 'STATE' },
    ],
    tokens.map(({ id, name, role, created_at: made, last_used_at: used, expires_at: expires, revoked_at: revoked }) => [
      id,
      name,
      role,
      time(made),
      time(used),
      revoked === null ? (expires === null ? 'good' : `until ${time(expires)}`) : `revoked ${time(revoked)}`,
    ]),
  );
}
