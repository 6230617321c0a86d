import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lsn, timelineId } from '../../postgres/lsn.ts';
import { type Ancestry, timelineAt } from '../../postgres/timeline.ts';
import { findFork } from './fork.ts';

/** `[1, 300], [2, 500], [4]`: timeline 1 up to 300, 2 up to 500, then 4. */
function way(...stretches: readonly (readonly [timeline: number, end?: number])[]): Ancestry {
  let begin = lsn(0n);
  return stretches.map(([timeline, end]) => {
    const stretch = { timeline: timelineId(timeline), begin, end: end === undefined ? undefined : lsn(BigInt(end)) };
    begin = stretch.end ?? begin;
    return stretch;
  });
}

const cases: readonly (readonly [what: string, a: Ancestry, b: Ancestry, timeline: number, at: number | undefined])[] =
  [
    ['a promoted standby', way([1]), way([1, 300], [2]), 1, 300],
    ['both were promoted', way([1, 400], [2]), way([1, 300], [3]), 1, 300],
    ['two promoted to one number', way([1, 400], [2]), way([1, 300], [2]), 1, 300],
    ['promoted twice since', way([1, 300], [2]), way([1, 300], [2, 500], [3]), 2, 500],
    ['the same timeline', way([1, 300], [2]), way([1, 300], [2]), 2, undefined],
    [
      'one number in the middle with another beginning',
      way([1, 300], [2, 500], [3]),
      way([1, 350], [2, 600], [4]),
      1,
      300,
    ],
  ];

for (const [what, a, b, timeline, at] of cases) {
  test(`the fork of two ways: ${what}`, () => {
    const expected = { timeline: timelineId(timeline), lsn: at === undefined ? undefined : lsn(BigInt(at)) };
    assert.deepEqual(findFork(a, b), expected);
    assert.deepEqual(findFork(b, a), expected);
  });
}

test('ways that begin on different timelines have no fork', () => {
  assert.equal(findFork(way([1]), way([2])), undefined);
});

test('before the fork every position is on one timeline of both ways, and from it on never', () => {
  /** Promotions at rising places; every number is given once in all the world, as a way and what follows from it tell. */
  const promotions = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 });
  const grow = (begin: number, steps: readonly number[], numbers: () => number): [number, number?][] => {
    const ends = steps.map((_, index) => begin + steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0));
    return [...ends.map((end): [number, number] => [numbers(), end]), [numbers()]];
  };
  fc.assert(
    fc.property(promotions, promotions, promotions, fc.nat(8), (shared, mine, theirs, left) => {
      let number = 0;
      const next = (): number => ++number;
      const trunk = grow(0, shared, next);
      const [last] = trunk.splice(-1);
      const parted = (trunk.at(-1)?.[1] ?? 0) + 1 + left;
      // One leaves the last common timeline there, the other goes on with it for longer, or leaves it later.
      const stays = way(
        ...trunk,
        [last?.[0] ?? 0, ...(mine.length > 0 ? [parted + 5] : [])] as [number, number?],
        ...(mine.length > 0 ? grow(parted + 5, mine, next) : []),
      );
      const leaves = way(...trunk, [last?.[0] ?? 0, parted], ...grow(parted, theirs, next));
      const fork = findFork(stays, leaves);
      assert.equal(fork?.lsn, lsn(BigInt(parted)));
      for (let at = 0; at < parted + 60; at++) {
        const same = timelineAt(stays, lsn(BigInt(at))) === timelineAt(leaves, lsn(BigInt(at)));
        assert.equal(same, at < parted, `at ${at}`);
      }
    }),
  );
});
