// A restore in place: what of the old files stays, and what goes.
//
// 1. Each root is walked without following any link. What the backup has there too, as the same kind of thing, stays and is
//    compared; everything else goes. A file with a second name elsewhere goes as well: writing into it would change that too.
// 2. In a tablespace only the folder of this version of PostgreSQL is ours: other things there are left alone.
// 3. Where pg_wal is a link, what lies behind it is ours only by its name: the disk may hold other things too.
// 4. `lost+found` belongs to the file system, wherever it is mounted; the marker and the WAL set aside to this restore.

import { type Dirent, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contract';
import type { Entry } from '../../format/entry.ts';
import { parseWalFileName } from '../wal/file-name.ts';
import { LEFT_OUT } from './chunks.ts';
import { KEPT_WAL_FOLDER, walPlace } from './kept-wal.ts';
import { type Layout, pathOf } from './layout.ts';
import { MARKER_FILE } from './marker.ts';

const WAL_FOLDERS = new Set(['archive_status', 'summaries']);
/** Segments being made or fetched. */
const WAL_PASSING = /^(?:xlogtemp\.\d+|RECOVERYXLOG|RECOVERYHISTORY)$/;

export interface Survey {
  /** Absolute paths with their sizes. */
  readonly files: ReadonlyMap<string, number>;
  readonly folders: ReadonlySet<string>;
  readonly links: ReadonlySet<string>;
  readonly removed: readonly string[];
}

export const NOTHING_THERE: Survey = { files: new Map(), folders: new Set(), links: new Set(), removed: [] };

/** What is to stand at an absolute path: `link` with its target. */
export type Expected = { readonly kind: 'file' | 'directory' } | { readonly kind: 'link'; readonly target: string };

/** Without what is never laid as it was backed up. */
export function expectedPaths(entries: Iterable<Entry>, layout: Layout): ReadonlyMap<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const entry of entries) if (!LEFT_OUT.has(entry.path)) expected.set(pathOf(layout, entry), entry);
  for (const [oid, target] of layout.tablespaces) {
    expected.set(join(layout.directory, 'pg_tblspc', String(oid)), { kind: 'link', target });
  }
  if (layout.walDirectory !== undefined) {
    expected.set(join(layout.directory, 'pg_wal'), { kind: 'link', target: layout.walDirectory });
  }
  return expected;
}

export async function survey(
  expected: ReadonlyMap<string, Expected>,
  layout: Layout,
  signal: AbortSignal,
): Promise<Survey> {
  const files = new Map<string, number>();
  const folders = new Set<string>();
  const links = new Set<string>();
  const removed: string[] = [];

  const keptWal = join(walPlace(layout), KEPT_WAL_FOLDER);

  async function walk(folder: string, isOurs: (entry: Dirent) => boolean): Promise<void> {
    signal.throwIfAborted();
    await yieldToOthers();
    for (const entry of list(folder)) {
      const path = join(folder, entry.name);
      if (!isOurs(entry) || entry.name === 'lost+found' || path === keptWal) continue;
      const wanted = expected.get(path);
      const stats = lstatSync(path);
      if (wanted?.kind === 'file' && stats.isFile() && stats.nlink === 1) files.set(path, stats.size);
      else if (wanted?.kind === 'link' && stats.isSymbolicLink() && readlinkSync(path) === wanted.target)
        links.add(path);
      else if (wanted?.kind === 'directory' && stats.isDirectory()) {
        folders.add(path);
        await walk(path, () => true);
      } else removed.push(path);
    }
  }

  await walk(layout.directory, ({ name }) => name !== MARKER_FILE);
  for (const root of layout.tablespaces.values()) {
    // The folders of other versions, which may share the place, are another cluster's.
    await walk(root, ({ name }) => expected.has(join(root, name)));
  }
  if (layout.walDirectory !== undefined) await walk(layout.walDirectory, isWal);
  return { files, folders, links, removed };
}

const isWal = ({ name }: Dirent): boolean =>
  WAL_FOLDERS.has(name) || WAL_PASSING.test(name) || parseWalFileName(name) !== undefined;

/** Links are taken away, never followed. */
export async function removeAll(paths: readonly string[], signal: AbortSignal): Promise<void> {
  for (const path of paths) {
    signal.throwIfAborted();
    await rm(path, { recursive: true, force: true });
  }
}

function list(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${folder} cannot be read`, { cause: error });
  }
}
