import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSegmentSize } from './segment-size.ts';

const sizes: readonly (readonly [string, number])[] = [
  ['1MB', 1024 ** 2],
  ['16MB', 16 * 1024 ** 2],
  ['1GB', 1024 ** 3],
  ['1048576B', 1024 ** 2],
  ['2048kB', 2 * 1024 ** 2],
];
for (const [text, bytes] of sizes) {
  test(`a segment of ${text} has ${bytes} bytes`, () => assert.equal(parseSegmentSize(text), bytes));
}

for (const text of ['', '16', '16TB', '16 MB', '-16MB', 'MB']) {
  test(`"${text}" is no size of a segment`, () => {
    assert.throws(() => parseSegmentSize(text), { code: 'SPW_POSTGRES_UNSUITABLE' });
  });
}
