// Keeps PostgreSQL from starting in a data directory that is being rewound.
//
// pg_rewind replaces pg_control last, so half-way the folder looks like the cleanly stopped server of before, and would
// start as that, with files of two servers. Two things stand against it until all is done:
//   1  a postmaster.pid whose first line is no number: PostgreSQL prints it and refuses. pg_rewind removes it, but only
//      among the last of its steps
//   2  a mode of the folder that PostgreSQL refuses, which closes the time after that: others may pass through, not look
// A rewind that was broken off leaves at least one of them, and is known by it.

import { chmod, chown, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../restore/sync.ts';

const FILE = 'postmaster.pid';
export const BARRIER_WORDS = 'spillway rewind has not finished here';
const OTHERS_PASS = 0o001;

/** Durable when it returns. */
export async function raiseBarrier(directory: string): Promise<void> {
  const { mode, uid, gid } = await stat(directory);
  const path = join(directory, FILE);
  await writeFile(path, `${BARRIER_WORDS}\n`, { mode: 0o600, flush: true });
  await chown(path, uid, gid);
  await chmod(directory, (mode & 0o7777) | OTHERS_PASS);
  await syncFolder(directory);
}

/** After everything else is durable. */
export async function lowerBarrier(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true });
  await syncFolder(directory);
  const { mode } = await stat(directory);
  await chmod(directory, mode & 0o7777 & ~OTHERS_PASS);
  await syncFolder(directory);
}

export async function isRaised(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  if ((mode & OTHERS_PASS) !== 0) return true;
  const text = await readFile(join(directory, FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.startsWith(BARRIER_WORDS);
}
