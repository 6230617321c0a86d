// Which user runs the servers. PostgreSQL refuses to run as root, so as root the lab takes the account `postgres`
// where there is one, else `nobody`; everybody else runs the servers as themselves.

import { chown, readFile } from 'node:fs/promises';
import { SpillwayError } from '@spillway/contract';

export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account to drop to, or undefined where this process is not root and nothing needs dropping. */
export async function serverAccount(): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parseAccounts(await readFile('/etc/passwd', 'utf8'));
  const account = accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name }) => name === 'nobody');
  if (account === undefined || account.uid === 0) {
    throw new SpillwayError('SPW_LAB', 'cannot run PostgreSQL as root', {
      why: 'there is no account postgres or nobody to run it as',
      hint: 'run the lab as an ordinary user',
    });
  }
  return account;
}

export function parseAccounts(passwd: string): readonly ServerAccount[] {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map((fields) => ({ name: fields[0] ?? '', uid: Number(fields[2]), gid: Number(fields[3]) }));
}

/** Gives a file or folder to the account; nothing to do where there is none. */
export async function giveTo(account: ServerAccount | undefined, ...paths: readonly string[]): Promise<void> {
  if (account === undefined) return;
  for (const path of paths) await chown(path, account.uid, account.gid);
}
