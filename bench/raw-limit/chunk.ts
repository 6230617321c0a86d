// One chunk of the raw limit: the codec calls, there and back, and where a chunk lies in what was written.

import { createCipheriv, createDecipheriv, createHmac, type KeyObject } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

export const CHUNK_BYTES = 256 * 1024;
export const PACK_BYTES = 16 * 1024 * 1024;
const ID_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface StoredChunk {
  /** Hexadecimal. */
  readonly id: string;
  readonly pack: string;
  readonly offset: number;
  /** In the pack. */
  readonly bytes: number;
  readonly plainBytes: number;
}

export const hashChunk = (key: KeyObject, plain: Buffer): Buffer => createHmac('sha256', key).update(plain).digest();

/** Compresses and encrypts into the pack at that place; gives how many bytes that took. */
export function encode(key: KeyObject, id: Buffer, plain: Buffer, level: number, pack: Buffer, at: number): number {
  const packed = zstdCompressSync(plain, {
    chunkSize: Math.max(1024, plain.length),
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
  const body = packed.length < plain.length ? packed : plain;
  const cipher = createCipheriv('aes-256-gcm', key, id.subarray(0, NONCE_BYTES));
  const bytes = cipher.update(body).copy(pack, at);
  cipher.final();
  return bytes + cipher.getAuthTag().copy(pack, at + bytes);
}

/** Throws where the bytes are not what was encoded under that id. */
export function expectWhole(key: KeyObject, chunk: StoredChunk, stored: Buffer): void {
  const id = Buffer.from(chunk.id, 'hex');
  if (id.length !== ID_BYTES) throw new RangeError(`${chunk.id} is no id of a chunk`);
  const decipher = createDecipheriv('aes-256-gcm', key, id.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(stored.subarray(stored.length - TAG_BYTES));
  const body = decipher.update(stored.subarray(0, stored.length - TAG_BYTES));
  decipher.final();
  const plain = body.length < chunk.plainBytes ? zstdDecompressSync(body, { chunkSize: chunk.plainBytes }) : body;
  if (!hashChunk(key, plain).equals(id)) throw new Error(`a chunk of ${chunk.pack} is not what it was`);
}
