// CPU time and memory of processes, from what bash and the kernel print. Pure.
//
// 1. A command's CPU time is what bash's `time` says: its own and that of all descendants that were waited for.
// 2. A server's is the sum over its processes of utime, stime, cutime and cstime (proc(5)): what a child used moves to
//    its parent when it ends, so the sum only grows, and the difference of two sums is what was used between them.

/** For bash's TIMEFORMAT: user and system seconds. */
export const TIME_FORMAT = '%3U %3S';
/** Linux tells user space hundredths of a second, whatever its own clock does. */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, of what `time` printed with TIME_FORMAT; undefined where it printed something else. */
export function parseTimes(text: string): number | undefined {
  const found = /^(\d+\.\d{3}) (\d+\.\d{3})\s*$/.exec(text);
  return found === null ? undefined : Number(found[1]) + Number(found[2]);
}

/** CPU seconds of a process and of its ended children, from its `/proc/<pid>/stat`; 0 for one that just ended. */
export function parseProcessCpu(stat: string): number {
  if (stat === '') return 0;
  // The name, in parentheses, may hold spaces and parentheses itself; the fields after it are fixed.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks / TICKS_PER_SECOND;
}

/** The most memory a process ever had, in bytes, from its `/proc/<pid>/status`; 0 for a process that just ended. */
export function parsePeakMemory(status: string): number {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
