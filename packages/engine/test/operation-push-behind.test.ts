// The push of what waits behind, without a server: what it pushes, what it leaves, that there is one of it, and that it ends.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type BehindSummary, isBehindWorthIt, pushBehind } from '../src/operation/wal/push-behind.ts';
import { wasPushed } from '../src/operation/wal/push.ts';
import { takePusherFile } from '../src/operation/wal/pusher-file.ts';
import type { PushOptions } from '../src/operation/wal/pusher.ts';
import { lsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import type { Repository } from '../src/repository/repository.ts';
import { folderOf } from '../src/storage/port.ts';
import { makeRepository } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const SIZE = segmentSize(1024 * 1024);
const SYSTEM = 7_300_000_000_000_000_001n;

let folder = '';
let spool = '';
let repository: Repository;

const nameOf = (segment: number): string => segmentName(timelineId(1), lsn(BigInt(segment) * BigInt(SIZE)), SIZE);
const pathOf = (segment: number): string => join(folder, 'pg_wal', nameOf(segment));

async function ready(segment: number, address = segment): Promise<void> {
  const bytes = randomBytes(SIZE);
  bytes.writeUInt16LE(0xd118, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(address) * BigInt(SIZE), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeBigUInt64LE(SYSTEM, 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  await writeFile(pathOf(segment), bytes);
  await writeFile(join(folder, 'pg_wal/archive_status', `${nameOf(segment)}.ready`), '');
}

const archived = (segment: number): Promise<void> =>
  rename(
    join(folder, 'pg_wal/archive_status', `${nameOf(segment)}.ready`),
    join(folder, 'pg_wal/archive_status', `${nameOf(segment)}.done`),
  );

const optionsOf = (segment: number): PushOptions => ({
  repository,
  cluster: 'main',
  path: pathOf(segment),
  dataDirectory: folder,
  report: () => undefined,
});
const push = (
  segment: number,
  own: { readonly lingerMs?: number; readonly lifeMs?: number } & Partial<PushOptions> = {},
): Promise<BehindSummary> => pushBehind({ ...optionsOf(segment), lingerMs: 1, ...own });
const marked = (segment: number): Promise<boolean> =>
  wasPushed({ location: repository.location, cluster: 'main', path: pathOf(segment) });
const worthIt = (segment: number): Promise<boolean> => isBehindWorthIt({ cluster: 'main', path: pathOf(segment) });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-behind-'));
  spool = join(folder, 'pg_wal/.spillway-pushed');
  await mkdir(join(folder, 'pg_wal/archive_status'), { recursive: true });
  repository = await makeRepository(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('all that waits is pushed and marked but the file asked for, a bad file is left to its own call, and nothing stays behind', async () => {
  for (const segment of [3, 4, 5, 7, 8]) await ready(segment);
  await ready(6, 9);
  assert.ok(await worthIt(3));
  const stored: string[] = [];
  const summary = await push(3, {
    onStored: async (name, before, objects) => {
      assert.equal(before.size, BigInt(SIZE));
      assert.equal(objects.length, 1);
      stored.push(name);
      await Promise.resolve();
    },
  });
  assert.deepEqual(summary, { pushed: 4, tookPlace: true });
  assert.deepEqual(stored.toSorted(), [4, 5, 7, 8].map(nameOf));
  for (const [segment, expected] of [
    [3, false],
    [4, true],
    [5, true],
    [6, false],
    [7, true],
    [8, true],
  ] as const)
    assert.equal(await marked(segment), expected, nameOf(segment));
  const left = await readdir(spool);
  assert.deepEqual(
    left.filter((name) => !name.endsWith('.ok')),
    [],
    'neither its own file, nor words about others, nor half a mark',
  );
  assert.equal(await worthIt(3), false, 'one that cannot be pushed is not worth a process');
});

test('what comes up while it is at work is pushed too, and while it lives another one does nothing', async () => {
  for (const segment of [3, 4, 5]) await ready(segment);
  const running = push(3, { lingerMs: 60_000, lifeMs: 60_000, signal: AbortSignal.timeout(60_000) });
  await waitFor('the first files', async () => (await marked(4)) && (await marked(5)));
  assert.ok((await readdir(spool)).includes(`${nameOf(3)}.left`), 'whose call need not wait');
  await ready(6);
  await waitFor('a later one', () => marked(6));
  for (const segment of [7, 8, 9, 10, 11]) await ready(segment);
  assert.equal(await worthIt(3), false);
  assert.deepEqual(await push(3), { pushed: 0, tookPlace: false });
  await waitFor('the latest', () => marked(11));
  await ready(12, 20);
  await waitFor('word that a bad one is left', async () => (await readdir(spool)).includes(`${nameOf(12)}.left`));
  await archived(4);
  await waitFor('its mark to go', async () => !(await readdir(spool)).includes(`${nameOf(4)}.ok`));
  // The server it began with is gone.
  await writeFile(join(folder, 'postmaster.pid'), '1234\n/data\n17\n');
  assert.deepEqual(await running, { pushed: 8, tookPlace: true });
});

test('its life has an end, whatever waits', async () => {
  for (const segment of [3, 4, 5]) await ready(segment);
  assert.deepEqual(await push(3, { lifeMs: 0, lingerMs: 60_000 }), { pushed: 0, tookPlace: true });
  assert.deepEqual(await readdir(spool), []);
});

test('a store that fails ends it, and marks nothing', async () => {
  for (const segment of [3, 4]) await ready(segment);
  const path = folderOf(repository.location) ?? '';
  await rm(path, { recursive: true });
  await writeFile(path, '');
  await assert.rejects(push(3), { code: 'SPW_STORAGE_UNREACHABLE', message: new RegExp(nameOf(4)) });
  assert.deepEqual(await readdir(spool), []);
});

test('the file of one that was killed is in nobody’s way, and that of one that lives is', async () => {
  await mkdir(spool);
  for (const [what, mark] of [
    ['a number that no process has', '99999999 17\n'],
    ['a number that was given to another process since', `${process.pid} 17\n`],
    ['half a line', '12'],
  ] as const) {
    await writeFile(join(spool, 'pusher'), mark);
    await using place = await takePusherFile(spool);
    assert.ok(place !== undefined, what);
    assert.match(await readFile(join(spool, 'pusher'), 'latin1'), new RegExp(`^${process.pid} \\d+\\n$`));
    assert.equal(await takePusherFile(spool), undefined);
  }
  assert.deepEqual(await readdir(spool), []);
});
