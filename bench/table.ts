// The printed result: for each scenario a table with one peer a line, and at the end every goal, met or missed. Pure.

import type { Comparison, Result } from './comparison.ts';
import type { Scenario } from './scenarios/scenario.ts';
import type { Statistic } from './statistic.ts';

const MIB = 2 ** 20;
const HEAD = ['peer', 'wall s', '(min..max)', 'ratio', 'CPU s', 'server CPU s', 'peak MiB', 'stored MiB'];

/** `reference` is the peer whose wall time counts as 1 in the column `ratio`. */
export function renderScenario({ name, title }: Scenario, results: readonly Result[], reference: string): string {
  const own = results.filter(({ scenario }) => scenario === name);
  const base = own.find(({ peer }) => peer === reference)?.seconds.median;
  const rows = own.map((result) => [
    result.peer,
    result.seconds.median.toFixed(2),
    spread(result.seconds),
    base === undefined ? '-' : (result.seconds.median / base).toFixed(2),
    result.cpuSeconds.median.toFixed(2),
    result.serverCpuSeconds.median.toFixed(2),
    (result.peakBytes.median / MIB).toFixed(0),
    (result.storedBytes.median / MIB).toFixed(2),
  ]);
  return `${name}: ${title}\n${renderTable([HEAD, ...rows])}`;
}

export function renderGoals(comparisons: readonly Comparison[]): string {
  const rows = comparisons
    .filter(({ goal }) => goal !== null)
    .map(({ scenario, peer, ratio, goal, met }) => [
      scenario,
      `/ ${peer}`,
      ratio > 1e6 ? 'all' : ratio.toFixed(2),
      `at most ${(goal ?? 0).toFixed(2)}`,
      met === true ? 'met' : 'MISSED',
    ]);
  return rows.length === 0 ? 'no goal could be judged' : renderTable([['goal', 'of', 'ratio', '', ''], ...rows]);
}

/** The first column to the left, the others to the right, two spaces between. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}

const spread = ({ least, most }: Statistic): string => `${least.toFixed(2)}..${most.toFixed(2)}`;
