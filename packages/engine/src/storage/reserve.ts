// Giving a file its name where the file system has no hard links: `rename` alone would overwrite.
//
// 1. Whoever makes the reservation, an empty file beside the name, may look whether the name is free and rename.
// 2. Everybody else waits, a bounded while, until the name is there.
// 3. A reservation without its name is a writer that died. It is never taken over, because nobody can tell it from one
//    that is slow; it is named, so that a person can remove it.

import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contract';

const POLL_MS = 20;

export async function renameUnlessThere(
  incoming: string,
  target: string,
  patienceMs = 5_000,
): Promise<'created' | 'exists'> {
  const reservation = join(dirname(target), `.reserved-${basename(target)}`);
  try {
    await (await open(reservation, 'wx')).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await waitFor(target, reservation, patienceMs);
  }
  try {
    if (await isThere(target)) return 'exists';
    await rename(incoming, target);
    return 'created';
  } finally {
    await rm(reservation, { force: true });
  }
}

async function waitFor(target: string, reservation: string, patienceMs: number): Promise<'exists'> {
  for (let left = patienceMs; !(await isThere(target)); left -= POLL_MS) {
    if (left <= 0) {
      throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `writing ${target} failed`, {
        why: 'another writer reserved the name and did not finish',
        hint: `try again; where no other process writes to this repository, remove ${reservation}`,
      });
    }
    await wait(POLL_MS);
  }
  return 'exists';
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
