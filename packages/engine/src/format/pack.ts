// A pack's directory: which chunks it holds and where. It stands in the pack's footer and, beside those of other
// packs, in index objects.
//
//   pack       a sealed object whose frames are chunks and whose final frame is the directory; then a trailer
//   trailer    8 bytes: length of the final frame with its header (u32), magic "PACK"
//   directory  pack id (16), data key number (u16), zero (u16), count n (u32), pack bytes (u32), salt (32),
//              n chunk ids (32 each), n stored lengths with frame header (u32), n plain lengths (u32)
//
// Columns, not rows, so that zstd takes the lengths down to a byte or two a chunk. A chunk's offset is the head's
// length plus the stored lengths of all before it: it need not be written down.

import { CHUNK_ID_BYTES } from './chunk.ts';
import { HEAD_BYTES, SALT_BYTES } from './object.ts';

export const PACK_TRAILER_BYTES = 8;
const TRAILER_MAGIC = Buffer.from('PACK', 'latin1');
const PACK_ID_BYTES = 16;
const FIXED_BYTES = PACK_ID_BYTES + 2 + 2 + 4 + 4 + SALT_BYTES;

/** Chunks of one pack in the order in which they lie there. */
export interface PackDirectory {
  /** 32 hexadecimal digits. */
  readonly packId: string;
  readonly dataKeyNumber: number;
  readonly salt: Uint8Array;
  /** Length of the whole object, to see that it was not cut short without reading it. */
  readonly packBytes: number;
  /** Chunk ids, one after the other. */
  readonly ids: Uint8Array;
  /** Frame header, ciphertext and tag of each chunk. */
  readonly storedBytes: Uint32Array;
  readonly plainBytes: Uint32Array;
}

export const directoryBytes = (count: number): number => FIXED_BYTES + count * (CHUNK_ID_BYTES + 8);

/** Appends nothing but itself: directories may be laid one after the other and read with `parseDirectories`. */
export function encodeDirectory(directory: PackDirectory): Buffer {
  const count = directory.storedBytes.length;
  const bytes = Buffer.alloc(directoryBytes(count));
  bytes.write(directory.packId, 0, 'hex');
  bytes.writeUInt16LE(directory.dataKeyNumber, 16);
  bytes.writeUInt32LE(count, 20);
  bytes.writeUInt32LE(directory.packBytes, 24);
  bytes.set(directory.salt, 28);
  bytes.set(directory.ids, FIXED_BYTES);
  const stored = FIXED_BYTES + count * CHUNK_ID_BYTES;
  for (let i = 0; i < count; i++) {
    bytes.writeUInt32LE(directory.storedBytes[i] ?? 0, stored + i * 4);
    bytes.writeUInt32LE(directory.plainBytes[i] ?? 0, stored + (count + i) * 4);
  }
  return bytes;
}

/** The directories laid one after the other in `bytes`, or a phrase that says why they are none. */
export function parseDirectories(bytes: Uint8Array): readonly PackDirectory[] | string {
  const directories: PackDirectory[] = [];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < view.length; ) {
    if (at + FIXED_BYTES > view.length) return 'it ends inside a pack directory';
    const count = view.readUInt32LE(at + 20);
    const end = at + directoryBytes(count);
    if (end > view.length) return 'it ends inside a pack directory';
    const idsAt = at + FIXED_BYTES;
    const storedAt = idsAt + count * CHUNK_ID_BYTES;
    const storedBytes = new Uint32Array(count);
    const plainBytes = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      storedBytes[i] = view.readUInt32LE(storedAt + i * 4);
      plainBytes[i] = view.readUInt32LE(storedAt + (count + i) * 4);
    }
    directories.push({
      packId: view.toString('hex', at, at + PACK_ID_BYTES),
      dataKeyNumber: view.readUInt16LE(at + 16),
      packBytes: view.readUInt32LE(at + 24),
      salt: new Uint8Array(view.subarray(at + 28, at + 28 + SALT_BYTES)),
      ids: new Uint8Array(view.subarray(idsAt, storedAt)),
      storedBytes,
      plainBytes,
    });
    at = end;
  }
  return directories;
}

export function encodeTrailer(finalFrameBytes: number): Buffer {
  const trailer = Buffer.alloc(PACK_TRAILER_BYTES);
  trailer.writeUInt32LE(finalFrameBytes, 0);
  TRAILER_MAGIC.copy(trailer, 4);
  return trailer;
}

/** Length of the final frame with its header, or a phrase that says why the object does not end like a pack. */
export function parseTrailer(lastBytes: Uint8Array): number | string {
  const view = Buffer.from(lastBytes.buffer, lastBytes.byteOffset, lastBytes.byteLength);
  if (view.length < PACK_TRAILER_BYTES) return 'it is shorter than the trailer of a pack';
  const trailer = view.subarray(view.length - PACK_TRAILER_BYTES);
  if (!trailer.subarray(4).equals(TRAILER_MAGIC)) return 'it does not end like a pack';
  return trailer.readUInt32LE(0);
}

/** The offset in the pack of each chunk of a directory. */
export function chunkOffsets(directory: PackDirectory): Float64Array {
  const offsets = new Float64Array(directory.storedBytes.length);
  let at = HEAD_BYTES;
  for (let i = 0; i < offsets.length; i++) {
    offsets[i] = at;
    at += directory.storedBytes[i] ?? 0;
  }
  return offsets;
}
