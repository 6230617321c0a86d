import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import wabt from 'wabt';
import { allocatePages, pageSumModule, sumPage } from './page-sum.ts';

test('what is kept here is what its source assembles to', async () => {
  const assembler = await wabt();
  const file = join(import.meta.dirname, 'page-sum.wat');
  const module = assembler.parseWat(file, await readFile(file, 'utf8'), { simd: true });
  module.validate();
  assert.deepEqual(Buffer.from(module.toBinary({}).buffer), Buffer.from(pageSumModule()));
});

test('a page gives the same sum in memory of its own as anywhere else, at every offset', () => {
  const pages = allocatePages(256 * 1024);
  for (let at = 0; at < pages.length; at++) pages[at] = Math.imul(at, 0x9e3779b1) >>> 24;
  for (const [offset, bytes] of [
    [0, 8192],
    [8192, 8192],
    [4096, 32_768],
    [pages.length - 4096, 4096],
  ] as const) {
    const elsewhere = Buffer.from(Buffer.concat([Buffer.alloc(3), pages])).subarray(3);
    assert.equal(sumPage(pages, offset, bytes), sumPage(elsewhere, offset, bytes));
    assert.equal(sumPage(pages.subarray(offset), 0, bytes), sumPage(pages, offset, bytes));
  }
});

test('each buffer has memory of its own, as long as was asked', () => {
  const [first, second] = [allocatePages(1), allocatePages(200_000)];
  assert.deepEqual([first.length, second.length], [1, 200_000]);
  second.fill(7);
  first.fill(1);
  assert.equal(second[0], 7);
});
