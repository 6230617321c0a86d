// Processes that a killed service left behind: found by their marks, asked to end, and ended.
//
// They work on without anybody to tell; what they finish in that time is finished, and stands in the repository. Only when
// the last of them is gone does the service begin anything of its own.

import type { Logger } from '../log.ts';
import type { ChildMark, Marks } from '../state/marks.ts';
import { isAlive, signalProcess } from './processes.ts';

const POLL_MS = 50;

export async function endLeftovers(marks: Marks, log: Logger, withinMs: number): Promise<void> {
  const left = marks.children().filter((mark) => isAlive(mark));
  for (const { owner, pid } of left) {
    log.warn({ owner, pid }, 'a process of a service that was killed is still there; it is asked to end');
    signalProcess(pid, 'SIGTERM');
  }
  if (!(await areGone(left, withinMs))) {
    for (const mark of left.filter((each) => isAlive(each))) {
      log.warn({ owner: mark.owner, pid: mark.pid }, 'it did not end, and is ended');
      signalProcess(-mark.pid, 'SIGKILL');
    }
    await areGone(left, withinMs);
  }
  for (const { owner } of marks.children()) marks.endedChild(owner);
}

async function areGone(left: readonly ChildMark[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (left.some((mark) => isAlive(mark))) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
