// Configuration for a restored cluster that has none of its own: on Debian and its like postgresql.conf and pg_hba.conf
// stand in /etc, outside of the data directory, and so in no backup.
//
// What is made is the least with which the server starts here: local logins only, and the parameters that replay demands
// to be as large as they were on the source. It says so in its first line, and nothing that is there is touched.

import { access, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '@spillway/contract';

const HEAD = '# Made by spillway restore: the backup held no configuration. Replace it with that of the source.\n';

export async function makeUpConfiguration(
  directory: string,
  standbyParameters: Readonly<Record<string, number>>,
  owner: { readonly uid: number; readonly gid: number } | undefined,
  report: Report,
): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    'postgresql.conf': Object.entries(standbyParameters)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
    'pg_hba.conf': 'local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n',
    'pg_ident.conf': '',
  };
  const made: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    if (await isThere(path)) continue;
    await writeFile(path, HEAD + content, { mode: 0o600, flag: 'wx', flush: true });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    made.push(name);
  }
  if (made.length === 0) return;
  report({
    type: 'notice',
    level: 'warning',
    message: `The backup holds no ${made.join(', ')} (on Debian they are in /etc/postgresql): a least one was made, for local logins only.`,
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
