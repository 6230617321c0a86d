import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { delayBeforeRetry } from './retry.ts';

const policy = { budgetMs: 60_000 };
const state = { failures: 1, sinceFirstFailureMs: 0, answered: true, random: 1 };

test('the wait before each attempt has a bound that doubles up to twenty seconds', () => {
  const waits = [1, 2, 3, 4, 7, 8, 9, 50].map((failures) =>
    delayBeforeRetry({ budgetMs: 1e9 }, { ...state, failures }),
  );
  assert.deepEqual(waits, [200, 400, 800, 1600, 12_800, 20_000, 20_000, 20_000]);
});

test('a request is tried again within its budget, and at least three times in all', () => {
  const cases = [
    [3, 59_000, true, 0.5, 400],
    [3, 59_900, true, 0.5, undefined],
    [2, 300_000, true, 0.5, 200],
    [3, 300_000, true, 0, undefined],
    // Nothing ever answered: the address is wrong, most likely.
    [3, 4_000, false, 0.5, 400],
    [4, 4_900, false, 0.5, undefined],
  ] as const;
  for (const [failures, sinceFirstFailureMs, answered, random, expected] of cases) {
    assert.equal(delayBeforeRetry(policy, { failures, sinceFirstFailureMs, answered, random }), expected);
  }
});

test('jitter is full: any wait from nothing to the bound', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const delay = delayBeforeRetry({ budgetMs: 1e9 }, { ...state, failures, random }) ?? -1;
      assert.ok(delay >= 0 && delay <= 20_000);
      assert.ok(Math.abs(delay - random * (delayBeforeRetry({ budgetMs: 1e9 }, { ...state, failures }) ?? 0)) <= 0.5);
    }),
  );
});
