// The tour of the README, run as it is written: its `sh tour` blocks, one after the other, in one shell and an empty folder.
//
// `npx spillway` is the program of this checkout. The shell stops at the first command that fails.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { freePort, labDown } from '@spillway/lab';

const TOUR_MS_MAX = 120_000;
const root = join(import.meta.dirname, '..');

test('the commands of the README’s tour work one after the other, and bring back what was deleted', async (t) => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```sh tour\n(.*?)^```$/gms)].map(([, block = '']) => block);
  assert.ok(blocks.length >= 6, 'the README has its tour');
  const folder = await mkdtemp(join(tmpdir(), 'spillway-readme-'));
  // The server's account must get through to its data directory.
  await chmod(folder, 0o755);
  t.after(async () => {
    await labDown({ folder: join(folder, '.lab'), name: 'main' }).catch((error: unknown) => {
      assert.ok(isSpillwayError(error, 'SPW_LAB'), 'the tour removed its lab itself');
    });
    await rm(folder, { recursive: true, force: true });
  });
  const script = ['set -e', 'npx() { shift; "$NODE" "$SPILLWAY" "$@"; }', ...blocks]
    .join('\n')
    .replaceAll('5544', String(await freePort()));
  const { code, out } = await shell(script, folder);
  assert.equal(code, 0, out);
  assert.match(out, /Recovery key, shown now and never again/);
  assert.match(out, /Backup [0-9a-f]{8} of lab is complete \(full\)/);
  assert.match(out, /lab can be recovered to any moment from/);
  assert.match(out, /\b100000\b/, 'the deleted rows are in the restored cluster');
});

/** A process group of its own, so that what the script left in the background ends with it. */
async function shell(script: string, folder: string): Promise<{ readonly code: number; readonly out: string }> {
  const program = process.env['PROGRAM_UNDER_TEST'] ?? join(root, 'packages/cli/bin/spillway.js');
  const environment = { ...process.env, NODE: process.execPath, SPILLWAY: program };
  const child = spawn('/bin/bash', ['-c', script], { cwd: folder, env: environment, detached: true });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (out += text.toString()));
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  };
  const timer = setTimeout(end, TOUR_MS_MAX);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return { code: code ?? 1, out };
  } finally {
    clearTimeout(timer);
    try {
      end();
    } catch (error) {
      // The whole group has ended already.
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
    }
  }
}
