// Sealing a repository in a folder, so that whoever has the account of the backups can add to it and take nothing away.
//
//   folders of what lasts   append only (`chattr +a`): names are added, none is removed or renamed, from the first moment on
//   files of what lasts     immutable (`chattr +i`): from the next run of this on
//
// 1. Only root sets and clears these attributes: so root of the machine that has the disk is the role that expires, and the
//    account of the backups, on this machine or over NFS, is not.
// 2. What a place keeps for itself (locks, index, lists) stays as it is: no backup is lost with it.
// 3. Root removes an object by clearing the attributes of it and of its folder for that moment.
// Sources: chattr(1), ioctl_iflags(2). The programs are those of e2fsprogs, which every Debian has; Node has no ioctl.

import { execFile } from 'node:child_process';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { isLasting } from '../format/names.ts';
import { isName } from './port.ts';

const run = promisify(execFile);
const PATHS_AT_ONCE = 500;
const OUTPUT_MAX = 64 * 1024 * 1024;

export interface Sealed {
  /** Of what lasts, all in all. */
  readonly folders: number;
  readonly objects: number;
  readonly sealed_folders: number;
  readonly sealed_objects: number;
}

export interface Unsealed {
  /** Paths. */
  readonly folders: readonly string[];
  readonly objects: readonly { readonly name: string; readonly path: string; readonly changedAtMs: number }[];
}

export const isRoot = (): boolean => process.geteuid?.() === 0;

/** Seals what is not sealed yet. Throws SPW_USAGE where this process is not root. */
export async function sealFolder(
  root: string,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal?: AbortSignal },
): Promise<Sealed> {
  if (!dryRun && !isRoot()) {
    throw new SpillwayError('SPW_USAGE', `${root} was not sealed`, {
      why: 'only root may make files immutable',
      hint: 'run it as root of the machine that has the disk: sudo spillway storage seal',
    });
  }
  const found = await lookAtSeals(root, signal);
  if (!dryRun) {
    // Folders first: nothing that is in them can be taken away from then on.
    await change('+a', found.unsealed.folders, signal);
    await change(
      '+i',
      found.unsealed.objects.map(({ path }) => path),
      signal,
    );
  }
  return {
    folders: found.folders,
    objects: found.objects,
    sealed_folders: found.unsealed.folders.length,
    sealed_objects: found.unsealed.objects.length,
  };
}

/** Undefined where the root itself is not sealed, or its file system has no such attributes. */
export async function unsealedIn(root: string, signal?: AbortSignal): Promise<Unsealed | undefined> {
  try {
    const attributes = (await readAttributes(['-d', root], signal)).get(root);
    return attributes?.includes('a') === true ? (await lookAtSeals(root, signal)).unsealed : undefined;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) return undefined;
    throw error;
  }
}

async function lookAtSeals(
  root: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly folders: number; readonly objects: number; readonly unsealed: Unsealed }> {
  const lacking = { folders: [] as string[], objects: [] as Unsealed['objects'][number][] };
  let [folders, objects] = [0, 0];
  const walk = async (folder: string, name: string): Promise<void> => {
    signal?.throwIfAborted();
    const entries = await readdir(folder, { withFileTypes: true });
    const attributes = await readAttributes(['-a', folder], signal);
    // `.` of the listing is the folder itself.
    folders += 1;
    if (attributes.get(`${folder}/.`)?.includes('a') !== true) lacking.folders.push(folder);
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const own = name === '' ? entry.name : `${name}/${entry.name}`;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (isLasting(`${own}/x`)) await walk(path, own);
      } else if (entry.isFile() && isName(own) && isLasting(own)) {
        objects += 1;
        if (attributes.get(path)?.includes('i') === true) continue;
        const changedAtMs = await changedAt(path);
        if (changedAtMs !== undefined) lacking.objects.push({ name: own, path, changedAtMs });
      }
    }
  };
  await walk(root, '');
  return { folders, objects, unsealed: lacking };
}

/** By path. */
async function readAttributes(
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  let listed: string;
  try {
    listed = (await run('lsattr', words, { maxBuffer: OUTPUT_MAX, ...(signal && { signal }) })).stdout;
  } catch (error) {
    // A file that went meanwhile fails the program; what it could read it says all the same.
    const { stdout } = error as { readonly stdout?: string };
    if (stdout === undefined || stdout === '') throw refused(`reading the attributes of ${words.at(-1)}`, error);
    listed = stdout;
  }
  return new Map(
    listed
      .split('\n')
      .map((line) => /^(\S+) +(.*)$/.exec(line))
      .flatMap((match) => (match === null ? [] : [[match[2] ?? '', match[1] ?? ''] as const])),
  );
}

async function change(flag: string, paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  for (let at = 0; at < paths.length; at += PATHS_AT_ONCE) {
    const some = paths.slice(at, at + PATHS_AT_ONCE);
    try {
      await run('chattr', [flag, '--', ...some], signal && { signal });
    } catch {
      signal?.throwIfAborted();
      // One of them may have gone meanwhile; whether all others are sealed must be known.
      for (const path of some) {
        if ((await changedAt(path)) === undefined) continue;
        await run('chattr', [flag, '--', path]).catch((cause: unknown) => {
          throw refused(`sealing ${path} (chattr ${flag})`, cause);
        });
      }
    }
  }
}

/** Undefined where it is gone. */
async function changedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ctimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw refused(`looking at ${path}`, error);
    return undefined;
  }
}

const refused = (doing: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_STORAGE_UNREACHABLE', `${doing} failed`, {
    hint: 'seal a repository on ext4, xfs or btrfs, as root of the machine that has the disk; install e2fsprogs',
    cause,
  });

/** One after the other: two removals in one folder must not seal and unseal it in turns. */
let turn: Promise<unknown> = Promise.resolve();

/** For root alone. The folder is append only again when this settles. */
export function removeSealed(path: string): Promise<void> {
  return unsealed(path, () => unlink(path));
}

/** For root alone: `incoming` takes the name. */
export function replaceSealed(incoming: string, path: string): Promise<void> {
  return unsealed(path, () => rename(incoming, path));
}

function unsealed(path: string, act: () => Promise<void>): Promise<void> {
  const open = async (): Promise<void> => {
    const folder = dirname(path);
    const wasSealed = (await readAttributes(['-d', folder], undefined)).get(folder)?.includes('a') === true;
    await change('-i', [path], undefined);
    if (wasSealed) await change('-a', [folder], undefined);
    try {
      await act();
    } finally {
      if (wasSealed) await change('+a', [folder], undefined);
    }
  };
  const next = turn.then(open);
  turn = next.catch(() => undefined);
  return next;
}
