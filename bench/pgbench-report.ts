// What pgbench printed at the end of a run. Pure.

export interface PgbenchReport {
  readonly transactionsPerSecond: number;
  /** Of each command by its text, in seconds, where pgbench was asked for it (`-r`). */
  readonly latencies: ReadonlyMap<string, number>;
}

/** Undefined where it is no report, or one of a run with failed transactions: its speed means something else. */
export function parsePgbenchReport(text: string): PgbenchReport | undefined {
  const tps = /^tps = (\d+\.\d+) \(without initial connection time\)$/m.exec(text)?.[1];
  const failed = /^number of failed transactions: (\d+) /m.exec(text)?.[1];
  if (tps === undefined || failed !== '0') return undefined;
  const commands = text.matchAll(/^ +(\d+\.\d+) +\d+ {2}(\S.*)$/gm);
  const latencies = new Map([...commands].map(([, latency, command = '']) => [command.trim(), Number(latency) / 1000]));
  return { transactionsPerSecond: Number(tps), latencies };
}
