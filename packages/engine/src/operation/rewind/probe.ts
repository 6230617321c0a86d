// Whether the server's own account will be able to fetch WAL: a standby whose restore_command fails does not start.
//
// The command is run once as the owner of the data directory, in an environment as bare as that of a service, for a file
// that nobody has. "Not there" is the good answer.

import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { withArguments } from '../restore/fetch-script.ts';

const ABSENT_FILE = '7FFFFFFF.history';
const TIMEOUT_MS = 60_000;
const SAID_CHARACTERS_MAX = 400;

/** What it said where it failed; undefined where it works. */
export async function probeRestoreCommand(
  restoreCommand: string,
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { uid, gid } = await stat(directory);
  return new Promise((resolve, reject) => {
    execFile(
      '/bin/sh',
      ['-c', withArguments(restoreCommand), 'sh', ABSENT_FILE, `pg_wal/${ABSENT_FILE}`],
      {
        cwd: '/',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        timeout: TIMEOUT_MS,
        signal,
        ...(process.getuid?.() === 0 ? { uid, gid } : {}),
      },
      (error, _, stderr) => {
        if (signal.aborted) reject(signal.reason as Error);
        else if (error?.code === 1) resolve(undefined);
        else
          resolve(stderr.trim().slice(-SAID_CHARACTERS_MAX) || (error?.message ?? 'it found a file that nobody has'));
      },
    );
  });
}
