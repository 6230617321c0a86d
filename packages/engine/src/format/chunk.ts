// A chunk: up to CHUNK_BYTES of a file, cut at fixed offsets because PostgreSQL changes pages in place.
//
// 1. Its id is HMAC-SHA-256 under the repository's id key over its plain bytes, so equal chunks are stored once and an
//    id tells nothing to somebody without the key.
// 2. A chunk of zeros has the all-zero id, is recorded, and is not stored.

export const CHUNK_BYTES = 256 * 1024;
export const CHUNK_ID_BYTES = 32;

/** The id that stands for a chunk of zeros, whatever its length. */
export const ZERO_CHUNK_ID: Uint8Array = new Uint8Array(CHUNK_ID_BYTES);

export const chunkCount = (bytes: number): number => Math.ceil(bytes / CHUNK_BYTES);

/** Whether the id at `offset` of a run of ids is that of a chunk of zeros. */
export function isZeroChunk(ids: Uint8Array, offset: number): boolean {
  for (let i = 0; i < CHUNK_ID_BYTES; i++) if (ids[offset + i] !== 0) return false;
  return true;
}
