import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../postgres/lsn.ts';
import { contentUpTo, positionAt } from './mirror-position.ts';

test('all wants the least, quorum what more than half have, best-effort what the first has', () => {
  const cases: readonly (readonly [first: number, taken: readonly number[], all: number, quorum: number])[] = [
    [9, [], 9, 9],
    // Of two places both are the majority.
    [9, [4], 4, 4],
    [9, [4, 7], 4, 7],
    [9, [4, 7, 8], 4, 7],
    [9, [4, 5, 7, 8], 4, 7],
    // Nobody is ahead of the first.
    [3, [3, 3], 3, 3],
  ];
  for (const [first, taken, all, quorum] of cases) {
    assert.equal(contentUpTo('all', first, taken), all);
    assert.equal(contentUpTo('quorum', first, taken), quorum);
    assert.equal(contentUpTo('best-effort', first, taken), first);
  }
});

test('a position counts once all that was written before it was taken', () => {
  const marks = [
    { number: 2, durable: lsn(20n) },
    { number: 3, durable: lsn(30n) },
    { number: 3, durable: lsn(31n) },
    { number: 7, durable: lsn(70n) },
  ];
  assert.deepEqual(
    [1, 2, 3, 6, 7, 9].map((number) => positionAt(marks, number)),
    [undefined, 20n, 31n, 31n, 70n, 70n],
  );
});
