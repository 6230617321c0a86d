import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { bodyOf, collect, digestOf } from './body.ts';

const parts = [randomBytes(100_000), new Uint8Array(), randomBytes(70_000)];
const whole = Buffer.concat(parts);

test('a body of one piece is the memory of the caller itself', () => {
  const body = bodyOf([whole.subarray(1)], undefined);
  assert.ok(Buffer.isBuffer(body));
  assert.equal(body.buffer, whole.buffer);
  assert.deepEqual(body, whole.subarray(1));
  assert.equal((bodyOf([], undefined) as Buffer).byteLength, 0);
});

test('a body of several pieces, and one that is paced, is the same bytes in slices', async () => {
  const taken: number[] = [];
  const pace = { slice: 30_000, take: async (bytes: number) => void taken.push(bytes) };
  for (const body of [bodyOf(parts, undefined), bodyOf(parts, pace)]) {
    assert.ok(!Buffer.isBuffer(body));
    assert.deepEqual(await collect(body, whole.length), whole);
  }
  assert.deepEqual(taken, [30_000, 30_000, 30_000, 10_000, 30_000, 30_000, 10_000]);
  assert.equal(digestOf(parts).hex, createHash('sha256').update(whole).digest('hex'));
});

test('an answer that is longer or shorter than it said is an error', async () => {
  async function* pieces(): AsyncIterable<Uint8Array> {
    yield* [Buffer.from('abc'), Buffer.from('def')];
  }
  assert.equal(Buffer.from(await collect(pieces(), 6)).toString(), 'abcdef');
  assert.equal(Buffer.from(await collect(pieces(), undefined)).toString(), 'abcdef');
  await assert.rejects(collect(pieces(), 7), /ended after 6 of 7/);
  await assert.rejects(collect(pieces(), 5), /more than its 5/);
});
