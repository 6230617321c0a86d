import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderBytes } from './folder.ts';

test('the lengths of files are added, and a file of two names is one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-folder-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'below'));
  await writeFile(join(folder, 'one'), 'x'.repeat(100));
  await writeFile(join(folder, 'below', 'two'), 'x'.repeat(11));
  await link(join(folder, 'one'), join(folder, 'below', 'other name of one'));
  assert.equal(await folderBytes(folder), 111);
  assert.equal(await folderBytes(join(folder, 'nothing')), 0);
});
