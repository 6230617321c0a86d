// The marker of a restore under way: which backup is being laid down in this folder.
//
//   written  before anything else of the restore is touched, and before an old pg_control goes
//   moved    into `spillway_recovery/` when all but pg_control is there and synced; with pg_control in place it says nothing
//            any more, and goes with that folder when the recovery is over
// So a folder with a marker and without pg_control is an unfinished restore of ours, and a later run may go on with it.

import { chown, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { FINISHING_MARKER } from './fetch-script.ts';
import { syncFolder } from './sync.ts';

export const MARKER_FILE = '.spillway-restore.json';

export interface Marker {
  readonly repository: string;
  readonly cluster: string;
  readonly backup: string;
  readonly system_identifier: string;
  readonly started_at: string;
  /** Folders outside the data directory that this restore writes into. */
  readonly folders: readonly string[];
}

/** Undefined where there is none. Says nothing about pg_control. */
export async function readMarker(directory: string): Promise<Marker | undefined> {
  for (const name of [MARKER_FILE, FINISHING_MARKER]) {
    const path = join(directory, name);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${path} cannot be read`, { cause: error });
    });
    if (text === undefined) continue;
    const marker = parseMarker(text);
    if (marker !== undefined) return marker;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${path} is not understood`, {
      why: 'it is the marker of an unfinished restore, but damaged or of another version',
      hint: 'empty the folder and restore again',
    });
  }
  return undefined;
}

export function parseMarker(text: string): Marker | undefined {
  try {
    const value = JSON.parse(text) as Partial<Marker>;
    const { repository, cluster, backup, system_identifier, started_at, folders } = value;
    const words = [repository, cluster, backup, system_identifier, started_at, ...(folders ?? [])];
    if (!Array.isArray(folders) || words.some((word) => typeof word !== 'string')) return undefined;
    return value as Marker;
  } catch {
    // Not JSON: no marker.
    return undefined;
  }
}

/** Durable when it returns. */
export async function writeMarker(
  directory: string,
  marker: Marker,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<void> {
  const path = join(directory, MARKER_FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(marker, null, 2)}\n`, { mode: 0o600, flush: true });
  if (owner !== undefined) await chown(`${path}.new`, owner.uid, owner.gid);
  await rename(`${path}.new`, path);
  await syncFolder(directory);
}

/** Durable when it returns. */
export async function moveMarker(directory: string): Promise<void> {
  const to = join(directory, FINISHING_MARKER);
  await rename(join(directory, MARKER_FILE), to);
  await syncFolder(dirname(to));
  await syncFolder(directory);
}
