// Processes that were started, known by number and start time together, because numbers are used again. Read from /proc, so
// Linux alone: elsewhere a process that outlived a killed service is not found, and only the repository's locks stop it
// from meeting the next.

import { readFileSync } from 'node:fs';

/** Start time in clock ticks since boot; undefined where there is no living process of that number. */
export function startTimeOf(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
  // The name, in parentheses, may hold spaces and parentheses itself; the fields after it are fixed (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

export const isAlive = ({ pid, started }: { readonly pid: number; readonly started: string }): boolean =>
  startTimeOf(pid) === started;

/** Sends a signal to a process, or with a negative number to its group; false where it was gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
