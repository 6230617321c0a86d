import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mirrorFolder } from './mirror.ts';

test('a copy is brought up to date, and what did not change keeps its inode and times', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'spillway-mirror-'));
  t.after(() => rm(root, { recursive: true }));
  const [from, to] = [join(root, 'from'), join(root, 'to')];
  await mkdir(join(from, 'base', '5'), { recursive: true });
  await mkdir(join(from, 'pg_wal'));
  await mkdir(to);
  await writeFile(join(from, 'base', '5', 'same'), 'same');
  await writeFile(join(from, 'base', '5', 'changed'), 'before');
  await writeFile(join(from, 'base', 'gone'), 'gone');
  await writeFile(join(from, 'pg_wal', '0001'), 'not wanted');
  await symlink('/elsewhere', join(from, 'link'));
  const { signal } = new AbortController();
  const mirror = (): Promise<void> => mirrorFolder(from, to, (path) => path !== 'pg_wal/0001', signal);
  await mirror();
  const before = await stat(join(to, 'base', '5', 'same'));
  await rm(join(from, 'base', 'gone'));
  // The same length, and another time.
  await writeFile(join(from, 'base', '5', 'changed'), 'after!');
  await utimes(join(from, 'base', '5', 'changed'), 1000, 2000.25);
  await mirror();
  const after = await stat(join(to, 'base', '5', 'same'));
  assert.deepEqual([after.ino, after.mtimeMs, after.ctimeMs], [before.ino, before.mtimeMs, before.ctimeMs]);
  assert.equal(await readFile(join(to, 'base', '5', 'changed'), 'utf8'), 'after!');
  assert.equal((await stat(join(to, 'base', '5', 'changed'))).mtimeMs, 2_000_250);
  assert.deepEqual(await readdir(join(to, 'base')), ['5']);
  assert.deepEqual(await readdir(join(to, 'pg_wal')), []);
  assert.equal(await readlink(join(to, 'link')), '/elsewhere');
});
