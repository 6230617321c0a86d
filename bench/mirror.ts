// A copy of a folder brought up to date: what has the same length and time is left alone, and keeps its inode; what differs is
// written anew and gets the original's time; what is no longer there is removed. Links are copied as links.

import { copyFile, lstat, mkdir, readdir, readlink, rm, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** `wanted` is asked for each path, relative to `from`; what is not wanted is removed from the copy. */
export async function mirrorFolder(
  from: string,
  to: string,
  wanted: (path: string) => boolean,
  signal: AbortSignal,
  below = '',
): Promise<void> {
  signal.throwIfAborted();
  const entries = (await readdir(join(from, below), { withFileTypes: true })).filter(({ name }) =>
    wanted(join(below, name)),
  );
  const names = new Set(entries.map(({ name }) => name));
  for (const name of await readdir(join(to, below))) {
    if (!names.has(name)) await rm(join(to, below, name), { recursive: true });
  }
  for (const entry of entries) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) {
      await mkdir(join(to, path), { recursive: true });
      await mirrorFolder(from, to, wanted, signal, path);
    } else if (entry.isSymbolicLink()) {
      await rm(join(to, path), { force: true });
      await symlink(await readlink(join(from, path)), join(to, path));
    } else if (entry.isFile()) {
      await mirrorFile(join(from, path), join(to, path));
    }
  }
}

async function mirrorFile(from: string, to: string): Promise<void> {
  const original = await stat(from);
  const copy = await lstat(to).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  // Times are set to the microsecond, so a nanosecond says nothing.
  const same = copy?.size === original.size && Math.abs(copy.mtimeMs - original.mtimeMs) < 0.01;
  if (same) return;
  await copyFile(from, to);
  await utimes(to, original.atimeMs / 1000, original.mtimeMs / 1000);
}
