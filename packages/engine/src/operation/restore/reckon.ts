// What a restore will take: space on each file system, and time.
//
// Time comes from how fast the last large backup read the same data on the same machines, and from a deliberately slow
// guess for replay; where the number comes from is told with it.

import { SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { type FileSystem, fileSystemOf } from './folder.ts';

/** Used for the expected time until a replay was measured: a deliberately slow guess. */
const REPLAY_BYTES_PER_SECOND_GUESS = 50e6;

export interface SpaceNeed {
  readonly path: string;
  readonly bytes: number;
}

/** In the order of `needs`. Throws SPW_DISK_SPACE where a file system lacks space for all that goes onto it together. */
export async function reckonSpace(needs: readonly SpaceNeed[]): Promise<readonly FileSystem[]> {
  const places: FileSystem[] = [];
  for (const { path } of needs) places.push(await fileSystemOf(path));
  const short = findShortage(needs, places);
  if (short === undefined) return places;
  throw new SpillwayError('SPW_DISK_SPACE', `the restore into ${needs[0]?.path ?? ''} was not started`, {
    why: `the file system of ${short.path} needs ${short.needed} bytes, and ${short.free} are free`,
  });
}

/** The first file system that is too small. Pure. */
export function findShortage(
  needs: readonly SpaceNeed[],
  places: readonly FileSystem[],
): { readonly path: string; readonly needed: number; readonly free: number } | undefined {
  for (const [i, { path }] of needs.entries()) {
    const place = places[i];
    if (place === undefined || places.findIndex(({ device }) => device === place.device) < i) continue;
    const needed = needs.reduce((sum, need, n) => sum + (places[n]?.device === place.device ? need.bytes : 0), 0);
    if (needed > place.freeBytes) return { path, needed, free: place.freeBytes };
  }
  return undefined;
}

export interface Expectation {
  readonly seconds: number;
  /** Where the number comes from. */
  readonly from: string;
}

/** Undefined where nothing was measured yet. Pure. */
export function expectDuration(
  backups: readonly BackupSummary[],
  bytes: number,
  walBytes: number,
): Expectation | undefined {
  const measured = backups.filter((each) => each.read_bytes > 0 && each.duration_seconds > 0);
  const largest = measured.reduce<BackupSummary | undefined>(
    (most, each) => (most === undefined || each.read_bytes >= most.read_bytes ? each : most),
    undefined,
  );
  if (largest === undefined) return undefined;
  const rate = largest.read_bytes / largest.duration_seconds;
  return {
    seconds: Math.ceil(bytes / rate + walBytes / REPLAY_BYTES_PER_SECOND_GUESS),
    from: `as fast as backup ${largest.id} was read, ${Math.round(rate / 1e6)} MB/s, and a guess of ${REPLAY_BYTES_PER_SECOND_GUESS / 1e6} MB/s for replay`,
  };
}
