// The processes of a scratch server, found and ended without a handle on them.
//
// 1. Only those count whose working directory is the very data directory and whose program is `postgres`: that is the proof,
//    whatever postmaster.pid says. It is there from the first moment, before postmaster.pid is, and a path is compared as it
//    stands: a link in its place leads to no other server.
// 2. What is thrown away is ended at once (`immediate`), and what does not go within ten seconds is killed. What is still to
//    be read is shut down (`fast`), so that its files are whole.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { SpillwayError } from '@spillway/contract';
import { pause } from '../pause.ts';

const LOOK_AGAIN_MS = 20;
const END_WITHIN_MS = 10_000;
/** A checkpoint of all that was recovered is part of it. */
const SHUT_DOWN_WITHIN_MS = 10 * 60_000;

interface ServerProcess {
  readonly pid: number;
  readonly parent: number;
}

/** Ends the server in `directory` and all its processes, by force where they do not go. Fine where there is none. */
export async function endServerIn(directory: string): Promise<void> {
  if (await signalled(directory, 'SIGQUIT', END_WITHIN_MS)) return;
  for (const { pid } of await processesIn(directory)) send(pid, 'SIGKILL');
  if (await isGone(directory, END_WITHIN_MS)) return;
  throw late(directory, END_WITHIN_MS);
}

/** Shuts the server in `directory` down cleanly. */
export async function shutServerDown(directory: string, signal: AbortSignal): Promise<void> {
  if (!(await signalled(directory, 'SIGINT', SHUT_DOWN_WITHIN_MS, signal))) throw late(directory, SHUT_DOWN_WITHIN_MS);
}

async function signalled(
  directory: string,
  name: NodeJS.Signals,
  withinMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const all = await processesIn(directory);
  const numbers = new Set(all.map(({ pid }) => pid));
  // Its children are ended by the server.
  for (const { pid, parent } of all) if (!numbers.has(parent)) send(pid, name);
  return isGone(directory, withinMs, signal);
}

async function isGone(directory: string, withinMs: number, signal?: AbortSignal): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(LOOK_AGAIN_MS, signal)) {
    if ((await processesIn(directory)).length === 0) return true;
  }
  return false;
}

async function processesIn(directory: string): Promise<readonly ServerProcess[]> {
  const found: ServerProcess[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // Other accounts' processes, and those that have just ended, show nothing: they are not ours.
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => undefined);
    if (cwd !== directory && cwd !== `${directory} (deleted)`) continue;
    const program = await readlink(`/proc/${name}/exe`).catch(() => '');
    if (!/\/postgres(?: \(deleted\))?$/.test(program)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    found.push({ pid: Number(name), parent });
  }
  return found;
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const late = (directory: string, withinMs: number): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_FAILED', `the scratch server in ${directory} did not stop`, {
    why: `not within ${Math.round(withinMs / 1000)} s`,
    hint: 'end its processes, then run this again: what is left is removed then',
  });
