// `wal push` as PostgreSQL calls it: a process in the data directory, whose exit code is all that counts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { walPushDocument } from '@spillway/contract/schemas';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, type Workplace } from './spawned.ts';

const SIZE = 1024 * 1024;
const PASSPHRASE = 'a passphrase of more than thirty-two characters';
const configuration = `
repository: { path: repository, passphrase: { file: passphrase } }
clusters:
  main:
    connection: { host: /nowhere, user: postgres }
`;

let place: Workplace;

const nameOf = (segment: number): string =>
  `0000000100000000000000${segment.toString(16).toUpperCase().padStart(2, '0')}`;

function segmentOf(segment: number): Buffer {
  const bytes = randomBytes(SIZE);
  bytes.writeUInt16LE(0xd10d + 3, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(segment * SIZE), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeBigUInt64LE(7_300_000_000_000_000_001n, 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

async function ready(segment: number): Promise<void> {
  await writeFile(join(place.folder, 'pg_wal', nameOf(segment)), segmentOf(segment));
  await writeFile(join(place.folder, 'pg_wal/archive_status', `${nameOf(segment)}.ready`), '');
}

const push = (segment: number, ...words: readonly string[]): Promise<Ended> =>
  place.run([...words, 'wal', 'push', `pg_wal/${nameOf(segment)}`]);

before(async () => {
  place = await makeWorkplace({ 'spillway.yaml': configuration, passphrase: PASSPHRASE });
  await mkdir(join(place.folder, 'repository'));
  await mkdir(join(place.folder, 'pg_wal/archive_status'), { recursive: true });
  const made = await place.run(['init']);
  assert.equal(made.code, 0, made.stderr);
  await lightenPassphrase(place.folder);
  for (const segment of [3, 4, 5]) await ready(segment);
});
after(() => place[Symbol.asyncDispose]());

test('a file is pushed, and those behind it; their own calls need no passphrase any more', async () => {
  const { code, stdout, stderr } = await push(3, '--json');
  assert.equal(code, 0, stderr);
  const document = walPushDocument.parse(JSON.parse(stdout));
  assert.deepEqual([document.file, document.outcome, document.ahead], [nameOf(3), 'stored', 2]);
  await rename(join(place.folder, 'passphrase'), join(place.folder, 'aside'));
  try {
    const next = await push(4, '--json');
    assert.equal(next.code, 0, next.stderr);
    assert.equal(walPushDocument.parse(JSON.parse(next.stdout)).outcome, 'pushed-ahead');
    await ready(6);
    assert.equal((await push(6)).code, 2, 'what was not pushed yet needs it');
  } finally {
    await rename(join(place.folder, 'aside'), join(place.folder, 'passphrase'));
  }
});

test('without a mark the same content again is success, and says nothing', async () => {
  await rm(join(place.folder, 'pg_wal/.spillway-pushed'), { recursive: true });
  const { code, stdout, stderr } = await push(5);
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});

test('the call for a file that was pushed ahead is answered at once, while everything is as it was', async () => {
  for (const segment of [10, 11]) await ready(segment);
  assert.equal((await push(10)).code, 0);
  const words = ['wal', 'push', `pg_wal/${nameOf(11)}`];
  const script = `import(${JSON.stringify(join(import.meta.dirname, '../src/pushed.ts'))}).then(({ wasPushedAhead }) => process.exit(wasPushedAhead(process.argv.slice(1)) ? 0 : 7))`;
  const asked = async (
    given: readonly string[] = words,
    options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<boolean> => {
    const child = spawn(process.execPath, ['-e', script, '--', ...given], { cwd: place.folder, env: {}, ...options });
    const [code] = (await once(child, 'exit')) as [number];
    assert.ok(code === 0 || code === 7, String(code));
    return code === 0;
  };
  assert.ok(await asked());
  assert.equal(await asked(['--quiet', ...words]), false, 'asked with other words');
  assert.equal(await asked(['wal', 'push', `pg_wal/${nameOf(12)}`]), false, 'for a file that is not there');
  assert.equal(await asked(words, { env: { SPILLWAY_CLUSTER: 'other' } }), false, 'for another cluster');
  assert.equal(await asked(words, { cwd: join(place.folder, 'pg_wal') }), false, 'in another folder');

  const [wal] = (await readdir(join(place.folder, 'repository'), { recursive: true })).filter((path) =>
    path.endsWith(nameOf(11)),
  );
  const object = join(place.folder, 'repository', wal ?? '');
  await rename(object, `${object}-gone`);
  assert.equal(await asked(), false, 'the repository lost it');
  await writeFile(object, 'short');
  assert.equal(await asked(), false, 'the repository has it with another length');
  await rename(`${object}-gone`, object);
  assert.ok(await asked());

  const mark = join(place.folder, 'pg_wal/.spillway-pushed', `${nameOf(11)}.ok`);
  const marked = await readFile(mark);
  await writeFile(mark, marked.subarray(0, 40));
  assert.equal(await asked(), false, 'the mark is cut short');
  await writeFile(mark, marked);
  assert.ok(await asked());
  await writeFile(join(place.folder, 'spillway.yaml'), configuration);
  assert.equal(await asked(), false, 'the configuration was written anew');
  await writeFile(join(place.folder, 'pg_wal', nameOf(11)), segmentOf(11));
  assert.equal((await push(11)).code, 15, 'the file is another one now');
});

test('each failure has an exit code that PostgreSQL counts, and names the file', async () => {
  await writeFile(join(place.folder, 'pg_wal', nameOf(5)), segmentOf(5));
  const conflict = await push(5);
  assert.equal(conflict.code, 15, conflict.stderr);
  assert.match(conflict.stderr, new RegExp(`${nameOf(5)}.*was refused[^]*SPW_WAL_CONFLICT`));
  await writeFile(join(place.folder, 'pg_wal', nameOf(7)), segmentOf(8));
  const invalid = await push(7);
  assert.equal(invalid.code, 1, invalid.stderr);
  assert.match(invalid.stderr, new RegExp(nameOf(7)));
  await rename(join(place.folder, 'repository'), join(place.folder, 'aside'));
  for (const segment of [4, 6]) {
    const { code, stderr } = await push(segment);
    assert.ok(code !== null && code >= 1 && code <= 125, `${code}: ${stderr}`);
  }
  await rename(join(place.folder, 'aside'), join(place.folder, 'repository'));
  for (const words of [
    ['wal', 'push'],
    ['wal', 'push', '--nonsense', 'x'],
    ['--config', 'none.yaml', 'wal', 'push', 'x'],
  ]) {
    assert.equal((await place.run(words)).code, 2);
  }
});

test('stopped by a signal it fails with a code that is counted too', async () => {
  await ready(9);
  const { child, ended } = place.start(['wal', 'push', `pg_wal/${nameOf(9)}`]);
  // As soon as it listens to signals it can be told to stop.
  const timer = setInterval(() => child.kill('SIGTERM'), 20);
  const { code, signal } = await ended;
  clearInterval(timer);
  // Before it listens a signal ends it as any process; after it is done there is nothing to stop.
  assert.ok(signal === 'SIGTERM' || code === 0 || code === 1, `${code} ${signal}`);
  assert.equal((await push(9)).code, 0);
  const spool = await readdir(join(place.folder, 'pg_wal/.spillway-pushed'));
  assert.ok(spool.includes(`${nameOf(9)}.ok`));
});
