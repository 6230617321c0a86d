import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
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
    assert.ok([...entries].some(({ path }) => path === 'größe'));
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

for (const name of ['base/5', 'pg_xact', 'global/1262', 'extra.conf', 'log']) {
  const data = name !== 'extra.conf' && name !== 'log';
  test(`a link in the place of ${name} is ${data ? 'refused, because data lies behind it' : 'kept as a link'}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spillway-scan-'));
    try {
      for (const each of ['pg_tblspc', 'base', 'global']) await mkdir(join(folder, each));
      await symlink('/elsewhere', join(folder, name));
      const scanning = scanCluster(folder, new AbortController().signal);
      if (data) {
        await assert.rejects(
          scanning,
          (error) => isSpillwayError(error, 'SPW_DATA_DIRECTORY') && /elsewhere/.test(error.why ?? ''),
        );
      } else {
        const { entries } = await scanning;
        assert.ok([...entries].some((entry) => entry.kind === 'link' && entry.path === name));
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
