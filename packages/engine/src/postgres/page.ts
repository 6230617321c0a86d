// Checksums of data pages: src/include/storage/checksum_impl.h, src/include/storage/bufpage.h
//
// The columns of a page are hashed and joined (`page-sum.ts`), then the block number comes in, so that a page at a wrong place
// is found too. The sum (1 to 65535) stands in the page's head, and counts as zero while it is computed.
//
// A new page (all zero) has no sum and is valid; a page that only looks new (pd_upper is 0) but is not is damaged.

import { sumPage } from './page-sum.ts';

/** `block` counts from the start of the relation, `pageLsn` is the position of the last change to the page. */
export type PageReport = (block: number, pageLsn: bigint) => void;

/**
 * Tells `report` of each page with a wrong checksum. Gives the number of pages checked.
 * `bytes` begins at a multiple of four in its buffer and is whole pages; a tail that is none is left out.
 */
export function verifyPages(bytes: Uint8Array, firstBlock: number, report: PageReport, pageSize = 8192): number {
  const words = wordsOf(bytes);
  const pages = Math.floor(bytes.byteLength / pageSize);
  const pageWords = pageSize >>> 2;
  for (let page = 0; page < pages; page++) {
    const at = page * pageWords;
    const block = firstBlock + page;
    // pd_checksum is the low half of the third word, pd_upper the high half of the fourth.
    const expected = word(words, at + CHECKSUM_WORD) & 0xffff;
    if (word(words, at + UPPER_WORD) >>> 16 === 0 && isZero(words, at, pageWords)) continue;
    if (checksumPage(bytes, page * pageSize, block, pageSize) !== expected) {
      report(block, pageLsn(bytes, page * pageSize));
    }
  }
  return pages;
}

/** The checksum that the page at `offset` ought to have as block `block` of its relation. */
export function checksumPage(bytes: Uint8Array, offset: number, block: number, pageSize = 8192): number {
  return (((sumPage(bytes, offset, pageSize) ^ block) >>> 0) % 65_535) + 1;
}

/** pd_lsn: the position up to which WAL must be durable before the page may be written. */
export function pageLsn(bytes: Uint8Array, offset: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  return (BigInt(view.getUint32(0, true)) << 32n) | BigInt(view.getUint32(4, true));
}

const CHECKSUM_WORD = 2;
const UPPER_WORD = 3;

function isZero(words: Int32Array, at: number, pageWords: number): boolean {
  for (let index = at; index < at + pageWords; index++) if (words[index] !== 0) return false;
  return true;
}

const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

// Inlined by V8; an index is never out of bounds.
const word = (words: Int32Array, index: number): number => words[index] ?? 0;
