// postmaster.pid, the file by which a running server says who and how it is.
// Lines (src/include/utils/pidfile.h): pid, data directory, start time, port, socket folder, address,
// key and id of the System V shared memory segment, status.

import { execFile } from 'node:child_process';
import { readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { markProcess, type ProcessMark } from './process.ts';

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

/**
 * The server that runs in that data directory. The number in a file left behind may be another process's by now, so
 * it counts only if that process has the data directory as its working directory, as every postmaster does.
 */
export async function runningPostmaster(dataDirectory: string): Promise<ProcessMark | undefined> {
  const file = await readPostmasterFile(dataDirectory);
  const mark = file === undefined ? undefined : markProcess(file.pid);
  if (mark === undefined) return undefined;
  try {
    const workingDirectory = await readlink(`/proc/${mark.pid}/cwd`);
    return workingDirectory === (await realpath(dataDirectory)) ? mark : undefined;
  } catch (error) {
    // It ended between two looks, or belongs to somebody else, and then it is not the lab's.
    if (error instanceof Error && 'code' in error && /^(ENOENT|ESRCH|EACCES|EPERM)$/.test(String(error.code)))
      return undefined;
    throw error;
  }
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
