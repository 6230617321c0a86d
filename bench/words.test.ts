import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWords } from './words.ts';

const known = { scenarios: ['full', 'restore'], peers: ['ours', 'theirs'] };

test('what is not said is as the manual tells', () => {
  const words = readWords([], known);
  assert.deepEqual([words.rounds, words.caches, words.all, words.filling], [3, 'warm', false, 'pgbench']);
  assert.deepEqual([words.scenarios, words.peers, words.json], [[], [], undefined]);
  assert.deepEqual(words.size, {
    scale: 100,
    segments: 200,
    walBytes: 5e9,
    loadSeconds: 30,
    gigabytes: [1, 10, 30],
    backups: 1000,
    chunks: 5_000_000,
  });
});

test('names may be given several times, and sizes with a point', () => {
  const words = readWords('--scenario restore --scenario full --sizes 0.5,2 --wal-size 0.25'.split(' '), known);
  assert.deepEqual(words.scenarios, ['restore', 'full']);
  assert.deepEqual([words.size.gigabytes, words.size.walBytes], [[0.5, 2], 250_000_000]);
});

test('words that are none are refused', () => {
  const cases: readonly (readonly [args: string, why: RegExp])[] = [
    ['--scenario nothing', /no scenario nothing/],
    ['--peer nobody', /no peer nobody/],
    ['--source oil', /no source oil/],
    ['--scale 0', /--scale must be a whole number/],
    ['--scale 1.5', /--scale must be a whole number/],
    ['--rounds 101', /--rounds must be a whole number from 1 to 100/],
    ['--sizes 1,x', /--sizes must be a number/],
    ['--wal-size 0', /--wal-size must be a number above 0/],
    ['--unknown', /unknown/],
  ];
  for (const [args, why] of cases) assert.throws(() => readWords(args.split(' '), known), why, args);
});
