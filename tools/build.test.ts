// The release is made, is whole, and runs by itself.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');

// In the checkout, so that what stays a dependency is found.
const folder = await mkdtemp(join(ROOT, 'release-of-test-'));
after(() => rm(folder, { recursive: true }));
await run(process.execPath, [join(ROOT, 'tools', 'build.ts'), folder]);
const program = join(folder, 'bin', 'spillway.js');

test('every worker that anything starts lies beside it', async () => {
  const names = new Set(await readdir(join(folder, 'dist')));
  const started = new Set<string>();
  for (const name of names) {
    const code = await readFile(join(folder, 'dist', name), 'utf8');
    for (const [, worker = ''] of code.matchAll(/new URL\(\s*["']\.\/([\w.-]+)["'],\s*import\.meta\.url/g))
      started.add(worker);
  }
  assert.deepEqual(
    [...started].filter((name) => !names.has(name)),
    [],
  );
  const workers = [...names].filter((name) => name.endsWith('-worker.js'));
  assert.deepEqual(
    workers.filter((name) => !started.has(name)),
    [],
  );
  assert.ok(workers.length >= 8, workers.join());
});

test('what a process keeps of its sources is small: a byte a character, and of zod no language but ours', async () => {
  const [wide, languages]: [string[], string[]] = [[], []];
  for (const name of await readdir(join(folder, 'dist'))) {
    if (!name.endsWith('.js')) continue;
    const code = await readFile(join(folder, 'dist', name), 'latin1');
    if (/[^\0-\x7f]/.test(code)) wide.push(name);
    languages.push(...(code.match(/zod\/v4\/locales\/[\w-]+(?=\.js)/g) ?? []));
  }
  assert.deepEqual(wide, []);
  assert.deepEqual(languages, ['zod/v4/locales/en']);
});

test('it says what it is, makes a repository and tells its errors', async () => {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { readonly version: string };
  assert.equal((await run(process.execPath, [program, '--version'])).stdout.trim(), manifest.version);
  await writeFile(join(folder, 'passphrase'), 'a passphrase of more than 32 characters', { mode: 0o600 });
  await writeFile(
    join(folder, 'spillway.yaml'),
    'repository: { path: repository, passphrase: { file: passphrase } }\n',
  );
  const words = [program, '--config', join(folder, 'spillway.yaml')];
  assert.match((await run(process.execPath, [...words, 'init'], { cwd: folder })).stdout, /Recovery key/);
  assert.match((await run(process.execPath, [...words, 'key', 'list'], { cwd: folder })).stdout, /passphrase/);
  await assert.rejects(run(process.execPath, [...words, 'nonsense'], { cwd: folder }), { code: 2 });
});

test('an installation that lacks its modules ends with 150, as a restore_command must', async () => {
  await rm(join(folder, 'dist'), { recursive: true });
  await assert.rejects(run(process.execPath, [program, '--version']), (error: unknown) => {
    const { code, stderr } = error as { readonly code: number; readonly stderr: string };
    return code === 150 && /cannot start/.test(stderr);
  });
});
