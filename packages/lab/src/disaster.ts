// Ways to wreck a cluster or a file on purpose. Each is final at once: nothing is shut down cleanly first.

import { open, rm, stat, truncate } from 'node:fs/promises';
import { SpillwayError } from '@spillway/contract';
import type { LabCluster } from './cluster.ts';
import { removeSharedMemory } from './postmaster.ts';
import type { Random } from './random.ts';

/** When it struck, by both clocks: one to compare with others' notes, one that never steps. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** Milliseconds of `performance.now()` of this process. */
  readonly monotonic: number;
}

export const momentNow = (): Moment => ({ wall: Date.now(), monotonic: performance.now() });

/** SIGKILL to the postmaster and every child. Returns the moment just before the first signal. */
export async function killCluster(cluster: LabCluster): Promise<Moment> {
  const moment = momentNow();
  await cluster.kill();
  return moment;
}

/** The disk is gone: all processes killed in the midst of their writes, then the data directory removed. */
export async function destroyDataDirectory(cluster: LabCluster): Promise<Moment> {
  const moment = await killCluster(cluster);
  await removeSharedMemory(cluster.dataDirectory);
  await rm(cluster.dataDirectory, { recursive: true, force: true });
  return moment;
}

/** Flips one bit of a file: of the byte at `where`, or of a random one. Returns what was flipped, for the report. */
export async function flipBit(
  file: string,
  where: number | Random,
): Promise<{ readonly offset: number; readonly bit: number }> {
  const { size } = await stat(file);
  if (size === 0) throw new SpillwayError('SPW_LAB', `${file} is empty and has no bit to flip`);
  const offset = typeof where === 'number' ? where : where.between(0, size - 1);
  const bit = typeof where === 'number' ? 0 : where.between(0, 7);
  if (offset < 0 || offset >= size) throw new SpillwayError('SPW_LAB', `${file} has no byte ${offset}`);
  const handle = await open(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offset);
    byte.writeUInt8(byte.readUInt8(0) ^ (1 << bit), 0);
    await handle.write(byte, 0, 1, offset);
  } finally {
    await handle.close();
  }
  return { offset, bit };
}

/** Cuts a file short: to `length` bytes, or to a random length below its own. Returns the new length. */
export async function truncateFile(file: string, length: number | Random): Promise<number> {
  const { size } = await stat(file);
  if (size === 0) throw new SpillwayError('SPW_LAB', `${file} is empty and cannot be cut shorter`);
  const rest = typeof length === 'number' ? length : length.between(0, size - 1);
  if (rest < 0 || rest >= size) throw new SpillwayError('SPW_LAB', `${rest} bytes are not less than ${file} has`);
  await truncate(file, rest);
  return rest;
}
