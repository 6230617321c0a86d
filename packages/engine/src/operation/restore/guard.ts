// Where a restore must not write, whatever it was told: all looked at before anything is touched, with links followed.
//
// 1. Into the repository, or around it: it would be swept away, and is what the restore comes from.
// 2. Below the data directory of another cluster, which is not ours to fill.
// 3. Into roots that lie in one another by way of a link: the files of one would be strangers in the other.
// 4. What the backup does not have is removed, but never what another file system holds that is mounted there.

import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { isInside, type Layout, refuseOverlap, rootsOf } from './layout.ts';

export async function refuseUnsafePlaces(
  layout: Layout,
  /** Undefined where the repository is in no folder. */
  repositoryPath: string | undefined,
  removed: readonly string[],
): Promise<void> {
  const nothing = `nothing was restored into ${layout.directory}`;
  const repository = repositoryPath === undefined ? undefined : await realPlace(repositoryPath);
  for (const root of rootsOf(layout)) {
    if (repository === undefined) break;
    const place = await realPlace(root);
    if (place !== repository && !isInside(place, repository) && !isInside(repository, place)) continue;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
      why: `${root} and the repository, ${repositoryPath}, lie in one another`,
      hint: 'name a folder apart from the repository, or move the repository away first',
    });
  }
  const directory = await realPlace(layout.directory);
  const other = await clusterAbove(directory);
  if (other !== undefined) {
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
      why: `it lies inside ${other}, which is the data directory of a cluster`,
      hint: 'name a folder outside of it',
    });
  }
  const real: [number, string][] = [];
  for (const [oid, path] of layout.tablespaces) real.push([oid, await realPlace(path)]);
  refuseOverlap({
    directory,
    tablespaces: new Map(real),
    walDirectory: layout.walDirectory === undefined ? undefined : await realPlace(layout.walDirectory),
  });
  const mounts = removed.length === 0 ? [] : await mountPoints();
  const gone = new Set(removed);
  for (const mount of mounts) {
    // Of the places above it, the nearest that is to go.
    for (let at = mount; at !== dirname(at); at = dirname(at)) {
      const path =
        at === directory || isInside(at, directory) ? join(layout.directory, at.slice(directory.length)) : at;
      if (!gone.has(path)) continue;
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
        why: `another file system is mounted at ${mount}, the backup does not have ${path}, and what it does not have is removed`,
        hint: `unmount ${mount} first`,
      });
    }
  }
}

/** With the links followed of as much of it as there is. */
export async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) throw error;
    return join(await realPlace(dirname(path)), basename(path));
  }
}

async function clusterAbove(directory: string): Promise<string | undefined> {
  for (let at = dirname(directory); at !== dirname(at); at = dirname(at)) {
    const marks = await Promise.all(['PG_VERSION', 'global', 'base'].map((name) => isThere(join(at, name))));
    if (marks.every(Boolean)) return at;
  }
  return undefined;
}

/** One that cannot be looked into is none that we could write into either. */
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function mountPoints(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return parseMountPoints(text);
}

/** The fifth word of each line, where space, tab, line feed and backslash are octal. proc_pid_mountinfo(5) */
export const parseMountPoints = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path !== '')
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
