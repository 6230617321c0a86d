import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isSpillwayError, type SpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import {
  FRAME_HEADER_BYTES,
  FRAME_PLAIN_BYTES_MAX,
  frameNonce,
  HEAD_BYTES,
  type ObjectKind,
  objectKinds,
  TAG_BYTES,
  writeFrameHeader,
} from '../format/object.ts';
import { type KeyRing, newKeyRing, objectKey } from './keys.ts';
import { compress, FrameOpener, FrameSealer, openObject, sealObject } from './seal.ts';

const golden = JSON.parse(readFileSync(new URL('../format/golden/sealed.json', import.meta.url), 'utf8')) as {
  readonly name: string;
  readonly kind: ObjectKind;
  readonly frames: readonly string[];
  readonly stored: string;
  readonly compressed: string;
};

const ring = newKeyRing();
const NAME = 'index/0123';
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const small = [bytes('first'), new Uint8Array(0), bytes('third, which is the last one')];
const open = (object: Uint8Array): readonly Uint8Array[] => openObject(ring, 'index', NAME, object);
const isDamaged = (error: unknown): error is SpillwayError => isSpillwayError(error, 'SPW_OBJECT_DAMAGED');
const isInternal = (error: unknown): boolean => isSpillwayError(error, 'SPW_INTERNAL');
const lengthOf = async (frame: Uint8Array, level: number): Promise<number> =>
  (await sealObject(ring, 'index', NAME, [frame], { level })).byteLength - HEAD_BYTES - FRAME_HEADER_BYTES - TAG_BYTES;
const plain = (frames: readonly Uint8Array[]): readonly Uint8Array[] => frames.map((frame) => new Uint8Array(frame));

test('what was sealed opens again: empty, compressible and incompressible frames, at any level', async () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(5000).map((length) => new Uint8Array(length).fill(7)),
    fc.nat(5000).map((length) => new Uint8Array(randomBytes(length))),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(0, 1, 3, 9),
      async (all, level) => {
        const object = await sealObject(ring, 'index', NAME, all, { level });
        assert.deepEqual(plain(open(object)), all);
      },
    ),
  );
});

test('a frame is compressed only where that makes it smaller', async () => {
  const random = new Uint8Array(randomBytes(4096));
  assert.equal(await lengthOf(random, 3), 4096);
  assert.equal(await lengthOf(new Uint8Array(4096), 0), 4096);
  assert.ok((await lengthOf(new Uint8Array(4096), 3)) < 100);
  assert.equal(await lengthOf(new Uint8Array(0), 3), 0);
  assert.equal(compress(random, 3), random);
});

test('an object of format 1 still opens, and uncompressed it is sealed to the same bytes', () => {
  const keys: KeyRing = { dataKeys: [{ number: 1, key: Uint8Array.from({ length: 32 }, (_, i) => i) }] };
  const frames = golden.frames.map((text) => bytes(text));
  for (const object of [golden.stored, golden.compressed]) {
    const opened = openObject(keys, golden.kind, golden.name, Buffer.from(object, 'hex'));
    assert.deepEqual(plain(opened), frames);
  }
  const sealer = new FrameSealer(keys, golden.kind, golden.name, new Uint8Array(32).fill(0x5a));
  const target = Buffer.alloc(golden.stored.length / 2);
  sealer.head.copy(target);
  let at = HEAD_BYTES;
  frames.forEach((frame, i) => {
    at += sealer.seal(frame, frame.byteLength, target, at, i === frames.length - 1);
  });
  assert.equal(target.toString('hex'), golden.stored);
});

test('a flip of any single bit of an object is refused', async () => {
  const object = await sealObject(ring, 'index', NAME, [...small, new Uint8Array(300)]);
  for (let bit = 0; bit < object.byteLength * 8; bit++) {
    const flipped = Buffer.from(object);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    // A higher number in the byte of the format is told as a newer format; nothing is read of it either.
    const code = bit >> 3 === 8 && (bit & 7) > 0 ? 'SPW_REPOSITORY_NEWER' : 'SPW_OBJECT_DAMAGED';
    assert.throws(
      () => open(flipped),
      (error) => isSpillwayError(error, code),
      `bit ${bit}`,
    );
  }
});

test('an object cut short at any byte is refused, at the end of a frame too', async () => {
  const object = await sealObject(ring, 'index', NAME, [...small, new Uint8Array(300)]);
  for (let length = 0; length < object.byteLength; length++) {
    assert.throws(() => open(object.subarray(0, length)), isDamaged, `cut at ${length}`);
  }
});

test('an object with something behind its end is refused', async () => {
  const object = await sealObject(ring, 'index', NAME, small);
  assert.throws(() => open(Buffer.concat([object, Buffer.alloc(1)])), isDamaged);
  assert.throws(() => open(Buffer.concat([object, object.subarray(HEAD_BYTES)])), isDamaged);
});

test('frames that changed places are refused', async () => {
  const [a, b, c] = [bytes('aaaa'), bytes('bbbb'), bytes('cccc')];
  assert.ok(a && b && c);
  const object = await sealObject(ring, 'index', NAME, [a, b, c]);
  const size = FrameSealer.frameBytesMax(4);
  const frames = [0, 1, 2].map((n) => object.subarray(HEAD_BYTES + n * size, HEAD_BYTES + (n + 1) * size));
  for (const order of [
    [1, 0, 2],
    [0, 2, 1],
    [0, 0, 2],
    [0, 2],
  ]) {
    const shuffled = Buffer.concat([object.subarray(0, HEAD_BYTES), ...order.flatMap((n) => frames[n] ?? [])]);
    assert.throws(() => open(shuffled), isDamaged, order.join());
  }
});

test('objects swapped for one another in name, in kind or between repositories are refused', async () => {
  const object = await sealObject(ring, 'walPiece', 'clusters/a/wal/1', small);
  assert.deepEqual(plain(openObject(ring, 'walPiece', 'clusters/a/wal/1', object)), small);
  assert.throws(() => openObject(ring, 'walPiece', 'clusters/a/wal/2', object), isDamaged);
  assert.throws(() => openObject(ring, 'walSegment', 'clusters/a/wal/1', object), isDamaged);
  assert.throws(() => openObject(newKeyRing(), 'walPiece', 'clusters/a/wal/1', object), isDamaged);
  const relabelled = Buffer.from(object);
  relabelled.writeUInt8(objectKinds.walSegment, 9);
  assert.throws(() => openObject(ring, 'walSegment', 'clusters/a/wal/1', relabelled), isDamaged);
});

test('an object sealed with a data key that the ring does not hold is refused, an older key of the ring opens it', async () => {
  const object = await sealObject(ring, 'index', NAME, small);
  const newer = { number: 2, key: new Uint8Array(32).fill(3) };
  assert.deepEqual(plain(openObject({ dataKeys: [...ring.dataKeys, newer] }, 'index', NAME, object)), small);
  assert.throws(() => openObject({ dataKeys: [newer] }, 'index', NAME, object), /damaged/);
});

test('the first frames of an object open without the rest', async () => {
  const object = await sealObject(ring, 'index', NAME, small);
  const start = object.subarray(0, HEAD_BYTES + FrameSealer.frameBytesMax(5));
  assert.deepEqual(plain(openObject(ring, 'index', NAME, start, 1)), small.slice(0, 1));
  assert.throws(() => openObject(ring, 'index', NAME, start.subarray(0, start.length - 1), 1), isDamaged);
});

test('random bytes are damage, never another error', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (object) => assert.throws(() => open(object), isDamaged)));
});

test('a frame that authenticates and does not decompress to its length is damage', () => {
  const salt = new Uint8Array(32);
  const key = objectKey(ring, 1, salt, 'index', NAME);
  assert.ok(key);
  const head = new FrameSealer(ring, 'index', NAME, salt).head;
  const seal = (body: Uint8Array, plainBytes: number): Buffer => {
    const header = Buffer.alloc(FRAME_HEADER_BYTES);
    writeFrameHeader(header, 0, body.byteLength + TAG_BYTES, plainBytes);
    const cipher = createCipheriv('aes-256-gcm', key, frameNonce(HEAD_BYTES, true)).setAAD(header);
    return Buffer.concat([head, header, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  };
  const packed = compress(new Uint8Array(1000), 3);
  assert.deepEqual(plain(open(seal(packed, 1000))), [new Uint8Array(1000)]);
  for (const [body, plainBytes] of [
    [packed, 999],
    [packed, 1001],
    [bytes('no zstd'), 50],
  ] as const) {
    assert.throws(() => open(seal(body, plainBytes)), isDamaged, `${plainBytes}`);
  }
});

test('what could not be read back is never written', async () => {
  await assert.rejects(sealObject(ring, 'index', NAME, []), isInternal);
  await assert.rejects(
    sealObject(ring, 'index', NAME, [new Uint8Array(FRAME_PLAIN_BYTES_MAX + 1)], { level: 0 }),
    isInternal,
  );
  const sealer = new FrameSealer(ring, 'index', NAME);
  const target = Buffer.alloc(HEAD_BYTES + FrameSealer.frameBytesMax(9));
  assert.throws(() => sealer.seal(new Uint8Array(10), 10, target, HEAD_BYTES, true), isInternal);
});

test('no two objects share a salt, so none share a key', async () => {
  const salts = new Set<string>();
  for (let i = 0; i < 50; i++)
    salts.add((await sealObject(ring, 'index', NAME, small)).toString('hex', 16, HEAD_BYTES));
  assert.equal(salts.size, 50);
});

test('a frame opened alone must stand where its nonce says', async () => {
  const object = await sealObject(ring, 'index', NAME, small);
  const opener = new FrameOpener(ring, 'index', NAME, object);
  assert.deepEqual(new Uint8Array(opener.open(object, HEAD_BYTES, HEAD_BYTES, false).plain), small[0]);
  assert.throws(() => opener.open(object, HEAD_BYTES, HEAD_BYTES + 1, false), isDamaged);
  assert.throws(() => opener.open(object, HEAD_BYTES, HEAD_BYTES, true), isDamaged);
});
