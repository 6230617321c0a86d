import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES } from '../../format/chunk.ts';
import { CUT_BYTES_MIN, gearOf, nextCut } from './cut.ts';

const gear = gearOf(createSecretKey(Buffer.alloc(32, 7)));

/** Bytes that look random and are the same in every run. */
function noise(bytes: number, seed: number): Uint8Array {
  const made = new Uint8Array(bytes);
  let state = seed | 1;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    made[at] = state >>> 24;
  }
  return made;
}

function cutAll(bytes: Uint8Array): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const cut = nextCut(bytes, from, bytes.length, true, gear);
    assert.ok(cut !== undefined);
    chunks.push(bytes.subarray(from, cut));
    from = cut;
  }
  return chunks;
}

const ids = (chunks: readonly Uint8Array[]): readonly string[] =>
  chunks.map((chunk) => createHash('sha256').update(chunk).digest('hex'));

test('chunks are within their bounds, and joined they are the stream', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2_000_000 }), fc.integer(), (bytes, seed) => {
      const stream = noise(bytes, seed);
      const chunks = cutAll(stream);
      assert.ok(Buffer.concat(chunks).equals(stream));
      for (const [n, { length }] of chunks.entries()) {
        assert.ok(length <= CHUNK_BYTES && (length >= CUT_BYTES_MIN || n === chunks.length - 1), `${length}`);
      }
    }),
    { numRuns: 20 },
  );
});

test('a stream is cut at the same places however it comes in', () => {
  const stream = noise(3_000_000, 5);
  const whole = cutAll(stream).map(({ length }) => length);
  const parts: number[] = [];
  for (let from = 0, to = 0; from < stream.length; ) {
    const cut = nextCut(stream, from, to, to === stream.length, gear);
    if (cut === undefined) to = Math.min(stream.length, to + 77_777);
    else {
      parts.push(cut - from);
      from = cut;
    }
  }
  assert.deepEqual(parts, whole);
});

test('bytes put in change the chunks around them, and none further on', () => {
  const stream = noise(8_000_000, 11);
  const before = ids(cutAll(stream));
  const changed = Buffer.concat([
    stream.subarray(0, 1_000_000),
    Buffer.from('one row more'),
    stream.subarray(1_000_000),
  ]);
  const known = new Set(before);
  const fresh = ids(cutAll(changed)).filter((id) => !known.has(id));
  assert.ok(before.length > 30);
  assert.ok(fresh.length <= 4, `${fresh.length} of ${before.length}`);
});

test('bytes that are all alike are cut at the largest length', () => {
  const lengths = cutAll(new Uint8Array(3 * CHUNK_BYTES + 1)).map(({ length }) => length);
  assert.ok(
    lengths.slice(0, -1).every((length) => length === CHUNK_BYTES || length === CUT_BYTES_MIN + 1),
    lengths.join(),
  );
});

test('another key cuts at other places', () => {
  const other = gearOf(createSecretKey(Buffer.alloc(32, 8)));
  const stream = noise(1_000_000, 3);
  assert.notEqual(nextCut(stream, 0, stream.length, true, other), nextCut(stream, 0, stream.length, true, gear));
});
