// Whether what was found is what was expected. Pure: rows in, verdict and words out.
//
// Numbers come from PostgreSQL as text where JavaScript would round them, so they are compared as exact decimals where both
// are whole, and as numbers elsewhere. Whole results are compared as sets of rows that may repeat: a query without ORDER BY
// promises no order.

import type { DrillCheck, Expectation, SqlCheck } from '@spillway/contract';

/** What was asked, and what came. */
export interface Verdict {
  readonly result: 'passed' | 'failed';
  readonly expected: string;
  readonly found: string;
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** What came of the two questions; rows of text for `equals_source`. */
export interface Answers {
  readonly restored: Rows;
  readonly source: Rows | undefined;
}

export const asksSource = (check: DrillCheck): check is SqlCheck =>
  check.kind === 'sql' && (check.expectation.kind === 'equals_source' || check.expectation.kind === 'within');

/** Of the kinds that compare values; plans and times have their own. */
export function judgeRows(expectation: Expectation, { restored, source }: Answers): Verdict {
  switch (expectation.kind) {
    case 'equals_source':
      return judgeEqual(restored, source ?? []);
    case 'within':
      return judgeWithin(expectation.percent, single(restored), single(source ?? []));
    case 'at_least':
    case 'at_most': {
      const expected = `${expectation.kind === 'at_least' ? 'at least' : 'at most'} ${expectation.value}`;
      const value = single(restored);
      const found = asNumber(value);
      if (found === undefined) return failed(expected, noNumber(restored));
      const order = compare(String(value), String(expectation.value));
      return verdict(expectation.kind === 'at_least' ? order >= 0 : order <= 0, expected, String(value));
    }
    case 'equals': {
      const expected = show(expectation.value);
      if (!isSingle(restored)) return failed(expected, describe(restored));
      const value = single(restored);
      return verdict(isEqual(value, expectation.value), expected, show(value));
    }
    case 'is_true':
      return verdict(
        single(restored) === true,
        'true',
        isSingle(restored) ? show(single(restored)) : describe(restored),
      );
    default:
      return failed(expectation.kind, 'a plan, which holds no rows');
  }
}

/** The median of an odd number of runs is one of them; of an even number it is between two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [below = Number.NaN, above = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}

export function judgeTimes(limitMs: number, timesMs: readonly number[]): Verdict {
  const middle = median(timesMs);
  const expected = `faster than ${milliseconds(limitMs)}`;
  return verdict(middle < limitMs, expected, `${milliseconds(middle)}, the median of ${timesMs.length}`);
}

/** `indexes` are those that would do; undefined where there is no index or table of that name. */
export function judgePlan(of: string, indexes: readonly string[] | undefined, used: readonly string[]): Verdict {
  const expected = `a plan that uses ${of}`;
  if (indexes === undefined) return failed(expected, `there is no index or table ${of}`);
  const hit = used.filter((name) => indexes.includes(name));
  if (hit.length > 0) return verdict(true, expected, `it uses ${[...new Set(hit)].slice(0, 3).join(', ')}`);
  return failed(expected, used.length === 0 ? 'it uses no index' : `it uses ${used.slice(0, 3).join(', ')}`);
}

/** The names of all indexes in what EXPLAIN (FORMAT JSON) gives, however deep. */
export function indexesInPlan(plan: unknown): readonly string[] {
  if (Array.isArray(plan)) return plan.flatMap(indexesInPlan);
  if (typeof plan !== 'object' || plan === null) return [];
  return Object.entries(plan).flatMap(([key, value]) =>
    key === 'Index Name' && typeof value === 'string' ? [value] : indexesInPlan(value),
  );
}

/** In milliseconds; undefined where the plan was not run. */
export function executionTime(plan: unknown): number | undefined {
  const [first] = Array.isArray(plan) ? (plan as readonly unknown[]) : [plan];
  if (typeof first !== 'object' || first === null) return undefined;
  const time: unknown = Reflect.get(first, 'Execution Time');
  return typeof time === 'number' ? time : undefined;
}

function judgeEqual(restored: Rows, source: Rows): Verdict {
  const expected = describe(source);
  const found = describe(restored);
  const counts = new Map<string, number>();
  const words = (row: Readonly<Record<string, unknown>>): string => JSON.stringify(Object.values(row));
  for (const row of source) counts.set(words(row), (counts.get(words(row)) ?? 0) + 1);
  for (const row of restored) counts.set(words(row), (counts.get(words(row)) ?? 0) - 1);
  const [differing] = [...counts].filter(([, count]) => count !== 0);
  if (differing === undefined) return verdict(true, `as the source: ${expected}`, found);
  if (expected !== found) return failed(`as the source: ${expected}`, found);
  const [row, count] = differing;
  return failed(`as the source: ${expected}`, `${found}; ${count > 0 ? 'lacks' : 'has too much'} the row ${cut(row)}`);
}

function judgeWithin(percent: number, restored: unknown, source: unknown): Verdict {
  const [here, there] = [asNumber(restored), asNumber(source)];
  const expected = `within ${percent}% of the source: ${show(source)}`;
  if (here === undefined || there === undefined) return failed(expected, `${show(restored)}, which is no number`);
  return verdict(Math.abs(here - there) <= (Math.abs(there) * percent) / 100, expected, show(restored));
}

const isSingle = (rows: Rows): boolean => rows.length === 1 && Object.keys(rows[0] ?? {}).length === 1;
const single = (rows: Rows): unknown => (isSingle(rows) ? Object.values(rows[0] ?? {})[0] : undefined);

const noNumber = (rows: Rows): string =>
  isSingle(rows) ? `${show(single(rows))}, which is no number` : `${describe(rows)}, and not one number`;

function isEqual(found: unknown, wanted: string | number | boolean | null): boolean {
  if (typeof wanted === 'number') return asNumber(found) !== undefined && compare(String(found), String(wanted)) === 0;
  return found === wanted;
}

const WHOLE = /^-?\d+$/;

function compare(one: string, other: string): number {
  if (WHOLE.test(one) && WHOLE.test(other)) {
    const [a, b] = [BigInt(one), BigInt(other)];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return Math.sign(Number(one) - Number(other));
}

function asNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

const SHOWN_MAX = 200;
const cut = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 1)}…` : text);

const show = (value: unknown): string => {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return cut(value);
  return cut(value instanceof Date ? value.toISOString() : (JSON.stringify(value) ?? 'nothing'));
};

const describe = (rows: Rows): string =>
  isSingle(rows) ? show(single(rows)) : rows.length === 1 ? show(Object.values(rows[0] ?? {})) : `${rows.length} rows`;

const milliseconds = (value: number): string => `${Math.round(value * 100) / 100} ms`;

const verdict = (passed: boolean, expected: string, found: string): Verdict => ({
  result: passed ? 'passed' : 'failed',
  expected,
  found,
});
const failed = (expected: string, found: string): Verdict => verdict(false, expected, found);
