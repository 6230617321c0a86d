// The first token: somebody must be able to come in. Made where no administrator's token is alive, and written to a file that
// only the account of the service can read; whoever may read that file may have all the rest of the state too.

import { openSync, writeSync, closeSync, fsyncSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenStore } from './state/tokens.ts';

/** The file it was written to; null where there is an administrator already. */
export function makeFirstToken(tokens: TokenStore, folder: string, now: number): string | null {
  const hasAdministrator = tokens
    .list()
    .some(
      ({ role, revoked_at: revoked, expires_at: expires }) =>
        role === 'administrator' && revoked === null && (expires === null || Date.parse(expires) > now),
    );
  if (hasAdministrator) return null;
  const { token } = tokens.create({ name: 'first', role: 'administrator', createdBy: 'first start', now });
  const path = join(folder, 'first-token');
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, `${token}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return path;
}
