// What there is to back up: one walk over the data directory and its tablespaces.
//
// 1. Each path is classified by `exclusion.ts`; forks of unlogged relations are seen only with their whole folder.
// 2. A tablespace is the target of a link in pg_tblspc, walked as a root of its own; one inside the data directory is
//    refused, since its files would be there twice.
// 3. Files and folders may vanish while we look: what is gone is not there. Any other failure to read is an error.
// The walk is synchronous by folder (a thousand files are 5 ms) and lets others run between folders.

import { type BigIntStats, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contract';
import type { DirectoryEntry, Entry, FileEntry } from '../../format/entry.ts';
import type { Entries } from '../../format/manifest.ts';
import { EntryPacker } from '../../format/packed-entries.ts';
import { classify, type PathKind, unloggedSkips } from '../../postgres/exclusion.ts';
import { RECOVERY_FOLDER } from '../restore/fetch-script.ts';
import { CONTROL_FILE } from './control-file.ts';

/** The data directory, or a tablespace. */
export interface Root {
  readonly tablespace?: number;
  readonly directory: string;
}

export interface Scan {
  readonly roots: readonly Root[];
  /** Ordered by root and path. pg_control is left out: it is copied last. */
  readonly entries: Entries;
  /** Of all files. */
  readonly bytes: number;
}

export async function scanCluster(dataDirectory: string, signal: AbortSignal): Promise<Scan> {
  const roots: Root[] = [{ directory: dataDirectory }, ...findTablespaces(dataDirectory)];
  const entries = new EntryPacker();
  let bytes = 0;
  const add = (entry: Entry): void => {
    entries.add(entry);
    if (entry.kind === 'file') bytes += entry.bytes;
  };
  for (const root of roots) await walk(root, '', add, signal);
  return { roots, entries: entries.finish(), bytes };
}

function findTablespaces(dataDirectory: string): readonly Root[] {
  const found: Root[] = [];
  // The folder may be named with a slash at its end, or by a link.
  const inside = realpathSync(dataDirectory);
  for (const name of readdirSync(join(dataDirectory, 'pg_tblspc'))) {
    const link = join(dataDirectory, 'pg_tblspc', name);
    // Dropped while we look: then it is not there.
    const directory = unlessGone(() => (lstatSync(link).isSymbolicLink() ? readlinkSync(link) : undefined));
    if (!/^\d+$/.test(name) || directory === undefined) continue;
    if (
      `${directory}/`.startsWith(`${inside}/`) ||
      `${unlessGone(() => realpathSync(directory))}/`.startsWith(`${inside}/`)
    ) {
      throw new SpillwayError('SPW_DATA_DIRECTORY', `tablespace ${name} cannot be backed up`, {
        why: `it lies inside the data directory, at ${directory}`,
        hint: 'move the tablespace out of the data directory',
      });
    }
    found.push({ tablespace: Number(name), directory });
  }
  return found.toSorted((a, b) => (a.tablespace ?? 0) - (b.tablespace ?? 0));
}

async function walk(root: Root, folder: string, add: (entry: Entry) => void, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await yieldToOthers();
  const names = unlessGone(() => readdirSync(join(root.directory, folder)))?.toSorted();
  if (names === undefined) return;
  const unlogged = unloggedSkips(names);
  const folders: string[] = [];
  for (const name of names) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const stats = unlessGone(() => lstatSync(join(root.directory, path), { bigint: true }));
    if (stats === undefined) {
      refuseUnreadableName(root, path);
      continue;
    }
    if (unlogged.has(name)) continue;
    const kind = kindOf(stats);
    if (kind === undefined || path === CONTROL_FILE) continue;
    // Of a recovery of ours that nobody watched to its end; in a restore it would be taken for that one's own.
    if (path === RECOVERY_FOLDER && root.tablespace === undefined) continue;
    const inPlace = root.tablespace === undefined ? path : `pg_tblspc/${root.tablespace}/${path}`;
    const verdict = classify(inPlace, kind);
    if (verdict === 'skip' || (kind === 'link' && folder === 'pg_tblspc')) continue;
    if (kind === 'directory' || verdict === 'empty-directory') {
      add(describeFolder(root, path, kind === 'link' ? statSync(join(root.directory, path), { bigint: true }) : stats));
      if (kind === 'directory') folders.push(path);
    } else if (kind === 'link') {
      const target = readlinkSync(join(root.directory, path));
      if (holdsData(root, path)) throw linkedData(join(root.directory, path), target);
      add({ kind: 'link', path, target });
    } else {
      add(describeFile(root, path, stats));
    }
  }
  for (const each of folders) await walk(root, each, add, signal);
}

/** Whether what lies there is the cluster's own data, and not a file or folder of the operator's. */
const holdsData = ({ tablespace }: Root, path: string): boolean =>
  tablespace !== undefined || /^(?:base|global|pg_(?:xact|multixact|commit_ts|logical|twophase))(?:\/|$)/.test(path);

/** Its data would be in no backup, and a restore on this machine would lay a link to the very files of the source. */
const linkedData = (path: string, target: string): SpillwayError =>
  new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be backed up`, {
    why: `it is a link to ${target}, and data of the cluster lies behind it`,
    hint: 'move the files back in its place, and use a tablespace to keep them on another disk',
  });

export const describeFile = (root: Root, path: string, stats: BigIntStats): FileEntry => ({
  kind: 'file',
  path,
  ...(root.tablespace === undefined ? {} : { tablespace: root.tablespace }),
  mode: Number(stats.mode & 0o7777n),
  uid: Number(stats.uid),
  gid: Number(stats.gid),
  bytes: Number(stats.size),
  mtime: String(stats.mtimeNs),
  ctime: String(stats.ctimeNs),
  inode: String(stats.ino),
});

const describeFolder = (root: Root, path: string, stats: BigIntStats): DirectoryEntry => ({
  kind: 'directory',
  path,
  ...(root.tablespace === undefined ? {} : { tablespace: root.tablespace }),
  mode: Number(stats.mode & 0o7777n),
  uid: Number(stats.uid),
  gid: Number(stats.gid),
});

/** What is not UTF-8 in a name reads as U+FFFD, so that the file looks as though it were gone. */
function refuseUnreadableName({ directory }: Root, path: string): void {
  if (!path.includes('\uFFFD')) return;
  throw new SpillwayError('SPW_DATA_DIRECTORY', `${join(directory, path)} cannot be backed up`, {
    why: 'its name is not UTF-8, and it would be restored under another',
    hint: 'PostgreSQL makes no such files: rename it, or move it out of the data directory',
  });
}

/** Sockets and pipes are nothing to back up. */
function kindOf(stats: BigIntStats): PathKind | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : undefined;
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_DATA_DIRECTORY', 'the data directory cannot be read', { cause: error });
  }
}
