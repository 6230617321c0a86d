// The programs of PostgreSQL on this machine, beside the server: pg_dump, pg_restore, psql, pg_rewind, pg_amcheck and more.
//
// A server is dumped by a pg_dump of its own major, or else of the nearest newer one (never an older one). Its own comes
// first because what a newer one writes need not load into a server of the older major again. pg_rewind and
// pg_checksums read files of their own major alone.
// Looked for: in `binDirectory`, along the search path, and where Debian's packages are. Debian's pg_wrapper on PATH is
// passed over: it chooses a version by rules of its own.

import { constants } from 'node:fs';
import { access, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { readProgramVersion } from './client-process.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';

export type ClientProgram =
  | 'pg_dump'
  | 'pg_dumpall'
  | 'pg_restore'
  | 'psql'
  | 'pg_rewind'
  | 'pg_amcheck'
  | 'pg_checksums';

export interface ClientPrograms {
  readonly binDirectory: string;
  readonly major: number;
  /** As the program prints it: `15.18`. */
  readonly version: string;
}

export interface ClientSearch {
  /** Where to look first. */
  readonly binDirectory?: string;
  /** Folders of PATH. */
  readonly searchPath?: readonly string[];
  /** Where Debian's packages are; another folder in tests. */
  readonly packagesFolder?: string;
  /** No newer major will do. */
  readonly exact?: boolean;
  readonly signal?: AbortSignal;
}

/** Throws SPW_POSTGRES_PROGRAM, naming the package to install, where no folder has `programs` of `major` or newer. */
export async function findClientPrograms(
  programs: readonly ClientProgram[],
  major: number,
  search: ClientSearch = {},
): Promise<ClientPrograms> {
  const found: ClientPrograms[] = [];
  const others: ClientPrograms[] = [];
  const [first = 'pg_dump'] = programs;
  for (const binDirectory of await foldersOf(search)) {
    const usable = await Promise.all(programs.map((program) => isUsable(join(binDirectory, program))));
    if (usable.includes(false)) continue;
    const version = await readProgramVersion(join(binDirectory, first), search.signal);
    const own = Number.parseInt(version, 10);
    if (search.exact === true && own !== major) others.push({ binDirectory, version, major: own });
    else found.push({ binDirectory, version, major: own });
  }
  const chosen = chooseClient(found, major, search.binDirectory);
  if (chosen !== undefined) return chosen;
  const unfit = [...found, ...others];
  const wanted = search.exact === true ? `PostgreSQL ${major}` : `PostgreSQL ${major} or newer`;
  const packaged = search.exact === true ? `postgresql-${major}` : `postgresql-client-${major}`;
  throw new SpillwayError('SPW_POSTGRES_PROGRAM', `no ${programs.join(' and ')} of ${wanted} here`, {
    why:
      unfit.length === 0
        ? 'there is none in bin_directory, on PATH or in /usr/lib/postgresql'
        : `found only ${unfit.map(({ version, binDirectory }) => `${version} in ${binDirectory}`).join(', ')}`,
    hint: `install the package ${packaged}, or name the folder of its programs as bin_directory in the configuration`,
  });
}

/** The folder that was named, where it fits; else the same major, else the nearest newer, the first found of each. */
export function chooseClient(
  found: readonly ClientPrograms[],
  major: number,
  named?: string,
): ClientPrograms | undefined {
  const fitting = found.filter((each) => each.major >= major);
  return (
    fitting.find(({ binDirectory }) => binDirectory === named) ?? fitting.toSorted((a, b) => a.major - b.major).at(0)
  );
}

async function foldersOf(search: ClientSearch): Promise<readonly string[]> {
  const packages = search.packagesFolder ?? DEBIAN_FOLDER;
  const majors = await readdir(packages).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EACCES') return [];
    throw error;
  });
  const packaged = majors.filter((name) => /^\d+$/.test(name)).map((name) => join(packages, name, 'bin'));
  return [
    ...new Set([
      ...(search.binDirectory === undefined ? [] : [search.binDirectory]),
      ...(search.searchPath ?? []),
      ...packaged,
    ]),
  ];
}

async function isUsable(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return basename(await realpath(program)) !== 'pg_wrapper';
  } catch {
    // Not there, or not for us: another folder may have it.
    return false;
  }
}
