// WAL of the old cluster that the repository does not have: it may be all there is of the last seconds before a disaster.
//
// A restore in place removes what the backup does not have, and of pg_wal no backup has anything. So segments of the same
// system which the repository lacks, or has only in part, are set aside first: moved, which takes no space, into a
// folder inside pg_wal, which PostgreSQL leaves alone and no backup reads. Segments that PostgreSQL had recycled for later
// are known by their head, and hold nothing. A restore that is gone on with leaves that folder as it is.

import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { parseHistoryName, parseSegmentName, segmentEnd } from '../../postgres/lsn.ts';
import { checkSegmentHeader } from '../../postgres/walrecord.ts';
import type { SystemWal } from '../backups.ts';
import { parseWalFileName } from '../wal/file-name.ts';
import { covers } from '../wal/interval.ts';
import { linkTarget } from './folder.ts';
import type { Layout } from './layout.ts';
import { syncFolder } from './sync.ts';

export const KEPT_WAL_FOLDER = 'spillway_kept_wal';
const HEAD_BYTES = 64;

/** Where the restore has its pg_wal. */
export const walPlace = ({ directory, walDirectory }: Layout): string => walDirectory ?? join(directory, 'pg_wal');

/**
 * Names of files in the old pg_wal which the repository does not hold whole, in order. None where it is a link elsewhere:
 * what lies behind that stays as it is. Throws SPW_FOLDER_NOT_EMPTY for a folder of them that a link is to replace.
 */
export async function findUnstoredWal(layout: Layout, wal: SystemWal): Promise<readonly string[]> {
  const path = join(layout.directory, 'pg_wal');
  const link = await linkTarget(path);
  if (link !== undefined) return link === layout.walDirectory ? unstoredIn(link, wal) : [];
  const unstored = await unstoredIn(path, wal);
  if (layout.walDirectory === undefined || unstored.length === 0) return unstored;
  throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${layout.directory}`, {
    why: `pg_wal there is to become a link, and holds WAL that the repository lacks, from ${unstored[0]} on`,
    hint: 'move that folder away, or leave --wal-directory out: then that WAL is kept',
  });
}

async function unstoredIn(folder: string, { archive, catalog }: SystemWal): Promise<readonly string[]> {
  const unstored: string[] = [];
  for (const name of (await namesIn(folder)).toSorted()) {
    const file = parseWalFileName(name);
    if (file === undefined || file.kind === 'backup') continue;
    if (file.kind === 'history') {
      const timeline = parseHistoryName(name);
      if (timeline !== undefined && !catalog.histories.has(timeline)) unstored.push(name);
      continue;
    }
    const segment = parseSegmentName(file.segment ?? '', archive.segmentSize);
    if (segment === undefined) continue;
    const stored = catalog.objects.get(segment.timeline) ?? [];
    if (covers(stored, segment.start, segmentEnd(segment.start, archive.segmentSize))) continue;
    const expected = { systemIdentifier: archive.systemIdentifier, segmentSize: archive.segmentSize, ...segment };
    if (await holdsWal(join(folder, name), expected)) unstored.push(name);
  }
  return unstored;
}

/** Durable when it returns. */
export async function keepWal(folder: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const to = join(folder, KEPT_WAL_FOLDER);
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of names) await rename(join(folder, name), join(to, name));
  await syncFolder(to);
  await syncFolder(folder);
}

async function holdsWal(path: string, expected: Parameters<typeof checkSegmentHeader>[1]): Promise<boolean> {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    await using file = await open(path, 'r');
    await file.read(head, 0, HEAD_BYTES, 0);
  } catch (cause) {
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${path} cannot be read`, {
      cause,
      hint: 'it may be WAL that is stored nowhere else: see what is wrong with it, or move it away, before restoring here',
    });
  }
  try {
    checkSegmentHeader(head, expected);
    return true;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_WAL_INVALID')) return false;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${folder} cannot be read`, { cause: error });
  });
}
