// Makes files and folders durable: what was written, and the names under which it stands.

import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';

const SYNCS_AT_ONCE = 8;

export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

export async function syncAll(paths: Iterable<string>, folders: readonly string[], signal: AbortSignal): Promise<void> {
  const queue = Iterator.from(paths);
  const syncOne = async (): Promise<void> => {
    for (const path of queue) {
      signal.throwIfAborted();
      await using file: FileHandle = await open(path, 'r');
      await file.sync();
    }
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, syncOne));
  for (const path of folders) await syncFolder(path);
}

/** The folder above, and those above it that were made for it: else a crash could take the whole restore with it. */
export async function syncAbove(directory: string, firstMade: string | undefined): Promise<void> {
  const last = firstMade === undefined ? dirname(directory) : dirname(firstMade);
  for (let at = dirname(directory); ; at = dirname(at)) {
    await syncFolder(at).catch((error: NodeJS.ErrnoException) => {
      // One that we may write to but not read cannot be opened to be synced.
      if (error.code !== 'EACCES') throw error;
    });
    if (at === last || at === dirname(at)) return;
  }
}
