import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { integrityOf, pinnedMajors, unpackPinned } from './majors.ts';

test('only an archive with the pinned hash is unpacked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-majors-test-'));
  try {
    const archive = join(folder, 'archive.tgz');
    await writeFile(join(folder, 'word'), 'hello');
    execFileSync('tar', ['-czf', archive, '-C', folder, 'word']);
    const into = join(folder, 'into');
    await mkdir(into);
    const pin = { major: 17, version: '17.0.0', integrity: integrityOf(await readFile(archive)) };

    await assert.rejects(
      unpackPinned(archive, { ...pin, integrity: integrityOf(Buffer.from('another')) }, into),
      /not the pinned one/,
    );
    assert.deepEqual(await readdir(into), []);

    await unpackPinned(archive, pin, into);
    assert.equal(await readFile(join(into, 'word'), 'utf8'), 'hello');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('15, 16 and 17 are pinned for both platforms, each with a SHA-512', () => {
  for (const platform of ['linux-x64', 'linux-arm64']) {
    const pinned = pinnedMajors(platform);
    assert.deepEqual(
      pinned.map(({ major }) => major),
      [15, 16, 17],
    );
    for (const { major, version, integrity } of pinned) {
      assert.ok(version.startsWith(`${major}.`));
      assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/);
    }
  }
  assert.deepEqual(pinnedMajors('plan9-mips'), []);
});
