// `npm test` that is told to stop: servers and files of its tests are gone before it is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { descendantsOf, isAlive } from '@spillway/lab';

const POLL_MS = 20;
const TRIES_MAX = 1500;

test('SIGTERM ends the tests with the servers that they started, and removes what they made', async () => {
  // Not within the folder of our own run: the paths of its servers' sockets would become too long.
  const folder = await mkdtemp('/tmp/spw-');
  await chmod(folder, 0o755);
  // It needs no release, and makes none where it is told of one; and it is no test of ours, which would run no tests.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const SPILLWAY_LAB_CACHE = join(tmpdir(), `spillway-lab-${process.getuid?.() ?? 0}`);
  const environment = { PROGRAM_UNDER_TEST: 'none', SPILLWAY_LAB_CACHE, ...inherited, TMPDIR: folder };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'test.ts'), 'lab/test/cluster'], {
    stdio: 'ignore',
    env: environment,
  });
  try {
    const ended = once(child, 'exit');
    const commands = (): Promise<readonly string[]> =>
      Promise.all(
        descendantsOf(child.pid ?? 0).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
      );
    for (let tries = 0; !(await commands()).some((words) => words.includes(`postgres\0-D\0${folder}`)); tries++) {
      assert.ok(tries < TRIES_MAX && child.exitCode === null, 'no server was started');
      await pause(POLL_MS);
    }
    const family = descendantsOf(child.pid ?? 0);
    assert.ok(family.length >= 2, `${family.length} processes`);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [143, null]);
    assert.deepEqual(family.filter(isAlive), []);
    assert.deepEqual(await readdir(folder), []);
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});
