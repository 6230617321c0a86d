// Copies a file, a link or a folder with all that is in it: modes, owners and times of change as they were, links as links.
// Whatever is neither (a socket, a pipe) is left out. Durable when it returns.

import {
  chmod,
  chown,
  constants,
  copyFile,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { syncFolder } from '../restore/sync.ts';

/** A file or link at `to` is replaced, a folder there is added to. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const found = await lstat(from);
  if (found.isDirectory()) {
    await mkdir(to, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name), signal);
    await syncFolder(to);
  } else if (found.isSymbolicLink()) {
    await rm(to, { force: true });
    await symlink(await readlink(from), to);
    if (process.getuid?.() === 0) await lchown(to, found.uid, found.gid);
    return;
  } else if (found.isFile()) {
    await rm(to, { force: true });
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await using file = await open(to, 'r');
    await file.sync();
  } else return;
  await takeOver(to, found);
}

async function takeOver(path: string, { mode, uid, gid, atime, mtime }: Stats): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, uid, gid);
  await chmod(path, mode & 0o7777);
  await utimes(path, atime, mtime);
}

/** Of the files in it. */
export async function treeBytes(path: string): Promise<number> {
  const found = await lstat(path);
  if (!found.isDirectory()) return found.isFile() ? found.size : 0;
  let bytes = 0;
  for (const name of await readdir(path)) bytes += await treeBytes(join(path, name));
  return bytes;
}
