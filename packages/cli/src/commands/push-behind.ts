// The process that a `wal push` leaves in the background for the files that wait behind its own: the same words, with --behind.
//
// 1. It has a session of its own, the data directory as its folder, and neither input nor output: PostgreSQL waits for none of
//    its files to be closed. What it could say is said by the call for the file in question, which it leaves to it.
// 2. It ends by itself (`operation/wal/push-behind.ts`) and, should a store hang, by a clock that nothing holds up.
// 3. None is started where PostgreSQL is process 1, as in a container: then orphans are its children, and one that was killed
//    would count as a backend that crashed.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { awaitBehind, BEHIND_LIFE_MS } from '@spillway/engine';
import type { Context } from '../context.ts';

export const BEHIND = '--behind';
const END_AT_LAST_MS = BEHIND_LIFE_MS + 60_000;

/** Whether it was started. From then on the calls for files behind wait for its marks. */
export async function startBehind(context: Context, path: string): Promise<boolean> {
  if (isServerFirst(context.directory)) return false;
  const words = process.argv.slice(2);
  const at = words.indexOf('push') + 1;
  if (at === 0) return false;
  const child = spawn(process.execPath, [...process.execArgv, context.program, ...words.toSpliced(at, 0, BEHIND)], {
    cwd: context.directory,
    env: context.environment,
    detached: true,
    stdio: 'ignore',
  });
  // Then each call pushes its own file.
  child.on('error', () => undefined);
  child.unref();
  if (child.pid === undefined) return false;
  await awaitBehind(path, child.pid);
  return true;
}

/** Ends this process, whatever it waits for. */
export function endAtLast(): void {
  setTimeout(() => process.exit(1), END_AT_LAST_MS).unref();
}

function isServerFirst(dataDirectory: string): boolean {
  try {
    return readFileSync(join(dataDirectory, 'postmaster.pid'), 'latin1').split('\n')[0]?.trim() === '1';
  } catch {
    return false;
  }
}
