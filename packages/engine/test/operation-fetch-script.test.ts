// The script of restore_command, run by the real shell as PostgreSQL runs it: each answer has its exit code, and only
// "there is no such file" is 1.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, test } from 'node:test';
import {
  FEEDER_FILE,
  FETCH_SCRIPT,
  fetchScript,
  LAID_FILE,
  NAMES_FILE,
  RECOVERY_FOLDER,
  TAKEN_FOLDER,
} from '../src/operation/restore/fetch-script.ts';

const SEGMENT = '000000010000000000000003';
const NOT_ASKED = 'echo asked >> asked; exit 99';
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spillway-script-'));
  await mkdir(join(directory, TAKEN_FOLDER), { recursive: true });
  await mkdir(join(directory, 'pg_wal'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function ask(fallback: string, name = SEGMENT, destination = 'pg_wal/RECOVERYXLOG'): Promise<number | null> {
  await writeFile(join(directory, FETCH_SCRIPT), fetchScript(fallback));
  const { status, signal } = spawnSync('sh', [FETCH_SCRIPT, name, destination], { cwd: directory, encoding: 'utf8' });
  assert.equal(signal, null);
  return status;
}

const put = (path: string, text: string): Promise<void> => writeFile(join(directory, path), text);
const got = (): Promise<string> => readFile(join(directory, 'pg_wal/RECOVERYXLOG'), 'utf8');
const there = (path: string): boolean => existsSync(join(directory, path));

test('a file that lies ready is moved, and kept as taken', async () => {
  await put(`${RECOVERY_FOLDER}/${SEGMENT}`, 'ready');
  assert.equal(await ask(NOT_ASKED), 0);
  assert.equal(await got(), 'ready');
  assert.equal(there(`${RECOVERY_FOLDER}/${SEGMENT}`), false);
  assert.equal(await readFile(join(directory, TAKEN_FOLDER, SEGMENT), 'utf8'), 'ready');
  assert.equal(there('asked'), false);
});

test('a file that was taken is given again, as often as it is asked for', async () => {
  await put(`${TAKEN_FOLDER}/${SEGMENT}`, 'taken');
  for (const _ of [1, 2]) {
    await put('pg_wal/RECOVERYXLOG', '');
    assert.equal(await ask(NOT_ASKED), 0);
    assert.equal(await got(), 'taken');
  }
});

test('what PostgreSQL writes to its file does not change the one that is kept', async () => {
  await put(`${TAKEN_FOLDER}/${SEGMENT}`, 'taken');
  assert.equal(await ask(NOT_ASKED), 0);
  await put('pg_wal/RECOVERYXLOG', 'overwritten');
  assert.equal(await readFile(join(directory, TAKEN_FOLDER, SEGMENT), 'utf8'), 'taken');
});

test('a file that is not among the names is answered with 1, without asking', async () => {
  await put(NAMES_FILE, `00000002.history\n${SEGMENT}\n`);
  assert.equal(await ask(NOT_ASKED, '000000010000000000000004'), 1);
  assert.equal(await ask(NOT_ASKED, '00000002.histor'), 1, 'the whole name counts');
  assert.equal(await ask(NOT_ASKED, '0000000..history'), 1, 'a name is no pattern');
  assert.equal(there('asked'), false);
});

test('a file that is among the names and does not lie ready is asked for', async () => {
  await put(NAMES_FILE, `${SEGMENT}\n`);
  assert.equal(await ask('printf %s "%f" > "%p"; exit 0'), 0);
  assert.equal(await got(), SEGMENT);
});

test('a listed file is waited for while the feeder lives', async () => {
  await put(NAMES_FILE, `${SEGMENT}\n`);
  await put(FEEDER_FILE, String(process.pid));
  await writeFile(join(directory, FETCH_SCRIPT), `: > asking\n${fetchScript(NOT_ASKED)}`);
  const child = spawn('sh', [FETCH_SCRIPT, SEGMENT, 'pg_wal/RECOVERYXLOG'], { cwd: directory });
  const ended = once(child, 'exit');
  while (!there('asking')) await setImmediate();
  await put(`${RECOVERY_FOLDER}/laid-later`, 'ready');
  await rename(join(directory, RECOVERY_FOLDER, 'laid-later'), join(directory, RECOVERY_FOLDER, SEGMENT));
  assert.deepEqual(await ended, [0, null]);
  assert.equal(await got(), 'ready');
  assert.equal(there('asked'), false);
});

test('a listed file is asked for where the feeder laid it long ago, died, or gave up', async () => {
  await put(NAMES_FILE, `${SEGMENT}\n`);
  await put(LAID_FILE, `${SEGMENT}\n`);
  await put(FEEDER_FILE, String(process.pid));
  assert.equal(await ask('exit 201'), 201, 'laid long ago');
  await put(LAID_FILE, '');
  const { pid } = spawnSync('true');
  await put(FEEDER_FILE, String(pid));
  assert.equal(await ask('exit 202'), 202, 'died');
  await rm(join(directory, FEEDER_FILE));
  assert.equal(await ask('exit 203'), 203, 'gave up');
});

test('without names every file is asked for, and the exit code of the answer is kept', async () => {
  for (const code of [0, 1, 101, 150, 255]) assert.equal(await ask(`exit ${code}`), code);
});

test('the name and the path reach the command in each way that a command may be written', async () => {
  for (const words of ['"%f" "%p"', '%f %p']) {
    assert.equal(await ask(`printf '%%s,%%s' ${words} > seen`, 'na me', 'pg_wal/a b'), 0);
    assert.equal(await readFile(join(directory, 'seen'), 'utf8'), 'na me,pg_wal/a b');
  }
});

test('a doubled % is one, as in every restore_command', async () => {
  assert.equal(await ask("printf '%%s' '/a%%f/%%p' > seen"), 0);
  assert.equal(await readFile(join(directory, 'seen'), 'utf8'), '/a%f/%p');
});

test('a file that cannot be moved is no end of WAL', async () => {
  await put(`${RECOVERY_FOLDER}/${SEGMENT}`, 'ready');
  assert.equal(await ask(NOT_ASKED, SEGMENT, 'no/such/folder'), 200);
  assert.equal(there(`${RECOVERY_FOLDER}/${SEGMENT}`), true);
  await put(`${TAKEN_FOLDER}/${SEGMENT}`, 'taken');
  await rm(join(directory, RECOVERY_FOLDER, SEGMENT));
  assert.equal(await ask(NOT_ASKED, SEGMENT, 'no/such/folder'), 200);
});
