// Holding a backup: a restore on any host says that it reads one, so that nobody lets that backup or its WAL go.
//
//   locks/restore-<cluster>-<backup>-<random>/<n>    a lock of its own each, so that many may hold one backup
//   locks/verify-<cluster>-<random>/<n>              a verification, which reads all WAL and looks at many backups
//   locks/copying-<cluster>-<random>/<n>             a copy to another place, which reads the same
//   locks/read-dump-<cluster>-<dump>-<random>/<n>    who reads a dump: any lock keeps the packs that are there
//
// 1. The reader takes its hold, then looks whether the backup is still there. Who expires removes the manifest, then looks
//    for holds. So one of the two sees the other.
// 2. A hold of which nobody gives a sign of life for long, as when its host is gone, is taken away by who expires.

import { randomBytes } from 'node:crypto';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { dumpName, lockPrefix, manifestName } from '../format/names.ts';
import { isAtWork, type LookOptions } from './holder.ts';
import { listHolders, type Lock, takeLock } from './lock.ts';
import { Repository } from './repository.ts';
import { removeIfPermitted } from '../storage/permitted.ts';

const PREFIX = 'restore-';
const READING = 'verify-';
const COPYING = 'copying-';
const DUMP = 'read-dump-';
const FORM = /^restore-(.+)-(\d{8}T\d{6}Z-[0-9a-f]{8})-[0-9a-f]{8}$/;
const DUMP_FORM = /^read-dump-(.+)-\d{8}T\d{6}Z-[0-9a-f]{8}-[0-9a-f]{8}$/;

export interface Hold extends AsyncDisposable {
  /** Aborted where the hold was lost; undefined where the repository cannot be written to, so that there is none. */
  readonly lost: AbortSignal | undefined;
}

/** Who brings backups here from another place holds it: their WAL and packs are needed before they are listed. */
export const copyLock = (cluster: string): string => `copy-${cluster}`;

interface HoldOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Holds a backup until disposed of. In a repository that only lets itself be read nothing can be held: a notice says so.
 * Throws SPW_BACKUP_UNKNOWN where the backup was removed by now.
 */
export async function holdBackup(options: HoldOptions & { readonly backupId: string }): Promise<Hold> {
  const { repository, cluster, backupId, signal } = options;
  const hold = await take(options, {
    purpose: `${PREFIX}${cluster}-${backupId}`,
    holder: `restore of backup ${backupId} of cluster ${cluster}`,
    unheld: `backup ${backupId} is not marked as in use: let no spillway expire run until the restore is done`,
  });
  if ((await repository.storage.stat(manifestName(cluster, backupId), { signal })) !== undefined) return hold;
  await hold[Symbol.asyncDispose]();
  throw new SpillwayError('SPW_BACKUP_UNKNOWN', `backup ${backupId} of cluster ${cluster} is not there any more`, {
    why: 'it was expired meanwhile',
  });
}

/** The same at every further place that the repository is read from, where the backup is there too. */
export async function holdElsewhere(options: HoldOptions & { readonly backupId: string }): Promise<AsyncDisposable> {
  const { repository, cluster, backupId, signal } = options;
  await using holds = new AsyncDisposableStack();
  for (const location of repository.location.others ?? []) {
    const place = new Repository({ ...repository.handle, location });
    try {
      if ((await place.storage.stat(manifestName(cluster, backupId), { signal })) === undefined) continue;
      holds.use(await holdBackup({ ...options, repository: place }));
    } catch (error) {
      // One that does not answer is not read either, and one that has it no more is none to read it from.
      if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_BACKUP_UNKNOWN')) throw error;
    }
  }
  return holds.move();
}

/** Holds all WAL of a cluster, and the packs that are there now; backups and dumps may go all the same. */
export const holdCluster = (options: HoldOptions): Promise<Hold> =>
  take(options, {
    purpose: `${READING}${options.cluster}`,
    holder: `verification of cluster ${options.cluster}`,
    unheld: 'what is verified is not marked as in use: what spillway expire removes meanwhile will be missed',
  });

/** The same for a copy to another place. */
export const holdForCopy = (options: HoldOptions): Promise<Hold> =>
  take(options, {
    purpose: `${COPYING}${options.cluster}`,
    holder: `copy of cluster ${options.cluster} to another place`,
    unheld: 'what is copied is not marked as in use: let no spillway expire run there until the copy is done',
  });

/**
 * Holds the packs that are there now for whoever reads a dump; the dump itself may go from the list all the same. To be
 * taken before its manifest and the index are read. Throws SPW_DUMP_UNKNOWN where the dump was removed by now.
 */
export async function holdDump(options: HoldOptions & { readonly dumpId: string }): Promise<Hold> {
  const { repository, cluster, dumpId, signal } = options;
  const hold = await take(options, {
    purpose: `${DUMP}${cluster}-${dumpId}`,
    holder: `reader of dump ${dumpId} of cluster ${cluster}`,
    unheld: `dump ${dumpId} is not marked as in use: let no spillway expire run until it has been read`,
  });
  if ((await repository.storage.stat(dumpName(cluster, dumpId), { signal })) !== undefined) return hold;
  await hold[Symbol.asyncDispose]();
  throw new SpillwayError('SPW_DUMP_UNKNOWN', `dump ${dumpId} of cluster ${cluster} is not there any more`, {
    why: 'it was expired meanwhile',
  });
}

/** The cluster that is read under a lock of that purpose, as `holdCluster` and `holdForCopy` take it. */
export const clusterRead = (purpose: string): string | undefined =>
  new RegExp(`^(?:${READING}|${COPYING})(.+)-[0-9a-f]{8}$`).exec(purpose)?.[1];

async function take(
  { repository, signal, report }: HoldOptions,
  words: { readonly purpose: string; readonly holder: string; readonly unheld: string },
): Promise<Hold> {
  const purpose = `${words.purpose}-${randomBytes(4).toString('hex')}`;
  let lock: Lock;
  try {
    lock = await takeLock(repository, purpose, { holder: words.holder, signal });
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_STORAGE_FULL')) throw error;
    const message = `The repository cannot be written to, so that ${words.unheld}.`;
    report({ type: 'notice', level: 'warning', message });
    return { lost: undefined, [Symbol.asyncDispose]: async () => undefined };
  }
  return {
    lost: lock.lost,
    [Symbol.asyncDispose]: async () => {
      await lock[Symbol.asyncDispose]();
      await removeRemains(repository, purpose).catch((error: unknown) => {
        // What was released holds nothing; who expires next takes the remains away.
        if (!isSpillwayError(error)) throw error;
      });
    },
  };
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
    const readsPacks = clusterRead(holder.purpose) === cluster || DUMP_FORM.exec(holder.purpose)?.[1] === cluster;
    if (readsPacks && !(await isAtWork(repository, holder, options))) {
      await removeRemains(repository, holder.purpose);
    }
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
  for (const name of names) await removeIfPermitted(repository.storage, name);
}
