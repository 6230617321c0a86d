// Who made a scratch cluster, and whether that process still lives.
//
// A number of a process means nothing by itself: numbers come again, after a restart of the machine too, and a container
// has numbers of its own. So an owner is a number with its start, the boot of the machine and the space the number is of.
// Where it cannot be told, as on another host, the owner counts as living: what is somebody's is left alone.

import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface Owner {
  readonly host: string;
  /** Of the running kernel; empty where that cannot be told. */
  readonly boot: string;
  /** Of the numbers of processes. */
  readonly namespace: string;
  readonly pid: number;
  /** In ticks since the machine started. */
  readonly started: string;
}

export type Place = Pick<Owner, 'host' | 'boot' | 'namespace'>;

export async function thisPlace(): Promise<Place> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return { host: hostname(), boot: boot.trim(), namespace: await readlink('/proc/self/ns/pid').catch(() => '') };
}

export async function thisOwner(): Promise<Owner> {
  return { ...(await thisPlace()), pid: process.pid, started: (await startOf(process.pid)) ?? '' };
}

export const ownerState = async (owner: Owner): Promise<'living' | 'gone' | 'elsewhere'> =>
  judgeOwner(owner, await thisPlace(), await startOf(owner.pid));

/** `started` is that of the process which has the owner's number here and now, undefined where there is none. Pure. */
export function judgeOwner(owner: Owner, here: Place, started: string | undefined): 'living' | 'gone' | 'elsewhere' {
  if (owner.host !== here.host) return 'elsewhere';
  if (owner.boot !== here.boot) return 'gone';
  if (owner.namespace !== here.namespace) return 'elsewhere';
  return started !== undefined && started === owner.started ? 'living' : 'gone';
}

/** proc_pid_stat(5) */
async function startOf(pid: number): Promise<string | undefined> {
  // Without such a process, or without /proc, there is none to read.
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name of the program, in brackets, may hold anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
