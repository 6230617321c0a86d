// What killed writers left: files in `.incoming/` of a folder store, uploads in parts in a bucket. No name refers to it.
//
// A file is removed only when it was not written to for a day by the file system's own clock, which need not be ours: it
// is read from a file made for it. A writer that slept for so long fails then, and stores nothing.

import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { INCOMING } from './filesystem.ts';
import type { StorageLocation } from './port.ts';
import { removeAbandonedUploads } from './s3/abandoned.ts';

/** Gives how many there were. */
export async function removeRemains(location: StorageLocation, olderThanMs: number): Promise<number> {
  if (location.kind === 's3') return removeAbandonedUploads(location, olderThanMs);
  const folder = join(location.path, INCOMING);
  const clock = join(folder, `clock-${process.pid}-${Date.now()}`);
  try {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    if (names.length === 0) return 0;
    await writeFile(clock, '', { flag: 'wx', mode: 0o400 });
    const now = (await stat(clock)).mtimeMs;
    let removed = 0;
    for (const name of names) {
      const path = join(folder, name);
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (found === undefined || !found.isFile() || now - found.mtimeMs < olderThanMs) continue;
      await rm(path, { force: true });
      removed += 1;
    }
    return removed;
  } catch (cause) {
    throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `looking at ${folder} failed`, { cause });
  } finally {
    await rm(clock, { force: true });
  }
}
