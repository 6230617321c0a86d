import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_ID_BYTES } from './chunk.ts';
import { HEAD_BYTES, SALT_BYTES } from './object.ts';
import {
  chunkOffsets,
  directoryBytes,
  encodeDirectory,
  encodeTrailer,
  type PackDirectory,
  parseDirectories,
  parseTrailer,
} from './pack.ts';

const golden = JSON.parse(readFileSync(new URL('golden/pack.json', import.meta.url), 'utf8')) as {
  readonly directory: readonly string[];
  readonly trailer: string;
};
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const directory: fc.Arbitrary<PackDirectory> = fc.nat(20).chain((count) =>
  fc.record(
    {
      packId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      dataKeyNumber: fc.integer({ min: 0, max: 0xffff }),
      salt: fc.uint8Array({ minLength: SALT_BYTES, maxLength: SALT_BYTES }),
      packBytes: u32,
      ids: fc.uint8Array({ minLength: count * CHUNK_ID_BYTES, maxLength: count * CHUNK_ID_BYTES }),
      storedBytes: fc.array(u32, { minLength: count, maxLength: count }).map((column) => Uint32Array.from(column)),
      plainBytes: fc.array(u32, { minLength: count, maxLength: count }).map((column) => Uint32Array.from(column)),
    },
    { noNullPrototype: true },
  ),
);
const two: PackDirectory = {
  packId: '00112233445566778899aabbccddeeff',
  dataKeyNumber: 1,
  salt: Uint8Array.from({ length: SALT_BYTES }, (_, i) => i),
  packBytes: 0x01020304,
  ids: Uint8Array.from({ length: 2 * CHUNK_ID_BYTES }, (_, i) => (i < CHUNK_ID_BYTES ? 0xa1 : 0xb2)),
  storedBytes: Uint32Array.of(0x0a0b, 0x0c0d),
  plainBytes: Uint32Array.of(0x40000, 0x2000),
};

test('the bytes of a directory and of a trailer are those of format 1', () => {
  assert.equal(encodeDirectory(two).toString('hex'), golden.directory.join(''));
  assert.equal(encodeTrailer(0x01020304).toString('hex'), golden.trailer);
});

test('directories laid one after the other are read back as they were written', () => {
  fc.assert(
    fc.property(fc.array(directory, { maxLength: 4 }), (directories) => {
      const bytes = Buffer.concat(directories.map((each) => encodeDirectory(each)));
      assert.deepEqual(parseDirectories(bytes), directories);
    }),
  );
});

test('directories cut short are told in a phrase, wherever they are cut', () => {
  const bytes = Buffer.concat([encodeDirectory(two), encodeDirectory(two)]);
  const one = directoryBytes(2);
  for (let length = 0; length <= bytes.length; length++) {
    const parsed = parseDirectories(bytes.subarray(0, length));
    if (length % one === 0) assert.equal(parsed.length, length / one);
    else assert.equal(parsed, 'it ends inside a pack directory', `cut at ${length}`);
  }
});

test('random bytes never make the parsers of a pack throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      parseDirectories(bytes);
      parseTrailer(bytes);
    }),
  );
});

test('a count that the bytes cannot hold is refused before anything is allocated for it', () => {
  const bytes = encodeDirectory(two);
  bytes.writeUInt32LE(0xffffffff, 20);
  assert.equal(parseDirectories(bytes), 'it ends inside a pack directory');
});

test('a trailer is found at the end of any bytes, and what is none is told', () => {
  fc.assert(
    fc.property(u32, fc.uint8Array(), (length, before) => {
      assert.equal(parseTrailer(Buffer.concat([before, encodeTrailer(length)])), length);
    }),
  );
  const trailer = encodeTrailer(7);
  for (let at = 4; at < 8; at++) {
    const other = Buffer.from(trailer);
    other.writeUInt8(0, at);
    assert.equal(parseTrailer(other), 'it does not end like a pack');
  }
  assert.equal(parseTrailer(trailer.subarray(1)), 'it is shorter than the trailer of a pack');
});

test('chunks lie one after the other behind the head', () => {
  assert.deepEqual([...chunkOffsets(two)], [HEAD_BYTES, HEAD_BYTES + 0x0a0b]);
  assert.deepEqual([...chunkOffsets({ ...two, storedBytes: new Uint32Array() })], []);
});
