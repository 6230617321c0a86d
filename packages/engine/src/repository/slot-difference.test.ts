import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differenceOfSlots } from './slot-difference.ts';

const slot = (id: string, day: number): { id: string; createdAt: string } => ({
  id,
  createdAt: `2026-11-${String(day).padStart(2, '0')}T00:00:00.000Z`,
});

test('slots are added where they are newer than all at the place, and never taken away', () => {
  const [a, b, c, d] = [slot('a', 1), slot('b', 1), slot('c', 5), slot('d', 9)];
  const cases = [
    { source: [a, b], target: [], added: ['a', 'b'], left: [], foreign: [] },
    { source: [a, b], target: [a, b], added: [], left: [], foreign: [] },
    { source: [b, c], target: [a, b], added: ['c'], left: [], foreign: ['a'] },
    // The place revoked b: bringing it back would undo that.
    { source: [a, b], target: [a], added: [], left: ['b'], foreign: [] },
    { source: [a, c], target: [a, d], added: [], left: ['c'], foreign: ['d'] },
  ];
  for (const { source, target, ...expected } of cases) {
    assert.deepEqual(differenceOfSlots(source, target), expected);
  }
});
