// The bytes of a sealed object. Everything in a repository but `spillway.json` and the key slots has this form.
//
//   head    48 bytes  magic "SPILLWAY", format (u8), kind (u8), data key number (u16), zero (u32), salt (32 bytes)
//   frame   8 bytes   sealed bytes (u32), plain bytes (u32); then the sealed bytes: ciphertext and a 16-byte tag
//   …                 more frames; the last one is sealed as final
//
// 1. Numbers are little-endian.
// 2. A frame's nonce is made from its offset in the object and whether it is the final one, so frames cannot be moved,
//    dropped from the end, or repeated, and a nonce never repeats under the object's key.
// 3. A frame whose sealed length is its plain length plus the tag was stored as it is; any other is one zstd frame.
//
// Invariant: this file knows nothing of keys; `codec/seal.ts` does.

export const FORMAT_VERSION = 1;
export const HEAD_BYTES = 48;
export const FRAME_HEADER_BYTES = 8;
export const TAG_BYTES = 16;
export const SALT_BYTES = 32;
/** No frame holds more plain bytes than this, so that a reader can bound its memory. */
export const FRAME_PLAIN_BYTES_MAX = 32 * 1024 * 1024;

const MAGIC = Buffer.from('SPILLWAY', 'latin1');

/** What an object is. The number stands in its head and enters its key. */
export const objectKinds = {
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
} as const;

export type ObjectKind = keyof typeof objectKinds;

export interface ObjectHead {
  readonly format: number;
  readonly kind: number;
  readonly dataKeyNumber: number;
  readonly salt: Uint8Array;
}

export function encodeHead(kind: ObjectKind, dataKeyNumber: number, salt: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head, 0);
  head.writeUInt8(FORMAT_VERSION, 8);
  head.writeUInt8(objectKinds[kind], 9);
  head.writeUInt16LE(dataKeyNumber, 10);
  head.set(salt, 16);
  return head;
}

/** The head at the start of `bytes`, or a phrase that says why it is none. */
export function parseHead(bytes: Uint8Array): ObjectHead | string {
  if (bytes.byteLength < HEAD_BYTES) return 'it is shorter than the head of an object';
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
  if (!head.subarray(0, 8).equals(MAGIC)) return 'it does not begin like an object of Spillway';
  if (head.readUInt32LE(12) !== 0) return 'reserved bytes of its head are set';
  return {
    format: head.readUInt8(8),
    kind: head.readUInt8(9),
    dataKeyNumber: head.readUInt16LE(10),
    salt: new Uint8Array(head.subarray(16, HEAD_BYTES)),
  };
}

export function frameNonce(offset: number, final: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(final ? 1 : 0, 0);
  nonce.writeBigUInt64LE(BigInt(offset), 4);
  return nonce;
}

export function writeFrameHeader(target: Buffer, offset: number, sealedBytes: number, plainBytes: number): void {
  target.writeUInt32LE(sealedBytes, offset);
  target.writeUInt32LE(plainBytes, offset + 4);
}

export interface FrameHeader {
  readonly sealedBytes: number;
  readonly plainBytes: number;
}

/** The frame header at `offset`, or a phrase that says why it is none. */
export function parseFrameHeader(bytes: Uint8Array, offset: number): FrameHeader | string {
  if (offset + FRAME_HEADER_BYTES > bytes.byteLength) return 'it ends inside the header of a frame';
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_HEADER_BYTES);
  const sealedBytes = view.getUint32(0, true);
  const plainBytes = view.getUint32(4, true);
  if (plainBytes > FRAME_PLAIN_BYTES_MAX || sealedBytes > plainBytes + TAG_BYTES || sealedBytes < TAG_BYTES) {
    return 'the header of a frame has impossible lengths';
  }
  return { sealedBytes, plainBytes };
}
