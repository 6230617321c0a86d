// The printed result: for each scenario a table with one peer a line, and at the end every goal, met, missed or skipped. Pure.

import { type Comparison, LIMIT, type Result } from './comparison.ts';
import type { Figure } from './figures.ts';
import type { Part } from './scenarios/scenario.ts';
import type { Statistic } from './statistic.ts';

const MIB = 2 ** 20;

const mebibytes = (digits: number) => (bytes: number) => (bytes / MIB).toFixed(digits);
const COLUMNS: readonly (readonly [figure: Figure, head: string, render: (value: number) => string])[] = [
  ['cpuSeconds', 'CPU s', (value) => value.toFixed(2)],
  ['serverCpuSeconds', 'server CPU s', (value) => value.toFixed(2)],
  ['peakBytes', 'peak MiB', mebibytes(0)],
  ['readBytes', 'read MiB', mebibytes(1)],
  ['writtenBytes', 'written MiB', mebibytes(1)],
  ['storedBytes', 'stored MiB', mebibytes(2)],
];

/** `reference` is the peer whose time counts as 1 in the column `ratio`. Columns that nobody has figures for are left out. */
export function renderScenario(
  { name, title, seconds = 'wall s' }: Omit<Part, 'goals'>,
  results: readonly Result[],
  reference: string,
): string {
  const own = results.filter(({ scenario }) => scenario === name);
  if (own.length === 0) return `${name}: ${title}\n  nothing was measured`;
  const base = own.find(({ peer }) => peer === reference)?.figures.seconds?.median;
  const columns = COLUMNS.filter(([figure]) => own.some(({ figures }) => figures[figure] !== undefined));
  const head = ['peer', seconds, '(min..max)', 'ratio', ...columns.map(([, words]) => words)];
  const rows = own.map(({ peer, figures }) => {
    const time = figures.seconds;
    const others = columns.map(([figure, , render]) => {
      const value = figures[figure];
      return value === undefined ? '-' : render(value.median);
    });
    if (time === undefined) return [peer, '-', '-', '-', ...others];
    const ratio = base === undefined || base === 0 ? '-' : (time.median / base).toFixed(2);
    return [peer, renderSeconds(time.median), spread(time), ratio, ...others];
  });
  return `${name}: ${title}\n${renderTable([head, ...rows])}`;
}

/** `skipped` are goals that nothing was measured for, and why. */
export function renderGoals(
  comparisons: readonly Comparison[],
  skipped: readonly { readonly scenario: string; readonly peer: string; readonly why: string }[] = [],
): string {
  const rows = comparisons
    .filter(({ goal }) => goal !== null)
    .map(({ scenario, peer, ratio, goal, met, theirs }) => [
      scenario,
      peer === LIMIT ? `/ ${renderLimit(scenario, theirs)}` : `/ ${peer}`,
      ratio > 1e6 ? 'all' : ratio.toFixed(2),
      `at most ${(goal ?? 0).toFixed(2)}`,
      met === true ? 'met' : 'MISSED',
    ]);
  const goals = rows.length === 0 ? 'no goal could be judged' : renderTable([['goal', 'of', 'ratio', '', ''], ...rows]);
  if (skipped.length === 0) return goals;
  const left = skipped.map(({ scenario, peer, why }) => [scenario, `/ ${peer}:`, why]);
  return `${goals}\n\nskipped\n${renderTable(left, 3)}`;
}

/** The first columns, by default one, to the left, the others to the right, two spaces between. */
export function renderTable(rows: readonly (readonly string[])[], left = 1): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at < left ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}

/** Three figures that count, but at least hundredths. */
function renderSeconds(seconds: number): string {
  return seconds.toFixed(seconds >= 1 || seconds === 0 ? 2 : seconds >= 0.1 ? 3 : 5);
}

const renderLimit = (scenario: string, limit: number): string =>
  /-(?:bytes|memory|read|written)$/.test(scenario) ? `${(limit / MIB).toFixed(0)} MiB` : `${limit} s`;

const spread = ({ least, most }: Statistic): string => `${renderSeconds(least)}..${renderSeconds(most)}`;
