import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './spelling.ts';

test('a slip finds its word, and another word finds nothing', () => {
  const known = ['repository', 'clusters', 'flush_interval', 'slot', 'port'];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['repositroy', 'repository'],
    ['cluster', 'clusters'],
    ['flushinterval', 'flush_interval'],
    ['prot', 'port'],
    ['SLOT', 'slot'],
    ['slots', 'slot'],
    ['x', undefined],
    ['passphrase', undefined],
    ['retention', undefined],
  ];
  for (const [word, expected] of cases) assert.equal(nearest(word, known), expected, word);
});
