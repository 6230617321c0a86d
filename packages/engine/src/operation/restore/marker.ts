// The marker of a restore under way: which backup is being laid down in this folder.
//
//   written  before anything else of the restore is touched, and before an old pg_control goes
//   moved    into `spillway_recovery/` when all but pg_control is there and synced
//   removed  when pg_control is in place
// So a folder with a marker and without pg_control is an unfinished restore of ours, and a later run may go on with it, without
// being told to overwrite anything. So no marker may outlive its restore, or a cluster that lost its pg_control much later
// would be taken for one: a moved marker counts only beside backup_label, which a server takes away when it first starts.

import { chown, lstat, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
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
  /** Who restores; none in a marker of before. */
  readonly process?: RestoringProcess;
}

/** Its start tells it from a later process of the same number. */
export interface RestoringProcess {
  readonly host: string;
  readonly pid: number;
  readonly started: string;
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
    if (name === FINISHING_MARKER && !(await isThere(join(directory, 'backup_label')))) continue;
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

export async function thisProcess(): Promise<RestoringProcess> {
  return { host: hostname(), pid: process.pid, started: (await startOf(process.pid)) ?? '' };
}

/** Whether the restore that wrote the marker still runs, on this machine, in another process. */
export async function isUnderWay({ process: of }: Marker): Promise<boolean> {
  if (of === undefined || of.host !== hostname() || of.pid === process.pid) return false;
  return of.started !== '' && (await startOf(of.pid)) === of.started;
}

/** In ticks since the machine started; undefined where there is no such process. proc_pid_stat(5) */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name of the program, in brackets, may hold anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** When pg_control is in place. */
export async function removeMarker(directory: string): Promise<void> {
  const path = join(directory, FINISHING_MARKER);
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** Durable when it returns. */
export async function moveMarker(directory: string): Promise<void> {
  const to = join(directory, FINISHING_MARKER);
  await rename(join(directory, MARKER_FILE), to);
  await syncFolder(dirname(to));
  await syncFolder(directory);
}
