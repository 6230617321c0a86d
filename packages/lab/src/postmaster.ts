// postmaster.pid, the file by which a running server says who and how it is.
// Lines (src/include/utils/pidfile.h): pid, data directory, start time, port, socket folder, address,
// key and id of the System V shared memory segment, status.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PostmasterFile {
  readonly pid: number;
  readonly port: number | undefined;
  readonly sharedMemoryId: string | undefined;
  /** `starting`, `stopping`, `ready` or `standby`; undefined while the file is being written. */
  readonly status: string | undefined;
}

/** The file's content, or undefined where there is none; a server that was killed leaves it behind. */
export async function readPostmasterFile(dataDirectory: string): Promise<PostmasterFile | undefined> {
  let text: string;
  try {
    text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parsePostmasterFile(text);
}

export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid < 1) return undefined;
  return {
    pid,
    port: lines[3] === undefined || lines[3] === '' ? undefined : Number(lines[3]),
    sharedMemoryId: lines[6]?.split(/\s+/)[1],
    status: lines[7] === undefined || lines[7] === '' ? undefined : lines[7],
  };
}

/**
 * Removes the System V segment that a killed server left. PostgreSQL does so itself when it starts again, but a
 * cluster whose data directory goes never starts again, and a machine has room for only a few thousand segments.
 */
export async function removeSharedMemory(dataDirectory: string): Promise<void> {
  const file = await readPostmasterFile(dataDirectory);
  if (file?.sharedMemoryId === undefined) return;
  // It fails where the segment is gone already or there is no ipcrm; a few bytes stay then, and nothing depends on them.
  await run('ipcrm', ['-m', file.sharedMemoryId]).catch(() => undefined);
}
