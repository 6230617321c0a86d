// The whole demonstration at small scale, as a person runs it: it ends well, tells its figures, and leaves nothing.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { OverviewDocument } from '@spillway/contract';
import { s3ServerInstalled } from '@spillway/lab';

test('at a terminal the story ends well and tells its figures, the console stays open over live data, and Ctrl-C leaves nothing', async () => {
  await withOwnTemporaryFolder(async (folder) => {
    const { child, stdout } = startDemo(folder, ['--scale', 'small', '--seed', '5', '--json'], 'at a terminal');
    const asked = askConsole(child);
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, await stdout);
    const [line = ''] = /^\{"ok".*\}$/m.exec((await stdout).replaceAll('\r', '')) ?? [];
    const outcome = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(await asked, { page: 200, name: 'water', recoverable: true, isNow: true, verdict: 'met' });
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
    assert.deepEqual([outcome['rot_found'], Number(outcome['console_seconds']) > 0], [true, true]);
    assert.deepEqual(await leftIn(folder), []);
    assert.deepEqual(await processesOf(folder), []);
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
    const { child, stdout, stderr } = startDemo(folder, ['--scale', 'small']);
    child.stdout?.on('data', (piece: unknown) => {
      if (String(piece).includes('clients write')) child.kill('SIGINT');
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 130, await stderr);
    // Told to a file, the story has no colours.
    assert.equal((await stdout).includes(String.fromCharCode(27)), false);
    assert.deepEqual(await leftIn(folder), []);
    assert.deepEqual(await processesOf(folder), []);
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
  where: 'at a terminal' | 'in the background' = 'in the background',
): { readonly child: ChildProcess; readonly stdout: Promise<string>; readonly stderr: Promise<string> } {
  const command = [process.execPath, join(import.meta.dirname, 'run.ts'), ...words];
  // script(1) gives it a terminal, tells what is written there, and passes on what is typed. Without exec the shell that
  // script starts would stand between: Ctrl-C reaches it too, and dash then ends with 130 whatever the demo ended with.
  const [program = '', ...given] =
    where === 'at a terminal' ? ['script', '-qec', `exec ${command.join(' ')}`, '/dev/null'] : command;
  const child = spawn(program, given, {
    stdio: [where === 'at a terminal' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, SHELL: '/bin/sh', TMPDIR: temporary },
  });
  return { child, stdout: text(child.stdout ?? Readable.from([])), stderr: text(child.stderr ?? Readable.from([])) };
}

/** Opens the link when it is told, asks what the first screen asks, and types Ctrl-C. */
async function askConsole({ stdin, stdout }: ChildProcess): Promise<object> {
  let told = '';
  const [, url = '', token = ''] = await new Promise<RegExpExecArray>((resolve, reject) => {
    stdout?.on('data', (piece: unknown) => {
      told += String(piece);
      const found = /(http:\/\/127\.0\.0\.1:\d+)\/#token=(spw_[\w-]+)/.exec(told);
      if (found !== null && told.includes('Ctrl-C')) resolve(found);
    });
    stdout?.on('close', () => reject(new Error('it ended before it told an address')));
  });
  const page = await fetch(url, { headers: { accept: 'text/html' } });
  const answer = await fetch(`${url}/api/v1/overview`, { headers: { authorization: `Bearer ${token}` } });
  const { clusters } = (await answer.json()) as OverviewDocument;
  stdin?.write('\u0003');
  const [water] = clusters;
  const age = Date.now() - Date.parse(water?.standing?.at ?? '');
  return {
    page: page.status,
    name: water?.name,
    recoverable: water?.recoverable,
    isNow: age < 60_000,
    verdict: water?.standing?.verdict,
  };
}

/** Command lines that name the folder. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(numbers.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(folder));
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
