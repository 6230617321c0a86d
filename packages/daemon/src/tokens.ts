// Tokens from the command line: the state is opened beside the service that may be running, for as long as one call takes.

import type { Role } from '@spillway/contract';
import { AuditStore } from './state/audit.ts';
import { openState } from './state/database.ts';
import { TokenStore } from './state/tokens.ts';

export interface OfflineTokens extends Disposable {
  readonly create: (of: {
    readonly name: string;
    readonly role: Role;
    readonly expiresAt?: number | undefined;
  }) => ReturnType<TokenStore['create']>;
  readonly list: TokenStore['list'];
  readonly revoke: (id: string) => ReturnType<TokenStore['revoke']>;
}

/** `who` is the account of the machine that does it. */
export function openTokens(folder: string, who: string, now: number): OfflineTokens {
  const { database } = openState(folder, now);
  const [tokens, audit] = [new TokenStore(database), new AuditStore(database)];
  const record = (action: string, subject: string, details: Readonly<Record<string, unknown>>): void =>
    audit.add({
      at: now,
      who,
      role: 'administrator',
      action,
      cluster: null,
      subject,
      details,
      address: 'this machine',
    });
  return {
    create: (of) =>
      database.transaction(() => {
        const made = tokens.create({ ...of, createdBy: who, now });
        record('token.create', made.document.id, { name: of.name, role: of.role });
        return made;
      }),
    list: () => tokens.list(),
    revoke: (id) =>
      database.transaction(() => {
        const { name, role } = tokens.need(id);
        record('token.revoke', id, { name, role });
        return tokens.revoke(id, now);
      }),
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
}
