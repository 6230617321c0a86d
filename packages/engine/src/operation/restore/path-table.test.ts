import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PathTable } from './path-table.ts';

test('every path that was added is there under its number, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 3000 }), (paths) => {
      const table = new PathTable();
      for (const path of paths) table.add(path);
      assert.equal(table.length, paths.length);
      assert.deepEqual([...table], paths);
      paths.forEach((path, number) => assert.equal(table.at(number), path));
      assert.throws(() => table.at(paths.length), RangeError);
    }),
    { numRuns: 30 },
  );
});
