import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Expectation } from '@spillway/contract';
import fc from 'fast-check';
import { executionTime, indexesInPlan, judgePlan, judgeRows, judgeTimes, median, type Rows } from './expectation.ts';

const rows = (...values: readonly unknown[]): Rows => values.map((count) => ({ count }));
const judge = (expectation: Expectation, restored: Rows, source?: Rows) => judgeRows(expectation, { restored, source });

test('each expectation passes what it must, and nothing else', () => {
  const cases: readonly (readonly [Expectation, Rows, 'passed' | 'failed', Rows?])[] = [
    [{ kind: 'at_least', value: 3 }, rows('3'), 'passed'],
    [{ kind: 'at_least', value: 3 }, rows('2'), 'failed'],
    [{ kind: 'at_least', value: 3 }, rows(null), 'failed'],
    [{ kind: 'at_least', value: 3 }, rows('many'), 'failed'],
    [{ kind: 'at_least', value: 3 }, [], 'failed'],
    [{ kind: 'at_least', value: 3 }, rows('3', '4'), 'failed'],
    [{ kind: 'at_least', value: 3 }, [{ a: '3', b: '4' }], 'failed'],
    [{ kind: 'at_least', value: 9_007_199_254_740_991 }, rows('9007199254740990'), 'failed'],
    [{ kind: 'at_most', value: 3 }, rows('3'), 'passed'],
    [{ kind: 'at_most', value: 3 }, rows('3.5'), 'failed'],
    [{ kind: 'at_most', value: 3 }, rows('NaN'), 'failed'],
    [{ kind: 'equals', value: 5 }, rows('5'), 'passed'],
    [{ kind: 'equals', value: 5 }, rows('5.0'), 'passed'],
    [{ kind: 'equals', value: 5 }, rows('6'), 'failed'],
    [{ kind: 'equals', value: '5' }, rows('5'), 'passed'],
    [{ kind: 'equals', value: 'on' }, rows('off'), 'failed'],
    [{ kind: 'equals', value: null }, rows(null), 'passed'],
    [{ kind: 'equals', value: null }, [], 'failed'],
    [{ kind: 'equals', value: true }, rows(true), 'passed'],
    [{ kind: 'is_true' }, rows(true), 'passed'],
    [{ kind: 'is_true' }, rows('t'), 'failed'],
    [{ kind: 'is_true' }, rows(null), 'failed'],
    [{ kind: 'is_true' }, [], 'failed'],
    [{ kind: 'within', percent: 5 }, rows('95'), 'passed', rows('100')],
    [{ kind: 'within', percent: 5 }, rows('94'), 'failed', rows('100')],
    [{ kind: 'within', percent: 5 }, rows('106'), 'failed', rows('100')],
    [{ kind: 'within', percent: 5 }, rows('0'), 'passed', rows('0')],
    [{ kind: 'within', percent: 5 }, rows('1'), 'failed', rows('0')],
    [{ kind: 'within', percent: 100 }, rows('1'), 'failed', rows(null)],
    [{ kind: 'within', percent: 100 }, rows('1'), 'failed', []],
    [{ kind: 'equals_source' }, rows('(7)'), 'passed', rows('(7)')],
    [{ kind: 'equals_source' }, rows('(7)'), 'failed', rows('(8)')],
    [{ kind: 'equals_source' }, rows('(1)', '(2)'), 'passed', rows('(2)', '(1)')],
    [{ kind: 'equals_source' }, rows('(1)', '(1)', '(2)'), 'failed', rows('(1)', '(2)', '(2)')],
    [{ kind: 'equals_source' }, [], 'failed', rows('(1)')],
    [{ kind: 'equals_source' }, [], 'passed', []],
    [{ kind: 'plan_uses_index', of: 'x' }, rows(true), 'failed'],
  ];
  for (const [expectation, restored, result, source] of cases) {
    const verdict = judge(expectation, restored, source);
    assert.equal(verdict.result, result, JSON.stringify([expectation, restored, source, verdict]));
  }
});

test('a difference is told, not only that there is one', () => {
  assert.match(judge({ kind: 'equals_source' }, rows('(1)'), rows('(2)')).found, /\(1\)/);
  assert.match(
    judge({ kind: 'equals_source' }, rows('(a)', '(c)'), rows('(a)', '(b)')).found,
    /2 rows; (?:lacks|has too much)/,
  );
  assert.match(judge({ kind: 'at_least', value: 1 }, rows('1', '2')).found, /2 rows, and not one number/);
});

test('rows are equal in whatever order they come, and not once one is more, less or another', () => {
  const some = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 });
  fc.assert(
    fc.property(some, some, (restored, source) => {
      const same = JSON.stringify(restored.toSorted()) === JSON.stringify(source.toSorted());
      const verdict = judge({ kind: 'equals_source' }, rows(...restored), rows(...source));
      assert.equal(verdict.result, same ? 'passed' : 'failed');
    }),
  );
});

test('the median has as many values below it as above', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (values) => {
      const middle = median(values);
      assert.ok(values.filter((value) => value < middle).length <= values.length / 2);
      assert.ok(values.filter((value) => value > middle).length <= values.length / 2);
    }),
  );
  assert.ok(Number.isNaN(median([])));
});

test('a time passes below its limit, and one that was never taken does not', () => {
  assert.equal(judgeTimes(10, [9, 50, 8]).result, 'passed');
  assert.equal(judgeTimes(10, [9, 50, 11]).result, 'failed');
  assert.equal(judgeTimes(0, [0]).result, 'failed');
  assert.equal(judgeTimes(10, []).result, 'failed');
});

test('indexes are found in a plan however deep, and the time of its run', () => {
  const plan = [
    {
      Plan: {
        'Node Type': 'Append',
        Plans: [
          {
            'Node Type': 'Bitmap Heap Scan',
            Plans: [{ 'Node Type': 'Bitmap Index Scan', 'Index Name': 'reading_p1' }],
          },
          { 'Node Type': 'Index Only Scan', 'Index Name': 'reading_p2' },
          { 'Node Type': 'Seq Scan', 'Relation Name': 'reading_p3' },
        ],
      },
      'Execution Time': 1.25,
    },
  ];
  assert.deepEqual(indexesInPlan(plan), ['reading_p1', 'reading_p2']);
  assert.equal(executionTime(plan), 1.25);
  assert.equal(executionTime([{ Plan: {} }]), undefined);
  const used = indexesInPlan(plan);
  assert.equal(judgePlan('reading_pkey', ['reading_p2'], used).result, 'passed');
  assert.equal(judgePlan('reading_pkey', ['other'], used).result, 'failed');
  assert.match(judgePlan('reading_pkey', undefined, used).found, /there is no index or table/);
  assert.match(judgePlan('reading_pkey', ['a'], []).found, /no index/);
});
