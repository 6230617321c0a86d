import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { scanCluster } from './scan.ts';

test('a file whose name is not UTF-8 is refused by name, and not taken for one that vanished', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-scan-'));
  try {
    await mkdir(join(folder, 'pg_tblspc'));
    await writeFile(join(folder, 'größe'), 'kept');
    const signal = new AbortController().signal;
    const { entries } = await scanCluster(folder, signal);
    assert.ok(entries.some(({ path }) => path === 'größe'));
    await writeFile(Buffer.concat([Buffer.from(`${folder}/gr`), Buffer.from([0xf6, 0xdf]), Buffer.from('e')]), 'x');
    await assert.rejects(scanCluster(folder, signal), (error) => {
      assert.ok(isSpillwayError(error, 'SPW_DATA_DIRECTORY'));
      assert.match(`${error.message} ${error.why}`, /gr\uFFFD+e .*not UTF-8/);
      return true;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
