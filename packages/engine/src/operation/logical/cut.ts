// Where the stream of a dump is cut into chunks: where its content says, not at fixed offsets.
//
// A row that is inserted moves every byte behind it. Cuts are therefore found by a rolling hash over the last 32 bytes
// ("gear": shift left, add a random word for each byte), so that behind a change the same places are found again and the
// chunks there are those the repository holds. The random words come from the repository's id key: lengths of chunks then
// tell an outsider nothing about known content.
//
// A chunk has from CUT_BYTES_MIN to CHUNK_BYTES; on average about 175 KiB.

import type { KeyObject } from 'node:crypto';
import { chunkId } from '../../codec/keys.ts';
import { CHUNK_BYTES } from '../../format/chunk.ts';

export const CUT_BYTES_MIN = 64 * 1024;
const WINDOW_BYTES = 32;
/** The high bits depend on the whole window. One place in 2^17 is a cut. */
const CUT_BITS = 17;
const WORDS = 256;

/** The random words for the 256 bytes there are. */
export function gearOf(key: KeyObject): Int32Array {
  const words = new Int32Array(WORDS);
  for (let n = 0; n < WORDS; n++) words[n] = chunkId(key, Buffer.from(`spillway cut ${n}`)).readInt32LE(0);
  return words;
}

/** Where the chunk that begins at `from` ends; undefined where that needs bytes past `to`, unless they are the last. */
export function nextCut(
  bytes: Uint8Array,
  from: number,
  to: number,
  last: boolean,
  gear: Int32Array,
): number | undefined {
  const most = Math.min(to, from + CHUNK_BYTES);
  let at = from + CUT_BYTES_MIN - WINDOW_BYTES;
  if (at < most) {
    let hash = 0;
    for (const begin = Math.min(most, from + CUT_BYTES_MIN); at < begin; at++) {
      hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    }
    for (; at < most; at++) {
      hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
      if (hash >>> (32 - CUT_BITS) === 0) return at + 1;
    }
  }
  return most === from + CHUNK_BYTES || (last && most > from) ? most : undefined;
}
