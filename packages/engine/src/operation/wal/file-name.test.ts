import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byUrgency, parseWalFileName } from './file-name.ts';

const SEGMENT = '0000000A000000010000002F';

test('each name that PostgreSQL archives is told apart', () => {
  for (const [name, kind, segment] of [
    [SEGMENT, 'segment', SEGMENT],
    [`${SEGMENT}.partial`, 'partial', SEGMENT],
    [`${SEGMENT}.00000028.backup`, 'backup', SEGMENT],
    ['0000000A.history', 'history', undefined],
  ] as const) {
    assert.deepEqual(parseWalFileName(name), { kind, timeline: 10, name, segment });
  }
});

test('no other name is one', () => {
  for (const name of [
    '',
    SEGMENT.toLowerCase(),
    `${SEGMENT}0`,
    SEGMENT.slice(1),
    `${SEGMENT}.gz`,
    `${SEGMENT}.partial.partial`,
    `${SEGMENT}.28.backup`,
    `${SEGMENT}.00000028-00000030`,
    '0000000A.history.tmp',
    `${SEGMENT}\n`,
    `../${SEGMENT}`,
  ]) {
    assert.equal(parseWalFileName(name), undefined, JSON.stringify(name));
  }
});

test('histories come first, then the oldest segment', () => {
  const names = [SEGMENT, '000000020000000000000001', '00000003.history', '00000002.history'];
  const sorted = names.map((name) => parseWalFileName(name)).filter((file) => file !== undefined);
  assert.deepEqual(
    sorted.toSorted(byUrgency).map(({ name }) => name),
    ['00000002.history', '00000003.history', '000000020000000000000001', SEGMENT],
  );
});
