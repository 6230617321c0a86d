import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeHead,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  FRAME_PLAIN_BYTES_MAX,
  frameNonce,
  HEAD_BYTES,
  type ObjectKind,
  objectKinds,
  parseFrameHeader,
  parseHead,
  SALT_BYTES,
  TAG_BYTES,
  writeFrameHeader,
} from './object.ts';

const golden = JSON.parse(readFileSync(new URL('golden/object.json', import.meta.url), 'utf8')) as {
  readonly head: string;
  readonly frameHeader: string;
  readonly nonce: string;
  readonly finalNonce: string;
};
const kind = fc.constantFrom(...(Object.keys(objectKinds) as ObjectKind[]));
const salt = fc.uint8Array({ minLength: SALT_BYTES, maxLength: SALT_BYTES });
const salt0to31 = Uint8Array.from({ length: SALT_BYTES }, (_, i) => i);

test('the bytes of heads, frame headers and nonces are those of format 1', () => {
  assert.equal(FORMAT_VERSION, 1);
  assert.equal(encodeHead('walHistory', 0x0102, salt0to31).toString('hex'), golden.head);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(header, 0, 0x01020304, 0x05060708);
  assert.equal(header.toString('hex'), golden.frameHeader);
  assert.equal(frameNonce(0x0102030405, false).toString('hex'), golden.nonce);
  assert.equal(frameNonce(0x0102030405, true).toString('hex'), golden.finalNonce);
});

test('kinds keep their numbers', () => {
  assert.deepEqual(objectKinds, {
    pack: 1,
    index: 2,
    manifest: 3,
    walSegment: 4,
    walPiece: 5,
    walHistory: 6,
    lock: 7,
    evidence: 8,
    system: 9,
    walBackup: 10,
    walPartial: 11,
    walGap: 12,
    dump: 13,
    condemned: 14,
    condemnedHolders: 15,
    walExpired: 16,
    keyRing: 17,
    legalHold: 18,
    retained: 19,
    canary: 20,
  });
});

test('a head is read back as it was written', () => {
  fc.assert(
    fc.property(
      kind,
      fc.integer({ min: 0, max: 0xffff }),
      salt,
      fc.uint8Array(),
      (name, dataKeyNumber, bytes, rest) => {
        const head = encodeHead(name, dataKeyNumber, bytes);
        assert.equal(head.length, HEAD_BYTES);
        const expected = { format: FORMAT_VERSION, kind: objectKinds[name], dataKeyNumber, salt: bytes };
        assert.deepEqual(parseHead(Buffer.concat([head, rest])), expected);
      },
    ),
  );
});

test('what is no head is told in a phrase', () => {
  const head = encodeHead('pack', 1, salt0to31);
  for (let length = 0; length < HEAD_BYTES; length++) {
    assert.equal(parseHead(head.subarray(0, length)), 'it is shorter than the head of an object');
  }
  for (let at = 0; at < 8; at++) {
    const other = Buffer.from(head);
    other.writeUInt8(other.readUInt8(at) ^ 0x20, at);
    assert.equal(parseHead(other), 'it does not begin like an object of Spillway');
  }
  for (let at = 12; at < 16; at++) {
    const other = Buffer.from(head);
    other.writeUInt8(1, at);
    assert.equal(parseHead(other), 'reserved bytes of its head are set');
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.equal(typeof parseHead(bytes), 'string')));
});

test('a frame header is read back as it was written, at any offset', () => {
  const lengths = fc
    .tuple(fc.nat(FRAME_PLAIN_BYTES_MAX), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([plain, part]) => ({ plainBytes: plain, sealedBytes: Math.floor(plain * part) + TAG_BYTES }));
  fc.assert(
    fc.property(lengths, fc.nat(40), ({ sealedBytes, plainBytes }, offset) => {
      const bytes = Buffer.alloc(offset + FRAME_HEADER_BYTES, 0xee);
      writeFrameHeader(bytes, offset, sealedBytes, plainBytes);
      assert.deepEqual(parseFrameHeader(bytes, offset), { sealedBytes, plainBytes });
      const inside = parseFrameHeader(bytes.subarray(0, bytes.length - 1), offset);
      assert.equal(inside, 'it ends inside the header of a frame');
    }),
  );
});

test('a frame header with lengths that no writer makes is refused before anything is allocated for it', () => {
  const impossible: readonly (readonly [sealedBytes: number, plainBytes: number])[] = [
    [TAG_BYTES - 1, 0],
    [0, 0],
    [TAG_BYTES + 1, 0],
    [TAG_BYTES + 101, 100],
    [TAG_BYTES, FRAME_PLAIN_BYTES_MAX + 1],
    [0xffffffff, 0xffffffff],
  ];
  for (const [sealedBytes, plainBytes] of impossible) {
    const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
    writeFrameHeader(bytes, 0, sealedBytes, plainBytes);
    assert.equal(parseFrameHeader(bytes, 0), 'the header of a frame has impossible lengths');
  }
});

test('no two frames of an object have one nonce', () => {
  const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(offset, offset, fc.boolean(), fc.boolean(), (a, b, finalA, finalB) => {
      const same = frameNonce(a, finalA).equals(frameNonce(b, finalB));
      assert.equal(same, a === b && finalA === finalB);
    }),
  );
  assert.equal(frameNonce(0, false).length, 12);
});
