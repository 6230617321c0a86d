import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeRemains } from './remains.ts';

const DAY_MS = 86_400_000;

test('what was not written to for a day goes, anything younger stays', async () => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-remains-'));
  try {
    const location = { kind: 'filesystem', path } as const;
    assert.equal(await removeRemains(location, DAY_MS), 0);
    await mkdir(join(path, '.incoming'));
    for (const [name, hours] of [
      ['old', 25],
      ['young', 23],
      ['new', 0],
    ] as const) {
      const file = join(path, '.incoming', name);
      await writeFile(file, name);
      const at = Date.now() / 1000 - hours * 3600;
      await utimes(file, at, at);
    }
    assert.equal(await removeRemains(location, DAY_MS), 1);
    assert.deepEqual((await readdir(join(path, '.incoming'))).toSorted(), ['new', 'young']);
  } finally {
    await rm(path, { recursive: true });
  }
});
