// Processes by number: who descends from whom, who is still there, and ending them all at once.
//
// 1. /proc is read, so no helper program is needed; a process is known by number and start time together, because
//    numbers are used again.
// 2. `killTree` stops the root first (SIGSTOP), so that it starts no further children while they are counted, then
//    sends SIGKILL to all and waits until the last is gone. A zombie counts as gone: it holds nothing any more.
// Linux only, as the lab's servers are.

import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contract';

export interface ProcessMark {
  readonly pid: number;
  /** Start time in clock ticks since boot; with the number it names a process for good. */
  readonly started: string;
}

const POLL_MS = 5;
const GONE_WITHIN_MS = 15_000;

/** The mark of a living process, or undefined if there is none of that number (a zombie is none). */
export function markProcess(pid: number): ProcessMark | undefined {
  const stat = readStat(pid);
  return stat === undefined || stat.state === 'Z' ? undefined : { pid, started: stat.started };
}

export function isAlive(mark: ProcessMark): boolean {
  return markProcess(mark.pid)?.started === mark.started;
}

/** Every living descendant of `pid`, children first. */
export function descendantsOf(pid: number): readonly ProcessMark[] {
  const children = new Map<number, ProcessMark[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(Number(name));
    if (stat === undefined || stat.state === 'Z') continue;
    const siblings = children.get(stat.parent) ?? [];
    siblings.push({ pid: Number(name), started: stat.started });
    children.set(stat.parent, siblings);
  }
  const found: ProcessMark[] = [];
  const waiting = [pid];
  for (let parent = waiting.shift(); parent !== undefined; parent = waiting.shift()) {
    for (const child of children.get(parent) ?? []) {
      found.push(child);
      waiting.push(child.pid);
    }
  }
  return found;
}

/** SIGKILL to the process and all its descendants, at once. Does not wait; returns whom to wait for. */
export function killTreeNow(root: ProcessMark): readonly ProcessMark[] {
  if (!isAlive(root)) return [];
  signalProcess(root.pid, 'SIGSTOP');
  const family = [root, ...descendantsOf(root.pid)];
  for (const { pid } of family) signalProcess(pid, 'SIGKILL');
  return family;
}

/** SIGKILL to the process and all its descendants; returns when the last of them is gone. */
export async function killTree(root: ProcessMark): Promise<void> {
  const family = killTreeNow(root);
  await untilGone(family);
}

export async function untilGone(family: readonly ProcessMark[], withinMs: number = GONE_WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (family.some(isAlive)) {
    if (performance.now() > deadline) {
      const left = family.filter(isAlive).map(({ pid }) => pid);
      throw new SpillwayError('SPW_LAB', `processes ${left.join(', ')} did not end`, {
        why: `they were still there after ${withinMs / 1000} s`,
      });
    }
    await pause(POLL_MS);
  }
}

/** Sends a signal; false if the process was gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

function readStat(
  pid: number,
): { readonly state: string; readonly parent: number; readonly started: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // Ended between two looks: ENOENT for the file, ESRCH for a read from it.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
  // The name, in parentheses, may hold spaces and parentheses itself; the fields after it are fixed (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), started: fields[19] ?? '' };
}
