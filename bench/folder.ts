// Folders as the bench looks at them: how many bytes lie in one, and whether the page cache holds it.
//
// Before every measured run all dirty pages are written out, so that no peer pays for what another wrote. Then either
// everything that the run will read is read once (warm), or the page cache is dropped (cold, only for root).

import { execFile } from 'node:child_process';
import { open, readdir, stat, writeFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Caches = 'warm' | 'cold';

const READ_BYTES = 1024 * 1024;

/** The lengths of all files in the folder, added; one that stands there under several names counts once. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  const linked = new Set<number>();
  for await (const path of filesIn(folder)) {
    const file = await unlessGone(() => stat(path), undefined);
    if (file === undefined || linked.has(file.ino)) continue;
    if (file.nlink > 1) linked.add(file.ino);
    bytes += file.size;
  }
  return bytes;
}

export async function prepareCaches(caches: Caches, folders: readonly string[], signal: AbortSignal): Promise<void> {
  await promisify(execFile)('sync');
  if (caches === 'cold') {
    await writeFile('/proc/sys/vm/drop_caches', '3\n');
    return;
  }
  for (const folder of folders) await readAll(folder, signal);
}

async function readAll(folder: string, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for await (const path of filesIn(folder)) {
    signal.throwIfAborted();
    await unlessGone(async () => {
      await using file = await open(path, 'r');
      while ((await file.read(buffer, 0, READ_BYTES, null)).bytesRead > 0);
    }, undefined);
  }
}

async function* filesIn(folder: string): AsyncIterable<string> {
  const entries = await unlessGone(() => readdir(folder, { withFileTypes: true }), []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

/** A server runs in the folder: files come and go. */
async function unlessGone<Value>(look: () => Promise<Value>, otherwise: Value): Promise<Value> {
  try {
    return await look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw error;
  }
}

/**
 * Gives the space of all files back and leaves the files: ext4 passes over inodes that were deleted in the last minutes, one by
 * one, each time that a file is made, so whoever restores next would pay for what was removed before.
 */
export async function emptyFiles(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await truncate(join(entry.parentPath, entry.name));
  }
}
