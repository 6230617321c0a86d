import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { percentile, statistic } from './statistic.ts';

test('the median is the middle value, or the mean of the middle two, whatever the order', () => {
  const cases: readonly (readonly [readonly number[], number])[] = [
    [[7], 7],
    [[9, 1], 5],
    [[3, 1, 100], 3],
    [[10, 2, 9, 4], 6.5],
  ];
  for (const [values, median] of cases) assert.equal(statistic(values).median, median, String(values));
});

test('the spread goes from the least to the most, by number and not by text', () => {
  assert.deepEqual(statistic([10, 9, 100]), { median: 10, least: 9, most: 100, rounds: 3 });
  assert.throws(() => statistic([]), RangeError);
});

test('at least half of the values lie on each side of the median', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 30 }), (values) => {
      const { median } = statistic(values);
      assert.ok(values.filter((value) => value <= median).length * 2 >= values.length);
      assert.ok(values.filter((value) => value >= median).length * 2 >= values.length);
    }),
  );
});

test('of a hundred values one may be above the 99th percentile, and of few none', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile([...hundred, 101], 0.99), 100);
  assert.equal(percentile([5, 3], 0.99), 5);
  assert.equal(percentile([5, 3], 0.5), 3);
  assert.throws(() => percentile([], 0.99), RangeError);
});
