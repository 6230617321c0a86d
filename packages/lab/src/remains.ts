// What must not outlive this process: servers that still run, and their folders.
//
// 1. Each cluster is noted here from its making until it is destroyed.
// 2. When the process exits, what is left is killed and removed at once, with synchronous calls only.
// 3. A signal (Ctrl-C) that nobody else handles would end the process without its exit handlers, so it is handled
//    here too: clean up, then die of the same signal. Where somebody else handles it, that one decides.
// SIGKILL cannot be handled; what it leaves is found by its name under the folder for temporary files.

import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { killTreeNow, type ProcessMark } from './process.ts';

export interface Remains {
  readonly postmaster: () => ProcessMark | undefined;
  /** Removed with all that is in them. */
  readonly owned: readonly string[];
  /** Folders removed only where nothing is left in them. */
  readonly emptied: readonly string[];
}

const remains = new Map<object, Remains>();
const deadlySignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let watching = false;

export function noteRemains(owner: object, what: Remains): void {
  remains.set(owner, what);
  if (watching) return;
  watching = true;
  process.on('exit', clearRemains);
  for (const signal of deadlySignals) process.on(signal, dieCleanly);
}

export function forgetRemains(owner: object): void {
  remains.delete(owner);
}

function dieCleanly(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  clearRemains();
  process.removeListener(signal, dieCleanly);
  process.kill(process.pid, signal);
}

function clearRemains(): void {
  for (const { postmaster } of remains.values()) {
    const mark = postmaster();
    if (mark !== undefined) killTreeNow(mark);
  }
  for (const { owned, emptied } of remains.values()) {
    // Children that are just dying may still write a file; a few retries outlast them.
    for (const path of owned) rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    for (const path of emptied) if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
  }
  remains.clear();
}
