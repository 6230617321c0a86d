import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CopyPolicy, isDone, type PlaceState } from './done.ts';

const copies = (words: string): readonly PlaceState[] =>
  words
    .split(' ')
    .filter((word) => word !== '')
    .map((word, at) => ({
      place: `place-${at}`,
      required: !word.startsWith('optional'),
      state: word.endsWith('behind') ? 'behind' : 'complete',
    }));

test('all wants every required place, quorum more than half with the first, best-effort the first', () => {
  const cases: readonly (readonly [copies: string, done: readonly CopyPolicy[]])[] = [
    ['', ['all', 'quorum', 'best-effort']],
    ['complete', ['all', 'quorum', 'best-effort']],
    // One of two is no majority.
    ['behind', ['best-effort']],
    ['complete behind', ['quorum', 'best-effort']],
    ['behind behind', ['best-effort']],
    ['complete behind behind', ['best-effort']],
    ['optional-behind', ['all', 'quorum', 'best-effort']],
    ['complete optional-behind', ['all', 'quorum', 'best-effort']],
    // What is optional does not help either.
    ['behind optional-complete', ['best-effort']],
  ];
  for (const [words, done] of cases) {
    const found = (['all', 'quorum', 'best-effort'] as const).filter((policy) => isDone(policy, copies(words)));
    assert.deepEqual(found, done, words);
  }
});
