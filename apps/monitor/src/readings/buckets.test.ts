// Buckets are of a width that people count in, no more than asked, and as narrow as that allows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketWidth } from './buckets.ts';

const HOUR_MS = 3_600_000;
const cases: readonly (readonly [told: string, rangeMs: number, buckets: number, seconds: number])[] = [
  ['an hour in 300', HOUR_MS, 300, 15],
  ['a day in 300', 24 * HOUR_MS, 300, 300],
  ['a day in 25', 24 * HOUR_MS, 25, 3600],
  ['a day in 24 would begin within one', 24 * HOUR_MS, 24, 7200],
  ['a minute in 2000', 60_000, 2000, 1],
  ['two years in 10', 730 * 24 * HOUR_MS, 10, 82 * 86_400],
];
for (const [told, rangeMs, buckets, seconds] of cases) {
  test(`${told} makes ${seconds} s`, () => assert.equal(bucketWidth(rangeMs, buckets), seconds));
}

test('never more buckets than asked, wherever the range begins', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 * 365 * 86_400_000 }),
      fc.integer({ min: 2, max: 2000 }),
      fc.nat({ max: 1e12 }),
      (rangeMs, buckets, from) => {
        const width = bucketWidth(rangeMs, buckets) * 1000;
        const touched = Math.floor((from + rangeMs - 1) / width) - Math.floor(from / width) + 1;
        assert.ok(touched <= buckets, `${touched} of ${width} ms`);
      },
    ),
  );
});
