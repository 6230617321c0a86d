// What the server's archiver and the commands that it calls use while they work through a burst of WAL.
//
// 1. The archiver waits for its commands, so what they used is its own afterwards. A command that leaves a process behind
//    in the background (pgBackRest's does) is not its child any more: such processes are known by the peer's folder in
//    their command line, and looked at every 100 ms. What they use in their last tenth of a second is missed.
// 2. Memory is the most that all of them held at one look, each with its peak: they come and go, one for each file.

import { readdirSync, readFileSync } from 'node:fs';
import { descendantsOf } from '@spillway/lab';
import type { ProcessIo } from './process-io.ts';
import { parsePeakMemory } from './process-times.ts';
import { usedByTree } from './measure.ts';

const LOOK_EVERY_MS = 100;

export interface Used extends ProcessIo {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** Looks on until `stop` is called, which tells what was used since. `mark` is in the command line of the peer's processes alone. */
export function watchBurst(serverPid: number, mark: string): { readonly stop: () => Used } {
  const before = usedByTree(serverPid);
  const strays = new Map<number, ProcessIo & { readonly cpuSeconds: number }>();
  let peakBytes = 0;
  const look = (): void => {
    const family = new Set(descendantsOf(serverPid).map(({ pid }) => pid));
    const marked = processesNaming(mark);
    for (const pid of marked) if (!family.has(pid)) strays.set(pid, usedByTree(pid));
    peakBytes = Math.max(
      peakBytes,
      marked.reduce((sum, pid) => sum + parsePeakMemory(textOf(pid, 'status')), 0),
    );
  };
  const looking = setInterval(look, LOOK_EVERY_MS);
  return {
    stop: () => {
      clearInterval(looking);
      look();
      const server = usedByTree(serverPid);
      const all = [...strays.values()];
      return {
        cpuSeconds: server.cpuSeconds - before.cpuSeconds + sum(all.map(({ cpuSeconds }) => cpuSeconds)),
        readBytes: server.readBytes - before.readBytes + sum(all.map(({ readBytes }) => readBytes)),
        writtenBytes: server.writtenBytes - before.writtenBytes + sum(all.map(({ writtenBytes }) => writtenBytes)),
        peakBytes,
      };
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function processesNaming(mark: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => textOf(pid, 'cmdline').includes(mark));
}

/** Empty for a process that has ended. */
function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
