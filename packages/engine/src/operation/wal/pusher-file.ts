// Which process pushes what waits behind (`push-behind.ts`): one at a time for each folder of marks.
//
//   <spool>/pusher   its number, and when it began, in ticks since the machine did
//
// Made by `link`, which fails where there is one. One whose process is gone is taken away by whoever sees it: of two that do so
// at once both may begin, and push the same files twice at worst.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const PUSHER_FILE = 'pusher';

/** By this very process. */
const takenHere = new Set<string>();

/** Undefined where another process is at work, or the folder cannot be written. Disposing gives the place free. */
export async function takePusherFile(spool: string): Promise<AsyncDisposable | undefined> {
  const own = markOf(process.pid);
  const path = join(spool, PUSHER_FILE);
  const held = (): Promise<string> => readFile(path, 'latin1').catch(() => '');
  if (own === undefined || takenHere.has(spool)) return undefined;
  takenHere.add(spool);
  // Who started us may have taken it for us.
  if ((await held()) !== own && !(await put(spool, own))) {
    takenHere.delete(spool);
    return undefined;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      takenHere.delete(spool);
      if ((await held()) === own) await rm(path, { force: true });
    },
  };
}

/** Takes the place for a process that was just started, so that until it has begun nobody starts another. */
export async function takePusherFileFor(spool: string, pid: number): Promise<void> {
  const mark = markOf(pid);
  if (mark !== undefined) await put(spool, mark);
}

/** False where another process is at work, or nothing can be written: then each file is pushed by its own call. */
async function put(spool: string, mark: string): Promise<boolean> {
  const beside = join(spool, `.${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(spool, { recursive: true, mode: 0o700 });
    await writeFile(beside, mark, { flag: 'wx', mode: 0o600 });
    if (await isPusherAtWork(spool)) return false;
    await link(beside, join(spool, PUSHER_FILE));
    return true;
  } catch {
    return false;
  } finally {
    await rm(beside, { force: true }).catch(() => undefined);
  }
}

/** Takes away what a process left that is gone. */
export async function isPusherAtWork(spool: string): Promise<boolean> {
  const path = join(spool, PUSHER_FILE);
  try {
    const found = await lstat(path);
    const isOwn = found.isFile() && found.uid === process.getuid?.();
    if (isOwn && isAlive(await readFile(path, 'latin1'))) return true;
    await rm(path, { force: true });
  } catch {
    // There is none, or it is not for us to read.
  }
  return false;
}

function isAlive(mark: string): boolean {
  const [pid = '', started = ''] = mark.trim().split(' ');
  return /^\d+$/.test(pid) && startOf(pid) === started;
}

function markOf(pid: number): string | undefined {
  const started = startOf(String(pid));
  return started === undefined ? undefined : `${pid} ${started}\n`;
}

/** Of a process that runs; undefined for one that does not, and where there is no /proc. */
function startOf(pid: string): string | undefined {
  try {
    // After the name, which may hold anything, in brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
