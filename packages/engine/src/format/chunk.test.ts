import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount, isZeroChunk, ZERO_CHUNK_ID } from './chunk.ts';

test('a file has as many chunks as its length needs, an empty one none', () => {
  const cases: readonly (readonly [bytes: number, chunks: number])[] = [
    [0, 0],
    [1, 1],
    [CHUNK_BYTES - 1, 1],
    [CHUNK_BYTES, 1],
    [CHUNK_BYTES + 1, 2],
    [1024 * 1024 * 1024, 4096],
  ];
  for (const [bytes, chunks] of cases) assert.equal(chunkCount(bytes), chunks, `${bytes} bytes`);
});

test('the id of a chunk of zeros is told from every other, wherever it stands in a run of ids', () => {
  assert.equal(isZeroChunk(ZERO_CHUNK_ID, 0), true);
  const ids = new Uint8Array(3 * CHUNK_ID_BYTES);
  for (let i = 0; i < CHUNK_ID_BYTES; i++) {
    ids.fill(0);
    ids[CHUNK_ID_BYTES + i] = 1;
    assert.deepEqual(
      [0, 1, 2].map((n) => isZeroChunk(ids, n * CHUNK_ID_BYTES)),
      [true, false, true],
      `byte ${i}`,
    );
  }
});
