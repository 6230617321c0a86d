// Checksums of data pages: src/include/storage/checksum_impl.h, src/include/storage/bufpage.h
//
// A page is a table of 32 columns of 32-bit words. Each column is hashed by itself (FNV-1a with an extra shift), two
// rounds of zero follow, the columns are joined by XOR, then the block number comes in, so that a page at a wrong place
// is found too. The sum (1 to 65535) stands in the page's head, and counts as zero while it is computed.
//
// For speed four columns are taken at a time, so that V8 keeps their state in registers; Math.imul is one instruction.
// A new page (all zero) has no sum and is valid; a page that only looks new (pd_upper is 0) but is not is damaged.

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
    if (checksumWords(words, at, pageWords, block) !== expected) report(block, pageLsn(bytes, page * pageSize));
  }
  return pages;
}

/** The checksum that the page at `offset` (a multiple of four) ought to have as block `block` of its relation. */
export function checksumPage(bytes: Uint8Array, offset: number, block: number, pageSize = 8192): number {
  return checksumWords(wordsOf(bytes), offset >>> 2, pageSize >>> 2, block);
}

/** pd_lsn: the position up to which WAL must be durable before the page may be written. */
export function pageLsn(bytes: Uint8Array, offset: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  return (BigInt(view.getUint32(0, true)) << 32n) | BigInt(view.getUint32(4, true));
}

const CHECKSUM_WORD = 2;
const UPPER_WORD = 3;
const COLUMNS = 32;
const PRIME = 16_777_619;

// biome-ignore format: a table
const offsets = Int32Array.of(
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
);

function checksumWords(words: Int32Array, at: number, pageWords: number, block: number): number {
  const end = at + pageWords;
  // The stored sum, the low half of the third word, counts as zero.
  let sum = block ^ hashColumns(words, at, end, 0, ~0xffff);
  for (let column = 4; column < COLUMNS; column += 4) sum ^= hashColumns(words, at + column, end, column, ~0);
  return ((sum >>> 0) % 65_535) + 1;
}

/** Four neighbouring columns, joined. `mask` is laid over the third word of the first row. */
function hashColumns(words: Int32Array, from: number, end: number, column: number, mask: number): number {
  let a = word(offsets, column);
  let b = word(offsets, column + 1);
  let c = word(offsets, column + 2);
  let d = word(offsets, column + 3);
  a = mix(a ^ word(words, from));
  b = mix(b ^ word(words, from + 1));
  c = mix(c ^ (word(words, from + 2) & mask));
  d = mix(d ^ word(words, from + 3));
  for (let at = from + COLUMNS; at < end; at += COLUMNS) {
    a ^= word(words, at);
    a = Math.imul(a, PRIME) ^ (a >>> 17);
    b ^= word(words, at + 1);
    b = Math.imul(b, PRIME) ^ (b >>> 17);
    c ^= word(words, at + 2);
    c = Math.imul(c, PRIME) ^ (c >>> 17);
    d ^= word(words, at + 3);
    d = Math.imul(d, PRIME) ^ (d >>> 17);
  }
  return mix(mix(a)) ^ mix(mix(b)) ^ mix(mix(c)) ^ mix(mix(d));
}

const mix = (hash: number): number => Math.imul(hash, PRIME) ^ (hash >>> 17);

function isZero(words: Int32Array, at: number, pageWords: number): boolean {
  for (let index = at; index < at + pageWords; index++) if (words[index] !== 0) return false;
  return true;
}

const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

// Inlined by V8; an index is never out of bounds.
const word = (words: Int32Array, index: number): number => words[index] ?? 0;
