// The recorder over a repository on disk: what is stored when, what counts as durable, and what an earlier run left.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { completeSegment } from '../src/operation/wal/complete.ts';
import { finishLeftovers } from '../src/operation/wal/leftover.ts';
import { WalRecorder } from '../src/operation/wal/recorder.ts';
import { type Lsn, lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';
import { folderOf, type Storage } from '../src/storage/port.ts';

const SIZE = segmentSize(1024 * 1024);
const START = lsn(0x3000000n);
const NEVER_MS = 600_000;
const one = timelineId(1);
const sentAt = new Date('2026-11-23T12:00:00Z');
const stream = randomBytes(3 * SIZE);

let folder = '';
let repository: Repository;
let archive: WalArchive;
let durable: Lsn[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-recorder-'));
  repository = await makeRepository(folder);
  archive = new WalArchive(repository, 'main', '7', SIZE);
  durable = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const begin = (
  flushIntervalMs = NEVER_MS,
  start = START,
  own: { timeline?: number; begin?: Lsn } = {},
): Promise<WalRecorder> =>
  WalRecorder.begin(archive, timelineId(own.timeline ?? 1), start, {
    flushIntervalMs,
    onDurable: (position) => durable.push(position),
    totals: { segments: 0, pieces: 0, bytes: 0, storedBytes: 0 },
    ...(own.begin === undefined ? {} : { begin: own.begin }),
  });

const at = (offset: number): Lsn => lsn(START + BigInt(offset));
const again = (from: Lsn, to: Lsn): Buffer => Buffer.from(stream.subarray(Number(from - START), Number(to - START)));
const send = (recorder: WalRecorder, from: number, to: number): Promise<void> =>
  recorder.append(at(from), stream.subarray(from, to), sentAt);
/** What is stored, as offsets. */
async function stored(timeline = one): Promise<readonly string[]> {
  const { objects } = await archive.catalog();
  return (objects.get(timeline) ?? []).map(({ kind, start, end }) => `${kind} ${start - START}-${end - START}`);
}

test('whole segments are stored as they fill, and nothing else until the interval is over', async () => {
  const recorder = await begin();
  await send(recorder, 0, SIZE - 10);
  assert.deepEqual(await stored(), []);
  await send(recorder, SIZE - 10, 2 * SIZE + 5);
  await waitFor('two segments', () => recorder.durable === at(2 * SIZE));
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`, `segment ${SIZE}-${2 * SIZE}`]);
  assert.equal(recorder.received, at(2 * SIZE + 5));
  recorder.close();
});

test('a piece is stored when the interval is over, and no second one while nothing comes', async () => {
  const recorder = await begin(20);
  await send(recorder, 0, 100);
  await waitFor('a piece', () => recorder.durable === at(100));
  await send(recorder, 100, 150);
  await waitFor('another', () => recorder.durable === at(150));
  assert.deepEqual(await stored(), ['piece 0-100', 'piece 100-150']);
  await recorder.flush();
  assert.deepEqual(await stored(), ['piece 0-100', 'piece 100-150']);
  recorder.close();
});

test('memory of stored segments is used again while WAL comes fast, and given back when a segment stays open', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const recorder = await begin();
  const fill = async (from: number, to: number): Promise<void> => {
    await send(recorder, from, to);
    await recorder.flush();
  };
  await fill(0, SIZE);
  assert.equal(recorder.keptBytes, SIZE, 'the buffer of the first is at hand');
  await fill(SIZE, 2 * SIZE);
  await fill(2 * SIZE, 2 * SIZE + 100);
  assert.equal(recorder.keptBytes, 2 * SIZE, 'one at hand, and one in use again');
  t.mock.timers.tick(5_000);
  assert.equal(recorder.keptBytes, 0);
  await fill(2 * SIZE + 100, 3 * SIZE);
  assert.deepEqual(
    await stored(),
    [0, 1, 2].map((number) => `segment ${number * SIZE}-${(number + 1) * SIZE}`),
  );
  const [object] = await archive.find(one, at(2 * SIZE));
  assert.ok(object !== undefined && (await archive.read(object)).equals(stream.subarray(2 * SIZE)));
  recorder.close();
});

test('memory that is being stored is not given back before it is', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const recorder = await begin();
  await send(recorder, 0, SIZE);
  await recorder.flush();
  await send(recorder, SIZE, SIZE + 200_000);
  await recorder.flush();
  await send(recorder, SIZE + 200_000, SIZE + 400_000);
  // Another buffer is at hand, and the open one may be read from while its piece is stored.
  await send(recorder, SIZE + 400_000, 2 * SIZE);
  const ended = recorder.flush();
  t.mock.timers.tick(5_000);
  assert.equal(recorder.keptBytes, SIZE);
  await ended;
  t.mock.timers.tick(5_000);
  assert.equal(recorder.keptBytes, 0);
  const [object] = await archive.find(one, at(SIZE));
  assert.ok(object !== undefined && (await archive.read(object)).equals(stream.subarray(SIZE, 2 * SIZE)));
  recorder.close();
});

test('a finished segment replaces its pieces', async () => {
  const recorder = await begin();
  await send(recorder, 0, 100);
  await recorder.flush();
  await send(recorder, 100, SIZE);
  await recorder.flush();
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`]);
  const [object] = await archive.find(one, START);
  assert.ok(object !== undefined && (await archive.read(object)).equals(stream.subarray(0, SIZE)));
  recorder.close();
});

test('durable only rises, and never over what the repository does not hold', async () => {
  const recorder = await begin(5);
  for (let offset = 0; offset < 2 * SIZE; offset += 60_000) {
    await send(recorder, offset, Math.min(2 * SIZE, offset + 60_000));
    const claimed = recorder.durable;
    const { objects } = await archive.catalog();
    const held = (objects.get(one) ?? []).reduce<bigint>(
      (end, object) => (object.start <= end && object.end > end ? object.end : end),
      START,
    );
    assert.ok(claimed <= held, `${claimed} is said to be durable, ${held} is stored`);
  }
  await recorder.flush();
  assert.equal(recorder.durable, at(2 * SIZE));
  assert.deepEqual(
    durable,
    durable.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  recorder.close();
});

test('WAL with a hole in it is refused', async () => {
  const recorder = await begin();
  await send(recorder, 0, 100);
  await assert.rejects(send(recorder, 101, 200), { code: 'SPW_WAL_GAP' });
  recorder.close();
});

test('pieces of an earlier run that wal push replaced by their segment meanwhile count as what the segment holds', async () => {
  const before = await begin();
  await send(before, 0, 300);
  await before.flush();
  before.close();

  const recorder = await begin();
  await completeSegment(archive, one, START, again, sentAt);
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`]);
  await send(recorder, 0, 400);
  await recorder.flush();
  assert.ok(recorder.durable >= at(300));
  recorder.close();
});

test('pieces of an earlier run count when they are seen again, are not stored again, and go with the segment', async () => {
  const before = await begin();
  await send(before, 0, 100);
  await before.flush();
  await send(before, 100, 300);
  await before.flush();
  before.close();

  const recorder = await begin();
  assert.equal(recorder.durable, START);
  await send(recorder, 0, 150);
  await waitFor('the first piece', () => recorder.durable === at(100));
  await send(recorder, 150, 400);
  await waitFor('the second piece', () => recorder.durable === at(300));
  assert.deepEqual(await stored(), ['piece 0-100', 'piece 100-300']);
  await recorder.flush();
  assert.deepEqual(await stored(), ['piece 0-100', 'piece 100-300', 'piece 300-400']);
  await send(recorder, 400, SIZE);
  await recorder.flush();
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`]);
  recorder.close();
});

test('pieces of earlier runs that overlap, or lie behind a hole, are replaced too', async () => {
  for (const [from, to] of [
    [0, 100],
    [50, 120],
    [500, 600],
  ] as const)
    await archive.write(one, at(from), stream.subarray(from, to), sentAt);
  const recorder = await begin(10);
  await send(recorder, 0, 110);
  await waitFor('all that came in', () => recorder.durable === at(110));
  await send(recorder, 110, 550);
  await waitFor('more', () => recorder.durable === at(550));
  await send(recorder, 550, SIZE);
  await recorder.flush();
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`]);
  recorder.close();
});

for (const [name, offset] of [
  ['a piece', 50],
  ['a piece behind a hole', 700_000],
] as const) {
  test(`${name} with other content is a conflict, and stays as it is`, async () => {
    await archive.write(one, at(offset), randomBytes(100), sentAt);
    const recorder = await begin();
    await send(recorder, 0, SIZE).catch(() => undefined);
    await assert.rejects(recorder.flush(), { code: 'SPW_WAL_CONFLICT' });
    assert.ok(recorder.failed.aborted);
    assert.ok(recorder.durable <= at(offset), `${recorder.durable - START}`);
    assert.deepEqual(await stored(), [`piece ${offset}-${offset + 100}`]);
    await assert.rejects(send(recorder, SIZE, SIZE + 1), { code: 'SPW_WAL_CONFLICT' });
    recorder.close();
  });
}

test('a segment with other content is a conflict; the same again is none', async () => {
  await archive.write(one, START, stream.subarray(0, SIZE), sentAt);
  const same = await begin();
  await send(same, 0, SIZE);
  await same.flush();
  assert.equal(same.durable, at(SIZE));
  same.close();
  const other = await begin();
  await other.append(START, randomBytes(SIZE), sentAt);
  await assert.rejects(other.flush(), { code: 'SPW_WAL_CONFLICT' });
  assert.deepEqual(durable, [at(SIZE)]);
  other.close();
});

test('on a new timeline nothing is stored until the place where it began is reached', async () => {
  const recorder = await begin(NEVER_MS, START, { timeline: 2, begin: at(500) });
  await send(recorder, 0, 400);
  await recorder.flush();
  assert.deepEqual(await stored(timelineId(2)), [], 'it would stand in the way of what the old timeline has');
  await send(recorder, 400, 600);
  await recorder.flush();
  assert.deepEqual(await stored(timelineId(2)), ['piece 0-600']);
  recorder.close();
});

test('a store that fails ends the recorder with its error, and nothing counts as durable', async () => {
  const recorder = await begin();
  await send(recorder, 0, 100);
  // A file stands where the repository was: nobody can write there, not even root.
  await rm(folderOf(repository.location) ?? '', { recursive: true });
  await writeFile(folderOf(repository.location) ?? '', '');
  await assert.rejects(recorder.flush(), (error) => isSpillwayError(error));
  assert.deepEqual(durable, []);
  assert.ok(recorder.failed.aborted);
  recorder.close();
});

test('a segment that came in pieces is durable to its end before it is stored whole, and what comes next waits for nothing', async () => {
  const gate = Promise.withResolvers<void>();
  const write = archive.write.bind(archive);
  archive.write = async (...words) => {
    if (words[2].byteLength === SIZE) await gate.promise;
    return write(...words);
  };
  const recorder = await begin(5);
  await send(recorder, 0, 100);
  await waitFor('a piece', () => recorder.durable === at(100));
  await send(recorder, 100, SIZE + 50);
  await waitFor('all of it', () => recorder.durable === at(SIZE + 50));
  assert.deepEqual(await stored(), ['piece 0-100', `piece 100-${SIZE}`, `piece ${SIZE}-${SIZE + 50}`]);
  gate.resolve();
  await recorder.flush();
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`, `piece ${SIZE}-${SIZE + 50}`]);
  recorder.close();
});

test('what comes in while a piece is stored goes together, as the next', async () => {
  const gate = Promise.withResolvers<void>();
  const write = archive.write.bind(archive);
  archive.write = async (...words) => {
    await gate.promise;
    return write(...words);
  };
  const recorder = await begin(0);
  for (const from of [0, 10, 20, 30]) await send(recorder, from, from + 10);
  assert.equal(recorder.durable, START);
  gate.resolve();
  await recorder.flush();
  assert.deepEqual(durable, [at(10), at(40)]);
  assert.deepEqual(await stored(), ['piece 0-10', 'piece 10-40']);
  recorder.close();
});

test('the pieces of a segment go with one sync of their folder', async () => {
  const { storage } = repository;
  const lasting: string[] = [];
  const counted: Storage = {
    description: storage.description,
    get: (...words) => storage.get(...words),
    put: (...words) => storage.put(...words),
    stat: (...words) => storage.stat(...words),
    list: (...words) => storage.list(...words),
    remove: (name, options) => {
      lasting.push(options?.soon === true ? 'soon' : 'lasting');
      return storage.remove(name, options);
    },
  };
  archive = new WalArchive(new Repository(repository.handle, counted), 'main', '7', SIZE);
  const recorder = await begin();
  for (const from of [0, 100, 200, 300]) {
    await send(recorder, from, from + 100);
    await recorder.flush();
  }
  await send(recorder, 400, SIZE);
  await recorder.flush();
  assert.deepEqual(lasting, ['soon', 'soon', 'soon', 'soon', 'lasting']);
  assert.deepEqual(await stored(), [`segment 0-${SIZE}`]);
  recorder.close();
});

test('a segment that a killed receiver left in pieces is made whole by the next, and one that lacks some stays as it is', async () => {
  const pieces = [
    [0, 400_000],
    [400_000, SIZE],
    [SIZE, SIZE + 9],
    [SIZE + 10, 2 * SIZE],
  ] as const;
  for (const [from, to] of pieces) await archive.write(one, at(from), stream.subarray(from, to), sentAt);
  await finishLeftovers(archive, one, at(2 * SIZE), 3);
  assert.deepEqual(await stored(), [
    `segment 0-${SIZE}`,
    `piece ${SIZE}-${SIZE + 9}`,
    `piece ${SIZE + 10}-${2 * SIZE}`,
  ]);
  const [object] = await archive.find(one, START);
  assert.ok(object !== undefined && (await archive.read(object)).equals(stream.subarray(0, SIZE)));
  assert.equal((await archive.readStamp(object)).sent_at, sentAt.toISOString());
});
