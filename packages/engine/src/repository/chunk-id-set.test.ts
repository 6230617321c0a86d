import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_ID_BYTES } from '../format/chunk.ts';
import { ChunkIdSet } from './chunk-id-set.ts';

const id = fc.uint8Array({ minLength: CHUNK_ID_BYTES, maxLength: CHUNK_ID_BYTES });

test('what was given is in it, wherever it stands, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(id, { maxLength: 40 }), fc.array(id, { maxLength: 40 }), (given, others) => {
      const set = new ChunkIdSet(Buffer.concat(given));
      assert.equal(set.size, given.length);
      const all = Buffer.concat([...given, ...others]);
      for (let n = 0; n < given.length; n++) assert.ok(set.has(all, n * CHUNK_ID_BYTES));
      // The table goes by the first 96 bits.
      const known = new Set(given.map((each) => Buffer.from(each).toString('hex', 0, 12)));
      for (let n = 0; n < others.length; n++) {
        const at = (given.length + n) * CHUNK_ID_BYTES;
        assert.equal(set.has(all, at), known.has(all.toString('hex', at, at + 12)));
      }
    }),
  );
});

test('ids that differ past the bits that stand before the table are told apart', () => {
  const one = randomBytes(CHUNK_ID_BYTES);
  const other = Buffer.from(one);
  other[0] = (one[0] ?? 0) ^ 1;
  const set = new ChunkIdSet(one);
  assert.deepEqual([set.has(one, 0), set.has(other, 0)], [true, false]);
});
