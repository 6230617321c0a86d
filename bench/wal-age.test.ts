import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { agesOf, type Look } from './wal-age.ts';

const look = (at: number, written: number, durable: number): Look => ({ at, written, durable });

test('the age is the time since the newest look whose WAL is durable by now', () => {
  const cases: readonly (readonly [what: string, looks: readonly Look[], ages: readonly number[]])[] = [
    ['nothing', [], []],
    ['all durable at once', [look(0, 10, 10), look(5, 20, 20)], [0, 0]],
    ['one look behind', [look(0, 10, 0), look(5, 20, 10), look(9, 30, 20)], [5, 4]],
    ['stuck', [look(0, 10, 10), look(5, 20, 10), look(9, 30, 10)], [0, 5, 9]],
    ['caught up again', [look(0, 10, 10), look(5, 20, 10), look(9, 30, 30)], [0, 5, 0]],
    ['between two looks counts from the earlier', [look(0, 10, 10), look(5, 20, 15)], [0, 5]],
    ['nothing written meanwhile', [look(0, 10, 10), look(5, 10, 10)], [0, 0]],
  ];
  for (const [what, looks, ages] of cases) assert.deepEqual(agesOf(looks), ages, what);
});

test('the first milliseconds are left out, but what was looked at in them is known', () => {
  assert.deepEqual(agesOf([look(0, 10, 10), look(5, 20, 10), look(9, 30, 10)], 6), [9]);
});

test('a receiver that is so many looks behind has that age', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 30, max: 60 }), (behind, count) => {
      const looks = Array.from({ length: count }, (_, index) => look(index * 10, index * 100, (index - behind) * 100));
      const ages = agesOf(looks);
      assert.equal(ages.length, count - behind);
      assert.ok(ages.every((age) => age === behind * 10));
    }),
  );
});
