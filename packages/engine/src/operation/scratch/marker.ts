// What says that a scratch cluster is one: a marker beside its folder, there before the folder is and gone after it.
//
//   <folder>/<id>.json   the marker: what for, of which cluster, whose, until when
//   <folder>/<id>/       all of the scratch cluster: data/, tablespaces/, socket/, server.log, pg_hba.conf
// Invariant: what has no marker is not touched, nor what has one of another account: places follow from the marker's name
// alone, never from what stands in it, so that no text leads anywhere else.

import { randomBytes } from 'node:crypto';
import { lstat, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { makePassable } from '../restore/passage.ts';
import { syncFolder } from '../restore/sync.ts';
import type { Owner } from './owner.ts';

export type ScratchPurpose = 'verification' | 'drill' | 'table' | 'timetravel';

export interface ScratchMarker {
  readonly format: 1;
  readonly purpose: ScratchPurpose;
  readonly cluster: string;
  readonly backup: string;
  /** As a person reads it: `time 2026-11-23T14:03:12+00:00`. */
  readonly target: string;
  readonly created_at: string;
  /** Of what outlives its owner; null where it goes with him. */
  readonly expires_at: string | null;
  readonly owner: Owner;
  /** Once the server takes connections: the folder of its socket, its port, and who may log in. */
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  } | null;
}

export interface ScratchPlace {
  readonly id: string;
  readonly marker: string;
  readonly root: string;
  readonly data: string;
  readonly tablespaces: string;
  readonly socket: string;
  readonly logFile: string;
  readonly hbaFile: string;
}

const FORM = /^((?:verification|drill|table|timetravel)-[0-9a-f]{12})\.json$/;

export const newScratchId = (purpose: ScratchPurpose): string => `${purpose}-${randomBytes(6).toString('hex')}`;

export function scratchPlace(folder: string, id: string): ScratchPlace {
  const root = join(folder, id);
  return {
    id,
    marker: `${root}.json`,
    root,
    data: join(root, 'data'),
    tablespaces: join(root, 'tablespaces'),
    socket: join(root, 'socket'),
    logFile: join(root, 'server.log'),
    hbaFile: join(root, 'pg_hba.conf'),
  };
}

/** Durable when it returns; one that is there is replaced. */
export async function writeScratchMarker(place: ScratchPlace, marker: ScratchMarker): Promise<void> {
  const fresh = `${place.marker}.new`;
  await writeFile(fresh, `${JSON.stringify(marker, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(fresh, place.marker);
  await syncFolder(join(place.root, '..'));
}

/** Of this account, in no order; `odd` are markers that are not understood. A folder that is not there has none. */
export async function readScratchMarkers(folder: string): Promise<{
  readonly found: readonly { readonly place: ScratchPlace; readonly marker: ScratchMarker }[];
  readonly odd: readonly string[];
}> {
  const at = await realFolder(folder);
  if (at === undefined) return { found: [], odd: [] };
  const found: { readonly place: ScratchPlace; readonly marker: ScratchMarker }[] = [];
  const odd: string[] = [];
  for (const name of (await readdir(at)).toSorted()) {
    const id = FORM.exec(name)?.[1];
    if (id === undefined) continue;
    const place = scratchPlace(at, id);
    const text = await readOwn(place.marker);
    if (text === undefined) continue;
    const marker = parseScratchMarker(text);
    if (marker === undefined) odd.push(place.marker);
    else found.push({ place, marker });
  }
  return { found, odd };
}

export function parseScratchMarker(text: string): ScratchMarker | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: no marker.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { format, owner, expires_at, server, ...words } = value as Partial<ScratchMarker>;
  const { purpose, cluster, backup, target, created_at } = words;
  if (format !== 1 || typeof owner !== 'object' || owner === null || server === undefined) return undefined;
  const { host, boot, namespace, pid, started } = owner;
  const texts = [purpose, cluster, backup, target, created_at, host, boot, namespace, started, expires_at ?? ''];
  if (texts.some((each) => typeof each !== 'string') || !Number.isSafeInteger(pid)) return undefined;
  const times = [created_at, expires_at ?? created_at];
  return times.some((time) => Number.isNaN(Date.parse(time ?? ''))) ? undefined : (value as ScratchMarker);
}

/**
 * The folder with its links followed, made where it is missing. Throws SPW_FOLDER_NOT_EMPTY where it is another account's:
 * in a folder that everybody can write to, anybody could have made it first.
 */
export async function makeScratchFolder(folder: string): Promise<string> {
  try {
    await makePassable(folder, 0o700);
    const at = await realpath(folder);
    const { uid } = await lstat(at);
    const mine = process.getuid?.();
    if (mine === undefined || uid === mine || uid === 0) return at;
  } catch (cause) {
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `the folder ${folder} cannot be used for scratch clusters`, {
      hint: 'name a folder of this account as scratch_directory in the configuration',
      cause,
    });
  }
  throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `the folder ${folder} cannot be used for scratch clusters`, {
    why: 'it belongs to another account',
    hint: 'name a folder of this account as scratch_directory in the configuration',
  });
}

export async function removeScratchMarker(place: ScratchPlace): Promise<void> {
  await rm(`${place.marker}.new`, { force: true });
  await rm(place.marker, { force: true });
}

async function realFolder(folder: string): Promise<string | undefined> {
  try {
    return await realpath(folder);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `the folder ${folder} cannot be looked into`, { cause });
  }
}

/** Undefined where it is gone by now, no plain file, or another account's. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    const about = await lstat(path);
    if (!about.isFile() || (process.getuid !== undefined && about.uid !== process.getuid())) return undefined;
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${path} cannot be read`, { cause });
  }
}
