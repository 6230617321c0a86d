import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checksumPage, pageLsn, verifyPages } from './page.ts';

const pageSizes = [4096, 8192, 16_384, 32_768];

/** The definition, word by word, as in checksum_impl.h; slow and plain. */
function definition(page: Uint8Array, block: number): number {
  const bases = [
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
    0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
    0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
    0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
  ];
  const sums = bases.map(BigInt);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const round = (column: number, value: bigint): void => {
    const mixed = (sums[column] ?? 0n) ^ value;
    sums[column] = ((mixed * 16_777_619n) & 0xffffffffn) ^ (mixed >> 17n);
  };
  for (let at = 0; at < page.byteLength; at += 4) {
    const value = at === 8 ? view.getUint32(at, true) & 0xffff0000 : view.getUint32(at, true);
    round((at / 4) % 32, BigInt(value >>> 0));
  }
  for (let column = 0; column < 64; column++) round(column % 32, 0n);
  const folded = sums.reduce((left, right) => left ^ right, 0n) ^ BigInt(block);
  return Number((folded % 65_535n) + 1n);
}

function damaged(bytes: Uint8Array, firstBlock: number, pageSize?: number): readonly number[] {
  const blocks: number[] = [];
  verifyPages(bytes, firstBlock, (block) => blocks.push(block), pageSize);
  return blocks;
}

/** A page of pseudo-random bytes with its right sum. */
function makePage(seed: number, block: number, pageSize: number): Uint8Array {
  const page = Uint8Array.from({ length: pageSize }, (_, index) => Math.imul(index + seed, 0x9e3779b1) >>> 13);
  new DataView(page.buffer).setUint16(8, checksumPage(page, 0, block, pageSize), true);
  return page;
}

test('the sum is that of the definition, for every page size and block number', () => {
  for (const pageSize of pageSizes) {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 0xffff_fffe }), (seed, block) => {
        const page = makePage(seed, block, pageSize);
        assert.equal(checksumPage(page, 0, block, pageSize), definition(page, block));
      }),
      { numRuns: 10 },
    );
  }
});

test('a flipped bit anywhere in a page is found, and the page is left as it was', () => {
  for (const pageSize of pageSizes) {
    fc.assert(
      fc.property(fc.nat(pageSize - 1), fc.nat(7), fc.nat(1000), (at, bit, block) => {
        const page = makePage(at, block, pageSize);
        assert.deepEqual(damaged(page, block, pageSize), []);
        page[at] = (page[at] ?? 0) ^ (1 << bit);
        const before = page.slice();
        assert.deepEqual(damaged(page, block, pageSize), [block]);
        assert.deepEqual(page, before);
      }),
      // The same cases each time: once in 65,535 a changed page has the old sum by chance.
      { numRuns: 50, seed: 1 },
    );
  }
});

test('pages that changed places are found', () => {
  const both = Buffer.concat([makePage(1, 7, 8192), makePage(2, 6, 8192)]);
  assert.deepEqual(damaged(both, 6), [6, 7]);
});

test('a new page is valid, one that has only lost its head is not', () => {
  const page = new Uint8Array(8192);
  assert.deepEqual(damaged(page, 3), []);
  page[8191] = 1;
  assert.deepEqual(damaged(page, 3), [3]);
});

test('the position of the last change is read as two halves', () => {
  const page = new Uint8Array(16);
  new DataView(page.buffer).setUint32(8, 0x16, true);
  new DataView(page.buffer).setUint32(12, 0xb374d848, true);
  assert.equal(pageLsn(page, 8), 0x16_b374d848n);
});
