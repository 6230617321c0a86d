// Sealing and opening objects: zstd where it helps, then AES-256-GCM, in the form of `format/object.ts`.
//
// 1. An object's key is made from its own random salt, its kind and its name (`keys.ts`), so an object that was changed,
//    renamed or swapped for another of the repository does not open.
// 2. A frame is compressed only when that makes it smaller; its length alone tells which it was.
// 3. The final frame is marked in its nonce: an object cut short at a frame's end does not open either.

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { SpillwayError } from '@spillway/contract';
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
} from '../format/object.ts';
import { discard } from './discard.ts';
import { currentKeyNumber, type KeyRing, objectKey } from './keys.ts';

/** zstd level, or 0 to store frames as they are. */
export type CompressionLevel = number;
export const DEFAULT_COMPRESSION_LEVEL: CompressionLevel = 3;

/** A level of which some of zstd's parameters are set otherwise. */
export interface Compression {
  readonly level: CompressionLevel;
  /** The shortest match, in bytes. */
  readonly minMatch?: number;
  /** Power of two, of bytes. */
  readonly windowLog?: number;
}

export const newSalt = (): Buffer => randomBytes(SALT_BYTES);

const COMPRESSIBLE_BYTES_MIN = 64;
/** Of an object's frame: what a smaller one, such as what WAL says of itself, could save is less than a block of a disk. */
const WORTH_BYTES_MIN = 512;
/** As much as is compressed in a fraction of a millisecond: another thread would take as long to be woken. */
const ASIDE_BYTES_MIN = 64 * 1024;

/** Compressed bytes, or `plain` itself where compressing does not make it smaller. */
export function compress(plain: Uint8Array, level: CompressionLevel): Uint8Array {
  return compressWith(plain, { level });
}

function compressWith(plain: Uint8Array, compression: Compression): Uint8Array {
  if (compression.level <= 0 || plain.byteLength < COMPRESSIBLE_BYTES_MIN) return plain;
  const packed = zstdCompressSync(plain, zstdOptions(plain, compression));
  if (packed.byteLength < plain.byteLength) return packed;
  discard(packed);
  return plain;
}

const zstdCompressInPool = promisify(zstdCompress);

/**
 * The same outside the main thread, where that is not more work than the thing itself. A worker has nobody to hold up, and what
 * zstd gives there can be discarded: given in the background, it is a copy of a buffer that only the collector frees.
 */
async function compressAside(plain: Uint8Array, compression: Compression): Promise<Uint8Array> {
  if (compression.level <= 0 || plain.byteLength < WORTH_BYTES_MIN) return plain;
  if (!isMainThread || plain.byteLength < ASIDE_BYTES_MIN) return compressWith(plain, compression);
  const packed = await zstdCompressInPool(plain, zstdOptions(plain, compression));
  if (packed.byteLength < plain.byteLength) return packed;
  discard(packed);
  return plain;
}

// chunkSize is the size of the output buffers: one that holds the whole result is 2.5 times faster than many. What does
// not compress becomes a little longer, by zstd's bound: a 256th and some bytes.
const zstdOptions = (plain: Uint8Array, { level, minMatch, windowLog }: Compression) => ({
  chunkSize: plain.byteLength + (plain.byteLength >>> 8) + 1024,
  params: {
    [constants.ZSTD_c_compressionLevel]: level,
    ...(minMatch !== undefined && { [constants.ZSTD_c_minMatch]: minMatch }),
    ...(windowLog !== undefined && { [constants.ZSTD_c_windowLog]: windowLog }),
  },
});

/** Seals the frames of one object, in order, into a buffer of the caller's. */
export class FrameSealer {
  readonly #key: KeyObject;
  readonly head: Buffer;
  readonly dataKeyNumber: number;
  readonly salt: Uint8Array;

  constructor(ring: KeyRing, kind: ObjectKind, name: string, salt: Uint8Array = newSalt()) {
    this.dataKeyNumber = currentKeyNumber(ring);
    this.salt = salt;
    const key = objectKey(ring, this.dataKeyNumber, salt, kind, name);
    if (key === undefined) throw new SpillwayError('SPW_INTERNAL', 'the key ring has no current key');
    this.#key = key;
    this.head = encodeHead(kind, this.dataKeyNumber, salt);
  }

  /** Bytes that a frame of `plainBytes` takes at most. */
  static frameBytesMax(plainBytes: number): number {
    return FRAME_HEADER_BYTES + plainBytes + TAG_BYTES;
  }

  /**
   * Writes the frame at `offset` of `target`, in which the whole object is laid out from its first byte, and returns its
   * length with header and tag. `body` is what `compress` gave for `plainBytes` of plain data.
   */
  seal(body: Uint8Array, plainBytes: number, target: Buffer, offset: number, final: boolean): number {
    // What could not be read back must never be written: `copy` below would cut a frame short without a word.
    if (plainBytes > FRAME_PLAIN_BYTES_MAX || offset + FrameSealer.frameBytesMax(body.byteLength) > target.length) {
      throw new SpillwayError('SPW_INTERNAL', `a frame of ${plainBytes} bytes does not fit its object`);
    }
    const cipher = createCipheriv('aes-256-gcm', this.#key, frameNonce(offset, final));
    const sealedBytes = body.byteLength + TAG_BYTES;
    writeFrameHeader(target, offset, sealedBytes, plainBytes);
    cipher.setAAD(target.subarray(offset, offset + FRAME_HEADER_BYTES));
    const ciphertext = cipher.update(body);
    ciphertext.copy(target, offset + FRAME_HEADER_BYTES);
    cipher.final();
    cipher.getAuthTag().copy(target, offset + FRAME_HEADER_BYTES + ciphertext.length);
    discard(ciphertext);
    return FRAME_HEADER_BYTES + sealedBytes;
  }
}

/** Frames of one object that are compressed at once, and the bytes in them: each takes twice its size, and more, meanwhile. */
const FRAMES_AT_ONCE = 8;
const FRAME_BYTES_AT_ONCE = 4 * 1024 * 1024;

/**
 * A whole object of `frames`, taken as they are wanted: of a long one not all need be in memory. For objects that fit in memory when
 * they are compressed: all but packs, which are written as they fill.
 */
export async function sealObject(
  ring: KeyRing,
  kind: ObjectKind,
  name: string,
  frames: Iterable<Uint8Array>,
  compression: Compression = { level: DEFAULT_COMPRESSION_LEVEL },
): Promise<Buffer> {
  const sealer = new FrameSealer(ring, kind, name);
  const bodies: { readonly body: Uint8Array; readonly plainBytes: number; readonly isOwn: boolean }[] = [];
  for (const some of compressibleAtOnce(frames)) {
    const compressed = await Promise.all(some.map((plain) => compressAside(plain, compression)));
    compressed.forEach((body, i) => {
      const plain = some[i];
      bodies.push({ body: fitted(body, plain), plainBytes: plain?.byteLength ?? 0, isOwn: body !== plain });
    });
  }
  if (bodies.length === 0) throw new SpillwayError('SPW_INTERNAL', `${name} has no frames`);
  const size = bodies.reduce((sum, { body }) => sum + FrameSealer.frameBytesMax(body.byteLength), HEAD_BYTES);
  const object = Buffer.allocUnsafeSlow(size);
  sealer.head.copy(object);
  let at = HEAD_BYTES;
  bodies.forEach(({ body, plainBytes, isOwn }, i) => {
    at += sealer.seal(body, plainBytes, object, at, i === bodies.length - 1);
    if (isOwn) discard(body);
  });
  return object.subarray(0, at);
}

/** Without the room behind it, which is that of what does not compress: held until the object is whole, it would add up. */
function fitted(body: Uint8Array, plain: Uint8Array | undefined): Uint8Array {
  if (body === plain || body.buffer.byteLength < 2 * body.byteLength || body.byteLength < WORTH_BYTES_MIN) return body;
  const own = new Uint8Array(body);
  discard(body);
  return own;
}

function* compressibleAtOnce(frames: Iterable<Uint8Array>): Iterable<readonly Uint8Array[]> {
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const frame of frames) {
    group.push(frame);
    bytes += frame.byteLength;
    if (group.length < FRAMES_AT_ONCE && bytes < FRAME_BYTES_AT_ONCE) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

/** Opens the frames of one object; every failure is SPW_OBJECT_DAMAGED with the object's name. */
export class FrameOpener {
  readonly #key: KeyObject;
  readonly #name: string;

  constructor(ring: KeyRing, kind: ObjectKind, name: string, head: Uint8Array) {
    this.#name = name;
    const parsed = parseHead(head);
    if (typeof parsed === 'string') throw damaged(name, parsed);
    if (parsed.format > FORMAT_VERSION) {
      throw new SpillwayError('SPW_REPOSITORY_NEWER', `${name} cannot be read`, {
        why: `it has format ${parsed.format}, and this version knows formats up to ${FORMAT_VERSION}`,
      });
    }
    if (parsed.format < 1) throw damaged(name, `it has format ${parsed.format}, which there never was`);
    if (parsed.kind !== objectKinds[kind]) throw damaged(name, `it is not an object of kind ${kind}`);
    const key = objectKey(ring, parsed.dataKeyNumber, parsed.salt, kind, name);
    if (key === undefined) throw damaged(name, `its data key ${parsed.dataKeyNumber} is not in the key ring`);
    this.#key = key;
  }

  /** The plain bytes of the frame that begins at `start` of `bytes` and at `offset` of the object. */
  open(bytes: Uint8Array, start: number, offset: number, final: boolean): { plain: Uint8Array; frameBytes: number } {
    const { body, plainBytes, frameBytes } = this.openBody(bytes, start, offset, final);
    const plain = this.#expand(body, plainBytes);
    if (plain !== body) discard(body);
    return { plain, frameBytes };
  }

  /** The same, authenticated but still compressed: what `FrameSealer.seal` takes. */
  openBody(
    bytes: Uint8Array,
    start: number,
    offset: number,
    final: boolean,
  ): { body: Buffer; plainBytes: number; frameBytes: number } {
    const header = parseFrameHeader(bytes, start);
    if (typeof header === 'string') throw damaged(this.#name, header);
    const { sealedBytes, plainBytes } = header;
    const bodyStart = start + FRAME_HEADER_BYTES;
    if (bodyStart + sealedBytes > bytes.byteLength) throw damaged(this.#name, 'it was cut short');
    const decipher = createDecipheriv('aes-256-gcm', this.#key, frameNonce(offset, final));
    decipher.setAAD(bytes.subarray(start, bodyStart));
    decipher.setAuthTag(bytes.subarray(bodyStart + sealedBytes - TAG_BYTES, bodyStart + sealedBytes));
    let body: Buffer;
    try {
      body = decipher.update(bytes.subarray(bodyStart, bodyStart + sealedBytes - TAG_BYTES));
      decipher.final();
    } catch (cause) {
      throw new SpillwayError('SPW_OBJECT_DAMAGED', `${this.#name} is damaged`, {
        why: `the frame at byte ${offset} does not authenticate`,
        cause,
      });
    }
    return { body, plainBytes, frameBytes: FRAME_HEADER_BYTES + sealedBytes };
  }

  #expand(body: Uint8Array, plainBytes: number): Uint8Array {
    if (body.byteLength === plainBytes) return body;
    let plain: Buffer;
    try {
      // One byte more than is to come: a buffer that was filled to its end would be followed by another, empty one.
      plain = zstdDecompressSync(body, { chunkSize: Math.max(1024, plainBytes + 1), maxOutputLength: plainBytes });
    } catch (cause) {
      throw new SpillwayError('SPW_OBJECT_DAMAGED', `${this.#name} is damaged`, {
        why: 'a frame does not decompress to the length in its header',
        cause,
      });
    }
    if (plain.byteLength !== plainBytes) throw damaged(this.#name, 'a frame has another length than its header says');
    return plain;
  }
}

/** The frames of a whole object, or its first `limit` ones: then what follows them need not be in `bytes`. */
export const openObject = (
  ring: KeyRing,
  kind: ObjectKind,
  name: string,
  bytes: Uint8Array,
  limit?: number,
): readonly Uint8Array[] => [...openFrames(ring, kind, name, bytes, limit)];

/** The same, each opened when it is wanted. Only the last one proves that the object is whole. */
export function* openFrames(
  ring: KeyRing,
  kind: ObjectKind,
  name: string,
  bytes: Uint8Array,
  limit = Number.POSITIVE_INFINITY,
): Iterable<Uint8Array> {
  const opener = new FrameOpener(ring, kind, name, bytes);
  let at = HEAD_BYTES;
  for (let opened = 0; opened < limit; opened++) {
    const header = parseFrameHeader(bytes, at);
    if (typeof header === 'string') throw damaged(name, header);
    const end = at + FRAME_HEADER_BYTES + header.sealedBytes;
    const final = limit === Number.POSITIVE_INFINITY && end === bytes.byteLength;
    yield opener.open(bytes, at, at, final).plain;
    if (final) return;
    at = end;
  }
}

export function damaged(name: string, why: string): SpillwayError {
  return new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { why });
}
