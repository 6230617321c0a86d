// The machine that the figures are of: they say nothing without it.

import { readFile, realpath } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** More than this much load before the bench has begun is somebody else's. */
const BUSY = 0.5;

/** One line a fact, taken before anything is started. `folder` is where source and repositories lie. */
export async function describeMachine(folder: string): Promise<readonly string[]> {
  const disk = findMount(await readFile('/proc/self/mounts', 'utf8'), await realpath(folder));
  return [
    `CPU     ${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores`,
    `memory  ${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    `kernel  Linux ${release()}`,
    `disk    ${disk === undefined ? 'unknown' : `${disk.type} on ${disk.device}`}; source and repositories on the same one`,
    `Node    ${process.versions.node}`,
    `load    ${loadavg()[0]?.toFixed(1)} at the start${(loadavg()[0] ?? 0) > BUSY ? ': the machine is NOT QUIET, and the figures are worth little' : ''}`,
  ];
}

/** The file system that holds the path, from the text of `/proc/self/mounts`. */
export function findMount(
  mounts: string,
  path: string,
): { readonly device: string; readonly type: string } | undefined {
  let found: { readonly device: string; readonly type: string; readonly length: number } | undefined;
  for (const line of mounts.split('\n')) {
    const [device = '', point = '', type = ''] = line.split(' ');
    const folder = point.replace(/\/$/, '');
    const holds = point !== '' && (path === folder || path.startsWith(`${folder}/`));
    // Of two on the same point the later one covers the earlier.
    if (holds && folder.length >= (found?.length ?? 0)) found = { device, type, length: folder.length };
  }
  return found && { device: found.device, type: found.type };
}
