import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../postgres/lsn.ts';
import { damagedPages, WrongPages } from './wrong-pages.ts';

const range = { startLsn: lsn(100n), stopLsn: lsn(200n) };

test('a page that replay writes anew is no damage; one of before or after the backup is', () => {
  const wrong = new WrongPages();
  for (const [block, at] of [99n, 100n, 200n, 201n].entries()) wrong.add({ path: 'base/5/1', block, lsn: at });
  assert.deepEqual(damagedPages(wrong.all, range, 10), {
    pages: [
      { file: 'base/5/1', block: 0 },
      { file: 'base/5/1', block: 3 },
    ],
    count: 2,
  });
});

test('a million wrong pages are counted, and a bounded number is kept; as many are named as are wanted', () => {
  const wrong = new WrongPages();
  for (let block = 0; block < 1_000_000; block++) wrong.add({ path: 'base/5/1', block, lsn: 1n });
  assert.ok(wrong.all.wrongPages.length < 50_000);
  const { pages, count } = damagedPages(wrong.all, range, 1000);
  assert.equal(count, 1_000_000);
  assert.equal(pages.length, 1000);
});
