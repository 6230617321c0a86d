import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { s3Defaults } from '@spillway/contract';
import { type Stay, tierCost } from './pays.ts';

const prices = {
  standardGibMonth: s3Defaults.standardGibMonth,
  infrequentGibMonth: s3Defaults.infrequentGibMonth,
  infrequentReadGib: s3Defaults.infrequentReadGib,
  infrequentPutPer1000: s3Defaults.infrequentPutPer1000,
};
const pays = (stay: Stay): boolean => {
  const { stayUsd, moveUsd } = tierCost(stay, prices);
  return moveUsd < stayUsd;
};
const pack = 32 * 2 ** 20;

test('by the list prices', () => {
  const cases: readonly (readonly [Stay, boolean, string])[] = [
    [{ bytes: pack, days: 30, readsPerMonth: 0 }, true, 'a pack for a month, never read'],
    [{ bytes: pack, days: 30, readsPerMonth: 1 }, true, 'read once a month: just so'],
    [{ bytes: pack, days: 30, readsPerMonth: 2 }, false, 'read twice'],
    [{ bytes: pack, days: 17, readsPerMonth: 0 }, true, 'for a bit more than half the days that are billed'],
    [{ bytes: pack, days: 16, readsPerMonth: 0 }, false, 'for less than that'],
    [{ bytes: pack, days: 0, readsPerMonth: 0 }, false, 'that nobody needs'],
    [{ bytes: 64 * 1024, days: 30, readsPerMonth: 0 }, false, 'a small object'],
    [{ bytes: pack, days: 365, readsPerMonth: 1 }, true, 'a year'],
  ];
  for (const [stay, expected, what] of cases) assert.equal(pays(stay), expected, what);
  const { stayUsd, moveUsd } = tierCost({ bytes: 2 ** 30, days: 30, readsPerMonth: 1 }, prices);
  assert.ok(Math.abs(stayUsd - 0.023) < 1e-9);
  assert.ok(Math.abs(moveUsd - 0.02251) < 1e-9);
});

test('what pays for some days pays for more, and what is read less pays too', () => {
  const stay = fc.record({
    bytes: fc.integer({ min: 1, max: 64 * 2 ** 20 }),
    days: fc.integer({ min: 0, max: 3650 }),
    readsPerMonth: fc.double({ min: 0, max: 4, noNaN: true }),
  });
  fc.assert(
    fc.property(stay, fc.integer({ min: 0, max: 365 }), (given, more) => {
      if (!pays(given)) return;
      assert.ok(pays({ ...given, days: given.days + more }));
      assert.ok(pays({ ...given, readsPerMonth: given.readsPerMonth / 2 }));
    }),
  );
});
