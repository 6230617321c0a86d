// Whether the account that a restored server runs as can get to where it is restored.
//
// 1. Root restores what another account owns and runs, and every folder on the way there must let that account pass; to
//    PostgreSQL one that does not is a data directory that cannot be read, and it says so only when all of it lies there.
// 2. That account itself is asked, as modes alone do not tell: access lists, and servers of files that know no root.
// 3. The way is looked at with links followed as well as the way that was named: both are walked.
// 4. Folders that are not there yet are made so that they can be passed, whatever the umask says.

import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import type { Entry } from '../../format/entry.ts';
import { LEFT_OUT } from './chunks.ts';
import type { Owner } from './finish.ts';
import { realPlace } from './guard.ts';

const TIMEOUT_MS = 30_000;
/** Pass, but not list. */
const PASS = 0o111;

export interface ClosedFolder {
  readonly folder: string;
  readonly why: string;
  readonly hint: string;
}

/** Whose the cluster was, and so what its server runs as. */
export function ownerOf(entries: Iterable<Entry>): Owner | undefined {
  for (const entry of entries) if (entry.kind === 'file' && !LEFT_OUT.has(entry.path)) return entry;
  return undefined;
}

/** Throws SPW_FOLDER_CLOSED where a server of that account could not get to one of the folders, which need not be there. */
export async function refuseClosedWay(
  roots: readonly string[],
  account: Owner | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const closed = await findClosed(roots, account, signal);
  if (closed === undefined) return;
  const { why, hint } = closed;
  throw new SpillwayError('SPW_FOLDER_CLOSED', `nothing was restored into ${roots[0]}`, { why, hint });
}

/** The first folder on the way that the account cannot enter; undefined too where this process is that account. */
export async function findClosed(
  roots: readonly string[],
  account: Owner | undefined,
  signal: AbortSignal | undefined,
): Promise<ClosedFolder | undefined> {
  if (account === undefined || process.getuid?.() !== 0) return undefined;
  const folders: string[] = [];
  for (const root of roots) {
    for (const folder of await wayTo(root)) {
      const isThere = await stat(folder).then(
        () => true,
        () => false,
      );
      if (isThere && !folders.includes(folder)) folders.push(folder);
    }
  }
  const folder = await firstClosed(folders, account, signal);
  if (folder === undefined) return undefined;
  const { mode, uid, gid } = await stat(folder);
  const whose = uid === account.uid ? 'u' : gid === account.gid ? 'g' : 'o';
  const octal = (mode & 0o7777).toString(8).padStart(4, '0');
  return {
    folder,
    why: `the server would run as ${await nameOf(account.uid)}, which cannot enter ${folder} (mode ${octal}, of ${await nameOf(uid)})`,
    hint: `restore below another folder, or let that account pass: chmod ${whose}+x ${folder}`,
  };
}

/** Makes the folder and those above it that are missing; gives the first that was made, as `mkdir` does. */
export async function makePassable(folder: string, mode = 0o777): Promise<string | undefined> {
  const first = await mkdir(folder, { recursive: true, mode });
  if (first === undefined || process.getuid?.() !== 0) return first;
  for (let at = folder; ; at = dirname(at)) {
    await chmod(at, ((await stat(at)).mode & 0o7777) | PASS);
    if (at === first || at === dirname(at)) return first;
  }
}

/** All folders above it, the outermost first: those of its real place, then those that were named. */
async function wayTo(root: string): Promise<readonly string[]> {
  return [...above(await realPlace(root)), ...above(root)];
}

function above(path: string): readonly string[] {
  const folders: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    folders.unshift(at);
    if (at === dirname(at)) return folders;
  }
}

function firstClosed(
  folders: readonly string[],
  { uid, gid }: Owner,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const script = 'for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done';
  return new Promise((resolve, reject) => {
    execFile(
      '/bin/sh',
      ['-c', script, 'sh', ...folders],
      { uid, gid, cwd: '/', env: { PATH: '/usr/bin:/bin' }, timeout: TIMEOUT_MS, ...(signal && { signal }) },
      (error, stdout) => {
        if (error === null) resolve(undefined);
        else if (signal?.aborted === true) reject(signal.reason as Error);
        else if (error.code === 1 && stdout !== '') resolve(stdout);
        else {
          const message = `the way to ${folders.at(-1)} could not be walked as account ${uid}`;
          reject(new SpillwayError('SPW_RESTORE_FAILED', message, { cause: error }));
        }
      },
    );
  });
}

/** By number where the machine's own list does not name it. */
async function nameOf(uid: number): Promise<string> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = passwd.split('\n').find((each) => each.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? `account ${uid}`;
}
