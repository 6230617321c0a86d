// What the former primary had and the new one lacks: kept aside, in a folder beside the data directory.
//
//   wal/    its WAL from the fork on, its history files, and what an earlier restore had kept: rows that were committed
//           there and nowhere else are in it
//   files/  everything at the top of the data directory that is not PostgreSQL's own: configuration, certificates, logs.
//           pg_rewind overwrites them with those of the source, or removes them; afterwards they are put back
//   rewind.json  what was rewound, where to, and from where on
//
// Beside it, because pg_rewind removes from the data directory all that the source has not, whatever it is. Copies, because
// it overwrites files in place, and links would share that.

import { chown, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { type Lsn, parseSegmentName, segmentEnd, type SegmentSize } from '../../postgres/lsn.ts';
import { fileSystemOf } from '../restore/folder.ts';
import { KEPT_WAL_FOLDER } from '../restore/kept-wal.ts';
import { RECOVERY_FOLDER } from '../restore/fetch-script.ts';
import { syncAbove, syncFolder } from '../restore/sync.ts';
import { parseWalFileName } from '../wal/file-name.ts';
import { copyTree, treeBytes } from './copy-tree.ts';
import type { Owner } from './target.ts';

/** What initdb and the server make at the top of a data directory, and what recoveries leave there. */
const POSTGRES_OWN = new Set([
  'PG_VERSION',
  'base',
  'global',
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical',
  'pg_multixact',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
  'pg_wal',
  'pg_xact',
  'backup_label',
  'backup_label.old',
  'backup_manifest',
  'tablespace_map',
  'tablespace_map.old',
  'current_logfiles',
  'postmaster.opts',
  'postmaster.pid',
  'recovery.signal',
  'standby.signal',
  RECOVERY_FOLDER,
]);

export interface KeptPlan {
  readonly folder: string;
  /** Names in pg_wal. */
  readonly wal: readonly string[];
  /** Names at the top of the data directory. */
  readonly files: readonly string[];
  /** Whether a link is among those: pg_rewind refuses one where the source has a file. */
  readonly hasLinks: boolean;
  readonly bytes: number;
}

/** `replayed`: WAL from before the fork that nobody else has, and that is put back. */
export async function planKept(
  directory: string,
  folder: string,
  fork: Lsn,
  size: SegmentSize,
  replayed: readonly string[],
): Promise<KeptPlan> {
  const wal = (await readdir(join(directory, 'pg_wal')))
    .filter((name) => replayed.includes(name) || isKept(name, fork, size))
    .toSorted();
  const files: string[] = [];
  let hasLinks = false;
  for (const name of (await readdir(directory)).toSorted()) {
    if (POSTGRES_OWN.has(name)) continue;
    const found = await lstat(join(directory, name));
    if (!found.isFile() && !found.isDirectory() && !found.isSymbolicLink()) continue;
    hasLinks ||= found.isSymbolicLink();
    files.push(name);
  }
  let bytes = 0;
  for (const name of wal) bytes += await treeBytes(join(directory, 'pg_wal', name));
  for (const name of files) bytes += await treeBytes(join(directory, name));
  return { folder, wal, files, hasLinks, bytes };
}

function isKept(name: string, fork: Lsn, size: SegmentSize): boolean {
  if (name === KEPT_WAL_FOLDER) return true;
  const file = parseWalFileName(name);
  if (file === undefined || file.kind === 'backup') return false;
  if (file.kind === 'history') return true;
  const segment = parseSegmentName(file.segment ?? '', size);
  return segment !== undefined && segmentEnd(segment.start, size) > fork;
}

/** Durable when it returns. Throws SPW_DISK_SPACE before anything is written where there is no room for it. */
export async function keep(
  directory: string,
  plan: KeptPlan,
  about: Readonly<Record<string, unknown>>,
  owner: Owner,
  signal: AbortSignal,
): Promise<void> {
  const { folder, bytes } = plan;
  const { freeBytes } = await fileSystemOf(folder);
  if (freeBytes < bytes) {
    throw new SpillwayError('SPW_DISK_SPACE', `nothing was kept in ${folder}, and nothing rewound`, {
      why: `${bytes} bytes are to be kept, and ${freeBytes} are free there`,
      hint: 'free space, or name a folder elsewhere with --keep-into',
    });
  }
  let isOurs = false;
  try {
    const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await readdir(folder)).length > 0) throw new Error('it is not empty');
    isOurs = true;
    await syncAbove(folder, firstMade);
    for (const [part, from, names] of [
      ['wal', join(directory, 'pg_wal'), plan.wal],
      ['files', directory, plan.files],
    ] as const) {
      await mkdir(join(folder, part), { mode: 0o700 });
      for (const name of names) await copyTree(join(from, name), join(folder, part, name), signal);
      await syncFolder(join(folder, part));
    }
    await writeFile(join(folder, 'rewind.json'), `${JSON.stringify(about, null, 2)}\n`, { mode: 0o600, flush: true });
    await syncFolder(folder);
    await giveAway(folder, owner);
  } catch (cause) {
    if (isOurs) await rm(folder, { recursive: true, force: true });
    signal.throwIfAborted();
    throw new SpillwayError('SPW_REWIND_IMPOSSIBLE', `nothing was rewound: ${folder} could not be written`, {
      cause,
      hint: 'name an empty or new folder for what is kept aside with --keep-into',
    });
  }
}

/** The files of this host, and the WAL that is only here, back into the data directory. Durable when it returns. */
export async function putBack(
  directory: string,
  { folder, files }: KeptPlan,
  replayed: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const name of files) await copyTree(join(folder, 'files', name), join(directory, name), signal);
  for (const name of replayed) {
    const to = join(directory, 'pg_wal', name);
    // What the source gave is as good, and newer where it went on in the same file.
    if (!(await isThere(to))) await copyTree(join(folder, 'wal', name), to, signal);
  }
  await syncFolder(join(directory, 'pg_wal'));
  await syncFolder(directory);
}

/** The folders that were made here; what was copied into them has its owner. */
async function giveAway(folder: string, { uid, gid }: Owner): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (const path of [folder, join(folder, 'wal'), join(folder, 'files'), join(folder, 'rewind.json')]) {
    await chown(path, uid, gid);
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
