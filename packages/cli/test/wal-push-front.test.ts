// `spillway-push`, the shell in front of `wal push`: what it answers itself, with one other process, and what it hands on.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { noteAsked } from '../src/commands/pushed-ahead.ts';
import { mainFile, makeWorkplace, type Workplace } from './spawned.ts';

const FRONT = join(import.meta.dirname, '../bin/spillway-push');
const SIZE = 1024 * 1024;
const WITHIN_MS = 60_000;
const SECRET = 'a secret of the environment, long enough to be one';

let place: Workplace;
let shells: readonly string[] = [];
/** What the shell was asked, in its own words, and the object that holds 4. */
let front = '';
let object = '';
let list = '';

const nameOf = (segment: number): string =>
  `0000000100000000000000${segment.toString(16).toUpperCase().padStart(2, '0')}`;
const wal = (segment: number): string => join(place.folder, 'pg_wal', nameOf(segment));
const spool = (entry: string): string => join(place.folder, 'pg_wal/.spillway-pushed', entry);

async function ready(segment: number): Promise<void> {
  const bytes = randomBytes(SIZE);
  bytes.writeUInt16LE(0xd118, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(segment * SIZE), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeBigUInt64LE(7_300_000_000_000_000_001n, 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  await writeFile(wal(segment), bytes);
  await writeFile(join(place.folder, 'pg_wal/archive_status', `${nameOf(segment)}.ready`), '');
}

interface Call {
  readonly words?: readonly string[];
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly shell?: string;
}

/** Calls it as archive_command does; the command behind it writes down that it ran, and does something only where `real` is. */
async function call(segment: number, own: Call = {}): Promise<{ readonly code: number; readonly ran: boolean }> {
  await rm(join(place.folder, 'ran'), { force: true });
  const words = [
    FRONT,
    join(place.folder, 'command'),
    '--config',
    join(place.folder, 'spillway.yaml'),
    ...(own.words ?? []),
    'wal',
    'push',
    own.path ?? `pg_wal/${nameOf(segment)}`,
  ];
  const code = await new Promise<number>((resolve) => {
    const options = {
      cwd: own.cwd ?? place.folder,
      env: {
        PATH: `${place.folder}/bin:${process.env['PATH']}`,
        HOME: place.folder,
        SPILLWAY_SECRET: SECRET,
        ...own.environment,
      },
    };
    execFile(own.shell ?? '/bin/sh', words, options, (error) => resolve(error === null ? 0 : Number(error.code)));
  });
  return { code, ran: await isThere(join(place.folder, 'ran')) };
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + WITHIN_MS; !(await holds()); await pause(10)) {
    assert.ok(performance.now() < deadline, `no ${what}`);
  }
}

const configuration = `
repository: { path: repository, passphrase: { env: SPILLWAY_SECRET } }
clusters:
  main: { connection: { host: /nowhere, user: postgres } }
`;

before(async () => {
  place = await makeWorkplace({ 'spillway.yaml': configuration });
  list = spool(`${nameOf(4)}.seen`);
  await mkdir(join(place.folder, 'repository'));
  await mkdir(join(place.folder, 'bin'));
  await mkdir(join(place.folder, 'pg_wal/archive_status'), { recursive: true });
  const counting = `#!/bin/sh\necho x >> ${place.folder}/stats\nPATH=${process.env['PATH']} exec stat "$@"\n`;
  await writeFile(join(place.folder, 'bin/stat'), counting, { mode: 0o755 });
  const command = `#!/bin/sh\n: > ${place.folder}/ran\nif [ -e ${place.folder}/real ]; then exec ${process.execPath} ${mainFile} "$@"; fi\n`;
  await writeFile(join(place.folder, 'command'), command, { mode: 0o755 });
  for (const path of ['bin/stat', 'command']) await chmod(join(place.folder, path), 0o755);
  const made = await place.run(['init'], { SPILLWAY_SECRET: SECRET });
  assert.equal(made.code, 0, made.stderr);
  // 3 is pushed, and 4 and 5 ahead of their calls, in the same process: two are not worth another one.
  for (const segment of [3, 4, 5]) await ready(segment);
  await writeFile(join(place.folder, 'real'), '');
  assert.deepEqual(await call(3), { code: 0, ran: true });
  await rm(join(place.folder, 'real'));
  [front = ''] = (await readFile(list, 'utf8')).split('\n');
  const stored = await readdir(join(place.folder, 'repository'), { recursive: true });
  object = stored.find((path) => path.endsWith(nameOf(4))) ?? '';
  const found: string[] = [];
  for (const shell of ['/bin/sh', '/bin/bash', '/bin/dash']) if (await isThere(shell)) found.push(shell);
  shells = found;
});
after(() => place[Symbol.asyncDispose]());

/** As the real push left it: the first test shows that. */
async function lay(): Promise<void> {
  const file = join(place.folder, 'spillway.yaml');
  const root = join(place.folder, 'repository');
  await rm(spool(''), { recursive: true, force: true });
  await ready(4);
  await rm(join(root, object), { force: true });
  await writeFile(join(root, object), 'an object');
  const onStored = await noteAsked({
    words: ['--config', file, 'wal', 'push', `pg_wal/${nameOf(3)}`],
    front,
    path: wal(3),
    cluster: 'main',
    file,
    configuration: await stat(file, { bigint: true }),
    root,
  });
  await onStored(nameOf(4), await stat(wal(4), { bigint: true }), [{ name: object, storedBytes: 9 }]);
}

test('a file that was pushed ahead is answered by the shell and one stat, in every shell there is', async () => {
  for (const shell of shells) {
    await rm(join(place.folder, 'stats'), { force: true });
    assert.deepEqual(await call(4, { shell }), { code: 0, ran: false }, shell);
    assert.equal(await readFile(join(place.folder, 'stats'), 'utf8'), 'x\n', shell);
  }
  assert.deepEqual(await call(3), { code: 0, ran: false }, 'the file that was asked for itself, too');
});

test('nothing that was noted holds a secret of the environment', async () => {
  const entries = await readdir(spool(''));
  assert.ok(entries.includes('asked.json') && entries.includes(`${nameOf(4)}.seen`));
  for (const entry of entries) assert.ok(!(await readFile(spool(entry), 'utf8')).includes(SECRET), entry);
});

const nothing = (): Promise<void> => Promise.resolve();
const cut = async (change: (text: string) => string): Promise<void> =>
  writeFile(list, change(await readFile(list, 'utf8')));
const stored = (): string => join(place.folder, 'repository', object);

const differences: readonly (readonly [what: string, act: () => Promise<unknown>, call?: () => Call])[] = [
  ['other words', nothing, () => ({ words: ['--quiet'] })],
  ['a document is wanted', nothing, () => ({ words: ['--json'] })],
  ['another cluster in the environment', nothing, () => ({ environment: { SPILLWAY_CLUSTER: 'other' } })],
  ['another configuration in the environment', nothing, () => ({ environment: { SPILLWAY_CONFIG: 'other' } })],
  ['a setting in the environment', nothing, () => ({ environment: { SPILLWAY_REPOSITORY__PATH: '/other' } })],
  ['another folder', nothing, () => ({ cwd: join(place.folder, 'bin'), path: `../pg_wal/${nameOf(4)}` })],
  ['the same file by another way', nothing, () => ({ path: `./pg_wal/${nameOf(4)}` })],
  ['a file that was not pushed', nothing, () => ({ path: `pg_wal/${nameOf(9)}` })],
  ['a list without its end', () => cut((text) => text.replace(/end\n$/, ''))],
  ['a list that names no object', () => cut((text) => text.split('\n').toSpliced(3, 1).join('\n'))],
  ['a list of another question', () => cut((text) => `x${text}`)],
  ['an empty list', () => writeFile(list, '')],
  ['a list of another file', () => copyFile(list, spool(`${nameOf(5)}.seen`)), () => ({ path: `pg_wal/${nameOf(5)}` })],
  [
    'a list by another name',
    async () => {
      await rename(list, spool('kept'));
      await symlink('kept', list);
    },
  ],
  [
    'the same bytes and times in another file',
    async () => {
      const [bytes, { atime, mtime }] = [await readFile(wal(4)), await stat(wal(4))];
      await rename(wal(4), `${wal(4)}-before`);
      await writeFile(wal(4), bytes);
      await utimes(wal(4), atime, mtime);
    },
  ],
  [
    'a file that was touched and has its time again',
    async () => {
      const { atime, mtime } = await stat(wal(4));
      await utimes(wal(4), atime, mtime);
    },
  ],
  ['an object that is gone', () => rm(stored())],
  [
    'an object that is shorter',
    async () => {
      await rm(stored());
      await writeFile(stored(), 'short');
    },
  ],
  ['a configuration that was written anew', () => writeFile(join(place.folder, 'spillway.yaml'), configuration)],
  ...(process.getuid?.() === 0 ? [['a list of another account', () => chown(list, 65_534, 65_534)] as const] : []),
];

for (const [what, act, own] of differences) {
  test(`goes to the command: ${what}`, async () => {
    await lay();
    assert.deepEqual(await call(4), { code: 0, ran: false }, 'before');
    await act();
    assert.deepEqual(await call(4, own?.()), { code: 0, ran: true });
  });
}

test('while a push is at work behind, its mark is waited for; one that is dead, or leaves the file to its call, is not', async () => {
  await lay();
  const kept = spool('kept');
  await rename(list, kept);
  // Whoever writes it begins with a number, and this very process lives.
  await writeFile(spool('pusher'), `${process.pid} 17\n`);
  const slept = join(place.folder, 'slept');
  const sleeping = `#!/bin/sh\n: > ${slept}\nPATH=${process.env['PATH']} exec sleep "$@"\n`;
  await writeFile(join(place.folder, 'bin/sleep'), sleeping, { mode: 0o755 });
  const waiting = call(4);
  await until('look again', () => isThere(slept));
  await rename(kept, list);
  assert.deepEqual(await waiting, { code: 0, ran: false });

  await rename(list, kept);
  await writeFile(spool(`${nameOf(4)}.left`), '');
  assert.deepEqual(await call(4), { code: 0, ran: true });
  await rm(spool(`${nameOf(4)}.left`));
  await writeFile(spool('pusher'), '99999999 17\n');
  assert.deepEqual(await call(4), { code: 0, ran: true });
});

test('where many files wait a process in the background pushes them, and ends', async () => {
  await rm(join(place.folder, 'repository/clusters'), { recursive: true });
  await rm(spool(''), { recursive: true });
  const segments = Array.from({ length: 8 }, (_, i) => 16 + i);
  for (const segment of segments) await ready(segment);
  await writeFile(join(place.folder, 'real'), '');
  assert.deepEqual(await call(16), { code: 0, ran: true });
  await rm(join(place.folder, 'real'));
  for (const segment of segments) assert.deepEqual(await call(segment), { code: 0, ran: false }, String(segment));
  await until('end of it', async () => !(await isThere(spool('pusher'))));
});
