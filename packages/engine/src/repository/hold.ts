// Holding a backup: a restore on any host says that it reads one, so that nobody lets that backup or its WAL go.
//
//   locks/restore-<cluster>-<backup>-<random>/<n>   a lock of its own each, so that many may hold one backup
//
// 1. The reader takes its hold, then looks whether the backup is still there. Who expires removes the manifest, then looks
//    for holds. So one of the two sees the other.
// 2. A hold of which nobody gives a sign of life for long, as when its host is gone, is taken away by who expires.

import { randomBytes } from 'node:crypto';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { lockPrefix, manifestName } from '../format/names.ts';
import { isAtWork, type LookOptions } from './holder.ts';
import { listHolders, type Lock, takeLock } from './lock.ts';
import type { Repository } from './repository.ts';

const PREFIX = 'restore-';
const FORM = /^restore-(.+)-(\d{8}T\d{6}Z-[0-9a-f]{8})-[0-9a-f]{8}$/;

export interface Hold extends AsyncDisposable {
  /** Aborted where the hold was lost; undefined where the repository cannot be written to, so that there is none. */
  readonly lost: AbortSignal | undefined;
}

/**
 * Holds a backup until disposed of. In a repository that only lets itself be read nothing can be held: a notice says so.
 * Throws SPW_BACKUP_UNKNOWN where the backup was removed by now.
 */
export async function holdBackup(options: {
  readonly repository: Repository;
  readonly cluster: string;
  readonly backupId: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}): Promise<Hold> {
  const { repository, cluster, backupId, signal, report } = options;
  const purpose = `${PREFIX}${cluster}-${backupId}-${randomBytes(4).toString('hex')}`;
  let lock: Lock;
  try {
    lock = await takeLock(repository, purpose, {
      holder: `restore of backup ${backupId} of cluster ${cluster}`,
      signal,
    });
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_STORAGE_FULL')) throw error;
    report({
      type: 'notice',
      level: 'warning',
      message: `The repository cannot be written to, so that backup ${backupId} is not marked as in use: let no spillway expire run until the restore is done.`,
    });
    return { lost: undefined, [Symbol.asyncDispose]: async () => undefined };
  }
  const release = async (): Promise<void> => {
    await lock[Symbol.asyncDispose]();
    await removeRemains(repository, purpose).catch((error: unknown) => {
      // What was released holds nothing; who expires next takes the remains away.
      if (!isSpillwayError(error)) throw error;
    });
  };
  const there = await repository.storage.stat(manifestName(cluster, backupId), { signal });
  if (there === undefined) {
    await release();
    throw new SpillwayError('SPW_BACKUP_UNKNOWN', `backup ${backupId} of cluster ${cluster} is not there any more`, {
      why: 'it was expired meanwhile',
    });
  }
  return { lost: lock.lost, [Symbol.asyncDispose]: release };
}

/** Ids of backups of the cluster that a restore reads now, with who does. Waits to see whether a holder lives. */
export async function heldBackups(
  repository: Repository,
  cluster: string,
  options: LookOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const held = new Map<string, string>();
  for (const holder of await listHolders(repository, options.signal)) {
    const [, of, backupId] = FORM.exec(holder.purpose) ?? [];
    if (of !== cluster || backupId === undefined || held.has(backupId)) continue;
    if (await isAtWork(repository, holder, options)) held.set(backupId, holder.host);
    else await removeRemains(repository, holder.purpose);
  }
  return held;
}

/** Nobody else ever takes a lock of that name, so its numbers need not go on rising. */
async function removeRemains(repository: Repository, purpose: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(lockPrefix(purpose))) names.push(name);
  for (const name of names) await repository.storage.remove(name);
}
