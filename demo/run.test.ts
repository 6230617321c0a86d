// The whole demonstration at small scale, as a person runs it: it ends well, tells its figures, and leaves nothing.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { s3ServerInstalled } from '@spillway/lab';

test('the story ends well, its last line is the figures, and nothing of it stays', async () => {
  await withOwnTemporaryFolder(async (folder) => {
    const { child, stdout, stderr } = startDemo(folder, ['--scale', 'small', '--seed', '5', '--json']);
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, await stderr);
    const outcome = JSON.parse((await stdout).trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
    for (const figure of [
      'rto_seconds',
      'acknowledged_commits',
      'backup_bytes_per_second',
      'restore_bytes_per_second',
    ]) {
      assert.ok(typeof outcome[figure] === 'number' && outcome[figure] > 0, `${figure} is ${String(outcome[figure])}`);
    }
    assert.ok(typeof outcome['rpo_seconds'] === 'number' && typeof outcome['lost_commits'] === 'number');
    assert.deepEqual([outcome['ok'], outcome['undo_rows_equal'], outcome['history_rows_equal']], [true, true, true]);
    assert.match(String(outcome['drill_record']), /^clusters\/water\/evidence\/\d{12}$/);
    // Told to a file, the story has no colours.
    assert.equal((await stderr).includes(String.fromCharCode(27)), false);
    assert.deepEqual(await leftIn(folder), []);
  });
});

if (s3ServerInstalled()) {
  test('it ends as well with the repository in a bucket, whose server it starts and ends', async () => {
    await withOwnTemporaryFolder(async (folder) => {
      const { child, stdout, stderr } = startDemo(folder, [
        '--scale',
        'small',
        '--storage',
        's3',
        '--seed',
        '6',
        '--json',
      ]);
      const [code] = (await once(child, 'exit')) as [number | null];
      assert.equal(code, 0, await stderr);
      const outcome = JSON.parse((await stdout).trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
      assert.deepEqual([outcome['ok'], outcome['storage'], outcome['history_rows_equal']], [true, 's3', true]);
      assert.match(await stderr, /in the bucket water-backups of an S3 server at http:/);
      assert.deepEqual(await leftIn(folder), []);
    });
  });
}

test('Ctrl-C in the midst of it ends and removes everything', async () => {
  await withOwnTemporaryFolder(async (folder) => {
    const { child, stderr } = startDemo(folder, ['--scale', 'small']);
    child.stdout?.on('data', (piece: unknown) => {
      if (String(piece).includes('clients write')) child.kill('SIGINT');
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 130, await stderr);
    assert.deepEqual(await leftIn(folder), []);
  });
});

test('wrong words are answered with how it is called', async () => {
  const { child, stderr } = startDemo(tmpdir(), ['--scale', 'enormous']);
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 2);
  assert.match(await stderr, /there is no scale enormous\nusage: /);
});

function startDemo(
  temporary: string,
  words: readonly string[],
): { readonly child: ChildProcess; readonly stdout: Promise<string>; readonly stderr: Promise<string> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  return { child, stdout: text(child.stdout), stderr: text(child.stderr) };
}

/** Everything but the cache of programs. */
async function leftIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !/^spillway-lab-\d+$/.test(name));
}

async function withOwnTemporaryFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'spw-'));
  // The server's account passes through it.
  await chmod(folder, 0o755);
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
