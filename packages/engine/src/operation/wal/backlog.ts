// What a server still has to archive: the `.ready` files beside its segments, and whether they are too many.
//
// A `.ready` file is made when its segment is finished, and renamed to `.done` when archive_command succeeded: so their
// number and the age of the oldest tell how far archiving is behind, in files, bytes and time.

import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { byUrgency, parseWalFileName, type WalFileName } from './file-name.ts';

export interface Backlog {
  /** In the order in which PostgreSQL will ask for them. */
  readonly files: readonly WalFileName[];
  readonly bytes: number;
  /** How long the oldest has waited. */
  readonly ageMs: number;
}

const READY = '.ready';
const FILES_WARN = 64;
const BYTES_WARN = 2 * 1024 ** 3;
const AGE_WARN_MS = 10 * 60_000;

/** `path` is that of a segment. Empty where there is no archive_status beside it: then nobody but the caller archives. */
export async function readBacklog(path: string, now = Date.now()): Promise<Backlog> {
  const folder = dirname(path);
  const files = await readReady(folder);
  let bytes = 0;
  let oldest = now;
  // All are of about one size: a look at the first few is enough, and a backlog of many thousands stays cheap.
  const looked = files.slice(0, FILES_WARN);
  for (const { name } of looked) {
    bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
    const ready = await stat(join(folder, 'archive_status', name + READY)).catch(() => undefined);
    oldest = Math.min(oldest, ready?.mtimeMs ?? now);
  }
  if (looked.length > 0) bytes *= files.length / looked.length;
  return { files, bytes: Math.round(bytes), ageMs: Math.max(0, now - oldest) };
}

/** The files that wait in a folder of WAL, in the order in which PostgreSQL will ask for them. */
export async function readReady(folder: string): Promise<readonly WalFileName[]> {
  const names = await readdir(join(folder, 'archive_status')).catch(() => []);
  return names
    .filter((name) => name.endsWith(READY))
    .map((name) => parseWalFileName(name.slice(0, -READY.length)))
    .filter((file) => file !== undefined)
    .toSorted(byUrgency);
}

/** What is to be said of it; undefined while archiving keeps up. */
export function backlogNotice({ files, bytes, ageMs }: Backlog): string | undefined {
  if (files.length < FILES_WARN && bytes < BYTES_WARN && ageMs < AGE_WARN_MS) return undefined;
  const mebibytes = Math.round(bytes / 1024 ** 2);
  return `Archiving is behind: ${files.length} files, about ${mebibytes} MiB, wait to be pushed, the oldest for ${Math.round(ageMs / 60_000)} min. The server keeps them until they are, so watch the free space of its pg_wal.`;
}
