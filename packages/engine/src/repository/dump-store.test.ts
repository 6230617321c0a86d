import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseDump } from './dump-store.ts';

test('where a cluster has no dump at all, that is said, with how to make one', () => {
  for (const id of ['latest', 'ffff']) {
    assert.throws(() => chooseDump([], 'water', id), {
      code: 'SPW_DUMP_UNKNOWN',
      message: `cluster water has no dump ${id}`,
      hint: /spillway backup --source logical/,
    });
  }
});
