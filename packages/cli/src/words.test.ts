import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absentCodeIn, flagsIn, isPushIn } from './words.ts';

test('wal fetch is known before its words are understood', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['wal fetch a b', 1],
    ['--config c --cluster m wal fetch a b', 1],
    ['wal --json fetch a b --nonsense', 1],
    ['wal fetch --absent-code 101 a b', 101],
    ['wal fetch --absent-code=101 a b', 101],
    ['wal fetch --absent-code 0 a b', 1],
    ['wal fetch --absent-code', 1],
    ['wal check', undefined],
    ['backup', undefined],
    ['fetch wal', undefined],
    ['lab psql -- wal fetch', undefined],
  ];
  for (const [words, expected] of cases) assert.equal(absentCodeIn(words.split(' ')), expected, words);
});

test('wal push is known before its words are understood', () => {
  assert.ok(isPushIn(['--cluster', 'm', 'wal', 'push', 'a', '--nonsense']));
  for (const words of ['wal receive', 'push wal', 'lab psql -- wal push'])
    assert.ok(!isPushIn(words.split(' ')), words);
});

test('how to complain is known before the words are understood', () => {
  assert.deepEqual(flagsIn(['backup', '--json', '--color=never', '-q']), {
    json: true,
    jsonLines: false,
    quiet: true,
    color: 'never',
  });
  assert.deepEqual(flagsIn(['--color', 'always', 'x', '--', '--json']), {
    json: false,
    jsonLines: false,
    quiet: false,
    color: 'always',
  });
  assert.deepEqual(flagsIn(['--color', 'red']), { json: false, jsonLines: false, quiet: false, color: 'auto' });
});
