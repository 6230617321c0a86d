// How long a recovery took, from the log of the server that recovered. Pure.
//
// From the server's first line of that start until it takes connections, by the times that it puts in front of its lines to
// the millisecond; and of that the redo alone, which it tells itself since PostgreSQL 15. Starts before the last one in the
// log are not looked at.

export interface RecoveryTimes {
  readonly seconds: number;
  readonly redoSeconds: number;
}

/** Undefined where the log tells of no recovery that was ended. `log_line_prefix` must begin with %m. */
export function recoveryTimes(log: string): RecoveryTimes | undefined {
  const lines = log.split('\n');
  const begin = lines.findLastIndex((line) => / LOG: {2}starting PostgreSQL /.test(line));
  const own = lines.slice(Math.max(0, begin));
  const ready = own.find((line) => / LOG: {2}database system is ready to accept connections$/.test(line));
  const redo = own.findLast((line) => / LOG: {2}redo done at .* elapsed: \d+\.\d+ s$/.test(line));
  const [from, to] = [timeOf(own[0]), timeOf(ready)];
  const elapsed = /elapsed: (\d+\.\d+) s$/.exec(redo ?? '')?.[1];
  if (begin < 0 || from === undefined || to === undefined || elapsed === undefined) return undefined;
  return { seconds: (to - from) / 1000, redoSeconds: Number(elapsed) };
}

function timeOf(line: string | undefined): number | undefined {
  const [, day, time, zone] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) (\S+) /.exec(line ?? '') ?? [];
  if (day === undefined || time === undefined) return undefined;
  // The zone's name is of no use to anybody but its own people; both times have the same.
  return zone === undefined ? undefined : Date.parse(`${day}T${time}Z`);
}
