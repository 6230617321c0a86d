import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discard, discardOwn } from './discard.ts';

test('a buffer with memory of its own is emptied, with every view of it', () => {
  const buffer = Buffer.allocUnsafeSlow(2 ** 20);
  const view = buffer.subarray(10, 20);
  discard(view);
  assert.deepEqual([buffer.byteLength, view.byteLength, buffer.buffer.byteLength], [0, 0, 0]);
  discard(view);
});

test('one that shares its memory with others is left alone', () => {
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  discard(one);
  assert.deepEqual([one.toString(), other.toString()], ['one', 'other']);
  const shared = new Uint8Array(new SharedArrayBuffer(2 ** 20));
  discard(shared);
  assert.equal(shared.byteLength, 2 ** 20);
});

test('what is known to be shared with nobody is emptied however small it is', () => {
  const small = new Uint8Array(64);
  discard(small);
  assert.equal(small.byteLength, 64);
  discardOwn(small);
  assert.equal(small.byteLength, 0);
});
