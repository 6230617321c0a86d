// Full-page images of WAL records, as pages again: unpacked, and with the hole in their midst.
//
// The hole is what lies between the line pointers and the rows; it is zeros and is left out. `wal_compression` packs the rest by
// PostgreSQL's own pglz, by lz4 (a bare block) or by zstd (a frame).
// Sources: RestoreBlockImage in src/backend/access/transam/xlogreader.c, src/common/pg_lzcompress.c, lz4's lz4_Block_format.md

import { zstdDecompressSync } from 'node:zlib';
import { isSpillwayError } from '@spillway/contract';
import { malformed, u8 } from './record-fields.ts';
import { BLOCK_BYTES, type PageImage } from './record-parts.ts';

/** Throws SPW_WAL_INVALID. */
export function restorePage({ bytes, holeOffset, holeLength, packing }: PageImage): Uint8Array {
  if (holeLength < 0 || holeOffset + holeLength > BLOCK_BYTES) throw malformed('the hole of an image is no hole');
  const plain = unpack(bytes, packing, BLOCK_BYTES - holeLength);
  if (plain.byteLength !== BLOCK_BYTES - holeLength) {
    throw malformed(`an image has ${plain.byteLength} bytes beside its hole of ${holeLength}`);
  }
  const page = new Uint8Array(BLOCK_BYTES);
  page.set(plain.subarray(0, holeOffset));
  page.set(plain.subarray(holeOffset), holeOffset + holeLength);
  return page;
}

function unpack(bytes: Uint8Array, packing: PageImage['packing'], length: number): Uint8Array {
  if (packing === 'none') return bytes;
  try {
    if (packing === 'pglz') return unpackPglz(bytes, length);
    return packing === 'lz4' ? unpackLz4(bytes, length) : zstdDecompressSync(bytes, { maxOutputLength: BLOCK_BYTES });
  } catch (error) {
    throw isSpillwayError(error) ? error : malformed(`an image packed by ${packing} cannot be unpacked`);
  }
}

/** Each bit of a control byte says whether a literal follows, or a length and how far back its bytes are. */
export function unpackPglz(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Output(length);
  for (let at = 0; at < bytes.byteLength && out.length < length; ) {
    const control = u8(bytes, at++);
    for (let bit = 0; bit < 8 && at < bytes.byteLength && out.length < length; bit++) {
      if (((control >> bit) & 1) === 0) {
        out.literal(u8(bytes, at++));
        continue;
      }
      const first = u8(bytes, at);
      const back = ((first & 0xf0) << 4) | u8(bytes, at + 1);
      at += 2;
      const short = (first & 0x0f) + 3;
      out.copy(back, short === 18 ? short + u8(bytes, at++) : short);
    }
  }
  return out.whole();
}

/** Tokens: how many literals, they, then how far back and how much; the last has literals alone. */
export function unpackLz4(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Output(length);
  let at = 0;
  const long = (nibble: number): number => {
    if (nibble < 15) return nibble;
    let sum = nibble;
    for (let more = 255; more === 255; sum += more) more = u8(bytes, at++);
    return sum;
  };
  while (at < bytes.byteLength) {
    const token = u8(bytes, at++);
    for (let left = long(token >> 4); left > 0; left--) out.literal(u8(bytes, at++));
    if (at >= bytes.byteLength) break;
    const back = u8(bytes, at) | (u8(bytes, at + 1) << 8);
    at += 2;
    out.copy(back, long(token & 0x0f) + 4);
  }
  return out.whole();
}

class Output {
  length = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  literal(byte: number): void {
    if (this.length >= this.#bytes.byteLength) throw malformed('an image is larger than its page');
    this.#bytes[this.length++] = byte;
  }

  /** Byte by byte: what is copied may reach into itself. */
  copy(back: number, count: number): void {
    if (back === 0 || back > this.length) throw malformed('an image refers to what is before it');
    for (let left = count; left > 0; left--) this.literal(this.#bytes[this.length - back] ?? 0);
  }

  whole(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}
