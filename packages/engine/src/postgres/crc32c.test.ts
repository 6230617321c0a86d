import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, crc32cFinish, crc32cStart, crc32cUpdate } from './crc32c.ts';

test('the check values of RFC 3720 come out', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(ascending), 0x46dd794e);
  assert.equal(crc32c(ascending.toReversed()), 0x113fdb5c);
  assert.equal(crc32c(new Uint8Array()), 0);
});

test('pieces give the CRC of the whole, wherever they are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const first = crc32cUpdate(crc32cStart, bytes, 0, Math.min(cut, bytes.length));
      assert.equal(crc32cFinish(crc32cUpdate(first, bytes, Math.min(cut, bytes.length))), crc32c(bytes));
    }),
  );
});
