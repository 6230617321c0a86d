// `wal push` without a server: what is refused, what counts as the same, what is pushed ahead, and when a mark is believed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { admitSystem, listSystems } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { fetchWal } from '../src/operation/wal/fetch.ts';
import { type PushSummary, pushWal, wasPushed } from '../src/operation/wal/push.ts';
import type { PushOptions } from '../src/operation/wal/pusher.ts';
import { WalRecorder } from '../src/operation/wal/recorder.ts';
import { type Lsn, lsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { folderOf } from '../src/storage/port.ts';

const SIZE = segmentSize(1024 * 1024);
const SYSTEM = '7300000000000000001';
const one = timelineId(1);
const sentAt = new Date('2026-11-23T12:00:00Z');

let folder = '';
let repository: Repository;
let archive: WalArchive;
let events: OperationEvent[];

const at = (segment: number): Lsn => lsn(BigInt(segment) * BigInt(SIZE));
const nameOf = (segment: number, timeline = 1): string => segmentName(timelineId(timeline), at(segment), SIZE);
const pathOf = (name: string): string => join(folder, 'pg_wal', name);

interface Head {
  readonly system: string;
  readonly magic: number;
  readonly timeline: number;
  readonly address: Lsn;
  readonly size: number;
}

/** A segment with the head that PostgreSQL writes, and noise behind it. */
function segmentOf(segment: number, head: Partial<Head> = {}): Buffer {
  const bytes = randomBytes(SIZE);
  bytes.writeUInt16LE(head.magic ?? 0xd118, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(head.timeline ?? 1, 4);
  bytes.writeBigUInt64LE(head.address ?? at(segment), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeBigUInt64LE(BigInt(head.system ?? SYSTEM), 24);
  bytes.writeUInt32LE(head.size ?? SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

/** Lays a file down as PostgreSQL does when it is finished. */
async function ready(name: string, bytes: Buffer): Promise<Buffer> {
  await writeFile(pathOf(name), bytes);
  await writeFile(join(folder, 'pg_wal/archive_status', `${name}.ready`), '');
  return bytes;
}

const push = (name: string, options: Partial<PushOptions> = {}): Promise<PushSummary> =>
  pushWal({
    repository,
    cluster: 'main',
    path: pathOf(name),
    dataDirectory: folder,
    report: (event) => events.push(event),
    ...options,
  });

const marked = (name: string): Promise<boolean> =>
  wasPushed({ location: repository.location, cluster: 'main', path: pathOf(name) });

const stored = async (): Promise<readonly string[]> => {
  const { objects } = await archive.catalog();
  return [...objects.values()].flat().map(({ name }) => name.slice(name.lastIndexOf('/') + 1));
};

async function fetched(name: string): Promise<Buffer> {
  const destination = join(folder, 'fetched');
  await fetchWal({ repository, cluster: 'main', fileName: name, destination, dataDirectory: folder });
  return readFile(destination);
}

const warnings = (): readonly string[] =>
  events.flatMap((event) => (event.type === 'notice' && event.level === 'warning' ? [event.message] : []));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-push-'));
  await mkdir(join(folder, 'pg_wal/archive_status'), { recursive: true });
  repository = await makeRepository(folder);
  archive = new WalArchive(repository, 'main', SYSTEM, SIZE);
  events = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('the first push of a cluster makes its system known, and what was pushed is fetched', async () => {
  const bytes = await ready(nameOf(3), segmentOf(3));
  const summary = await push(nameOf(3));
  assert.deepEqual([summary.file, summary.outcome, summary.ahead, summary.waiting_files], [nameOf(3), 'stored', 0, 1]);
  assert.deepEqual(
    (await listSystems(repository, 'main')).map((system) => [system.system_identifier, system.wal_segment_bytes]),
    [[SYSTEM, SIZE]],
  );
  assert.ok((await fetched(nameOf(3))).equals(bytes));
});

test('the same content again is success, other content is refused and changes nothing', async () => {
  const bytes = await ready(nameOf(3), segmentOf(3));
  assert.equal((await push(nameOf(3))).outcome, 'stored');
  assert.equal((await push(nameOf(3))).outcome, 'there');
  await ready(nameOf(3), segmentOf(3));
  await assert.rejects(push(nameOf(3)), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_WAL_CONFLICT'), String(error));
    assert.ok(error.message.includes(nameOf(3)), error.message);
    assert.ok(error.exitCode >= 1 && error.exitCode <= 125);
    return true;
  });
  assert.ok((await fetched(nameOf(3))).equals(bytes));
});

for (const [what, bytes] of [
  ['of another place', () => segmentOf(4)],
  ['of a later timeline', () => segmentOf(3, { timeline: 2 })],
  ['of no version of PostgreSQL', () => segmentOf(3, { magic: 0xd000 })],
  ['of another segment size', () => segmentOf(3, { size: 2 * SIZE })],
  ['cut short', () => segmentOf(3).subarray(0, SIZE - 8192)],
  ['too long', () => Buffer.concat([segmentOf(3), Buffer.alloc(8192)])],
  ['empty', () => Buffer.alloc(0)],
  ['of nothing but zeros', () => Buffer.alloc(SIZE)],
] as const) {
  test(`a segment ${what} is refused, and its cluster stays unknown`, async () => {
    await ready(nameOf(3), bytes());
    await assert.rejects(push(nameOf(3)), { code: 'SPW_WAL_INVALID', message: new RegExp(nameOf(3)) });
    assert.deepEqual(await stored(), []);
    assert.deepEqual(await listSystems(repository, 'main'), []);
    assert.equal(await marked(nameOf(3)), false);
  });
}

test('a segment of another system than the cluster is refused', async () => {
  await admitSystem(repository, 'main', { systemIdentifier: SYSTEM, segmentBytes: SIZE });
  await ready(nameOf(3), segmentOf(3, { system: '7' }));
  await assert.rejects(push(nameOf(3)), { code: 'SPW_SYSTEM_MISMATCH' });
  assert.equal((await push(nameOf(3), { newSystem: true })).outcome, 'stored');
});

test('a name that PostgreSQL gives to nothing is refused', async () => {
  for (const name of ['postgresql.conf', `${nameOf(3)}.zst`, nameOf(10).toLowerCase()]) {
    await assert.rejects(push(name), { code: 'SPW_USAGE' });
  }
});

test('pieces that a receiver left are compared with the segment, and go with it', async () => {
  const bytes = await ready(nameOf(3), segmentOf(3));
  await archive.write(one, at(3), bytes.subarray(0, 1000), sentAt);
  await archive.write(one, lsn(at(3) + 5000n), bytes.subarray(5000, 9000), sentAt);
  await push(nameOf(3));
  assert.deepEqual(await stored(), [nameOf(3)]);
});

test('a piece with other content is a conflict, and everything stays as it is', async () => {
  await ready(nameOf(3), segmentOf(3));
  await archive.write(one, lsn(at(3) + 5000n), randomBytes(100), sentAt);
  const before = await stored();
  await assert.rejects(push(nameOf(3)), { code: 'SPW_WAL_CONFLICT' });
  assert.deepEqual(await stored(), before);
});

test('a receiver in the midst of the segment finishes it after the push has', async () => {
  const bytes = await ready(nameOf(3), segmentOf(3));
  const recorder = await WalRecorder.begin(archive, one, at(3), {
    flushIntervalMs: 600_000,
    onDurable: () => undefined,
    totals: { segments: 0, pieces: 0, bytes: 0, storedBytes: 0 },
  });
  await recorder.append(at(3), bytes.subarray(0, 300_000), sentAt);
  await recorder.flush();
  await push(nameOf(3));
  await recorder.append(lsn(at(3) + 300_000n), bytes.subarray(300_000, 600_000), sentAt);
  await recorder.flush();
  await recorder.append(lsn(at(3) + 600_000n), bytes.subarray(600_000), sentAt);
  await recorder.flush();
  recorder.close();
  assert.equal(recorder.durable, at(4));
  assert.deepEqual(await stored(), [nameOf(3)]);
});

test('a .partial segment is kept beside, and never stands in for the segment', async () => {
  const name = `${nameOf(3)}.partial`;
  const bytes = await ready(name, segmentOf(3));
  assert.equal((await push(name)).outcome, 'stored');
  assert.equal((await push(name)).outcome, 'there');
  await assert.rejects(fetched(nameOf(3)), { code: 'SPW_WAL_ABSENT' });
  assert.deepEqual(await stored(), []);
  assert.ok((await fetched(name)).equals(bytes));
  // Nor does it stand in the way of it.
  await ready(nameOf(3), segmentOf(3));
  assert.equal((await push(nameOf(3))).outcome, 'stored');
  await ready(name, segmentOf(4));
  await assert.rejects(push(name), { code: 'SPW_WAL_INVALID' });
});

test('a .backup file is kept as it is', async () => {
  await ready(nameOf(3), segmentOf(3));
  await push(nameOf(3));
  const name = `${nameOf(3)}.00000028.backup`;
  const text = await ready(name, Buffer.from('START WAL LOCATION: 0/300028 (file …)\nSTOP WAL LOCATION: 0/300100\n'));
  assert.equal((await push(name)).outcome, 'stored');
  assert.equal((await push(name)).outcome, 'there');
  assert.ok((await fetched(name)).equals(text));
  await ready(name, Buffer.from('something else'));
  await assert.rejects(push(name), { code: 'SPW_WAL_INVALID' });
});

test('a second history of one timeline is refused: two servers were promoted to it', async () => {
  await ready(nameOf(3), segmentOf(3));
  await push(nameOf(3));
  await ready('00000002.history', Buffer.from('1\t0/300100\tno recovery target specified\n'));
  assert.equal((await push('00000002.history')).outcome, 'stored');
  assert.equal((await push('00000002.history')).outcome, 'there');
  await ready('00000002.history', Buffer.from('1\t0/300200\tno recovery target specified\n'));
  await assert.rejects(push('00000002.history'), { code: 'SPW_WAL_CONFLICT', why: /two servers were promoted/ });
  await ready('00000003.history', Buffer.from('nothing that could be read'));
  await assert.rejects(push('00000003.history'), { code: 'SPW_WAL_INVALID' });
});

test('the history of a timeline is stored with its first segment, also where PostgreSQL archived it elsewhere', async () => {
  await writeFile(pathOf('00000002.history'), '1\t0/300100\tno recovery target specified\n');
  await ready(nameOf(3, 2), segmentOf(3, { timeline: 1 }));
  await push(nameOf(3, 2));
  assert.deepEqual([...(await archive.catalog()).histories], [2]);
  await ready(nameOf(3, 3), segmentOf(3, { timeline: 3 }));
  await push(nameOf(3, 3));
  assert.ok(warnings().some((message) => message.startsWith('00000003.history is neither')));
});

test('what is ready is pushed ahead, in order, and its own calls find it there without a key', async () => {
  for (let segment = 3; segment < 11; segment++) await ready(nameOf(segment), segmentOf(segment));
  const summary = await push(nameOf(3), { ahead: 5 });
  assert.equal(summary.ahead, 5);
  assert.equal(summary.waiting_files, 8);
  assert.deepEqual(
    await stored(),
    [3, 4, 5, 6, 7, 8].map((segment) => nameOf(segment)),
  );
  for (let segment = 3; segment <= 8; segment++) assert.ok(await marked(nameOf(segment)), String(segment));
  assert.equal(await marked(nameOf(9)), false);
  // The next call goes on behind them.
  assert.equal((await push(nameOf(9))).ahead, 1);
});

test('a segment that is not ready is not pushed', async () => {
  await ready(nameOf(3), segmentOf(3));
  await writeFile(pathOf(nameOf(4)), segmentOf(4));
  await push(nameOf(3));
  assert.deepEqual(await stored(), [nameOf(3)]);
});

test('one bad segment hides neither the backlog behind it nor itself', async () => {
  for (const segment of [3, 5, 6]) await ready(nameOf(segment), segmentOf(segment));
  await ready(nameOf(4), segmentOf(9));
  assert.equal((await push(nameOf(3))).ahead, 2);
  assert.deepEqual(await stored(), [nameOf(3), nameOf(5), nameOf(6)]);
  assert.ok(warnings().some((message) => message.includes(nameOf(4))));
  await ready(nameOf(7), segmentOf(7));
  await assert.rejects(push(nameOf(4)), { code: 'SPW_WAL_INVALID', message: new RegExp(nameOf(4)) });
  assert.deepEqual(
    await stored(),
    [nameOf(3), nameOf(5), nameOf(6), nameOf(7)],
    'what came since is stored all the same',
  );
});

test('a mark counts only for the very file, for its cluster, and while the repository has the object', async () => {
  const bytes = await ready(nameOf(3), segmentOf(3));
  await push(nameOf(3));
  assert.ok(await marked(nameOf(3)));
  const elsewhere = { location: repository.location, path: pathOf(nameOf(3)) };
  assert.equal(await wasPushed({ ...elsewhere, cluster: 'other' }), false);

  // The same bytes, touched: to be looked at again.
  await utimes(pathOf(nameOf(3)), new Date(), new Date(Date.now() + 5000));
  assert.equal(await marked(nameOf(3)), false);
  await push(nameOf(3));
  assert.ok(await marked(nameOf(3)));
  // Another file of that name and size.
  await writeFile(`${pathOf(nameOf(3))}.new`, bytes);
  await rename(`${pathOf(nameOf(3))}.new`, pathOf(nameOf(3)));
  assert.equal(await marked(nameOf(3)), false);
  await push(nameOf(3));

  const [object] = await archive.find(one, at(3));
  const place = join(folderOf(repository.location) ?? '', object?.name ?? '');
  await rename(place, `${folder}/aside`);
  assert.equal(await marked(nameOf(3)), false, 'removed from the repository');
  await writeFile(place, '');
  assert.equal(await marked(nameOf(3)), false, 'cut short in the repository');
  await rm(place);
  await rename(`${folder}/aside`, place);
  assert.ok(await marked(nameOf(3)));

  const mark = join(folder, 'pg_wal/.spillway-pushed', `${nameOf(3)}.ok`);
  await truncate(mark, 20);
  assert.equal(await marked(nameOf(3)), false, 'a mark that a crash cut short is none');
});

test('a mark is never there for what is not stored', async () => {
  await ready(nameOf(3), segmentOf(3));
  const path = folderOf(repository.location) ?? '';
  await rename(path, `${path}-aside`);
  await writeFile(path, '');
  await assert.rejects(push(nameOf(3)), { code: 'SPW_STORAGE_UNREACHABLE', message: new RegExp(nameOf(3)) });
  await rm(path);
  await rename(`${path}-aside`, path);
  assert.equal(await marked(nameOf(3)), false);
});

test('marks of files that PostgreSQL waits for no longer are removed', async () => {
  for (const segment of [3, 4]) await ready(nameOf(segment), segmentOf(segment));
  await push(nameOf(3));
  await rename(
    join(folder, 'pg_wal/archive_status', `${nameOf(3)}.ready`),
    join(folder, 'pg_wal/archive_status', `${nameOf(3)}.done`),
  );
  await ready(nameOf(5), segmentOf(5));
  await push(nameOf(5));
  const left = (await readdir(join(folder, 'pg_wal/.spillway-pushed'))).toSorted();
  assert.deepEqual(left, [`${nameOf(4)}.ok`, `${nameOf(5)}.ok`]);
});

test('a spool that cannot be written only costs the marks', async () => {
  await ready(nameOf(3), segmentOf(3));
  // A file stands where the folder would be: nobody can write there, not even root.
  await writeFile(join(folder, 'pg_wal/.spillway-pushed'), '');
  assert.equal((await push(nameOf(3))).outcome, 'stored');
  assert.equal(await marked(nameOf(3)), false);
});

test('a full store is told with the name of the segment, and nothing counts as pushed', async () => {
  await ready(nameOf(3), segmentOf(3));
  await ready(nameOf(4), segmentOf(4));
  const full = new Repository({
    ...repository.handle,
    location: { ...repository.location, fault: { seed: 1, capacityBytes: 100_000 } },
  });
  await assert.rejects(push(nameOf(3), { repository: full }), {
    code: 'SPW_STORAGE_FULL',
    message: new RegExp(nameOf(3)),
  });
  for (const segment of [3, 4]) assert.equal(await marked(nameOf(segment)), false);
});

test('a backlog that is old or long is told', async () => {
  await ready(nameOf(3), segmentOf(3));
  await push(nameOf(3), { ahead: 0 });
  assert.deepEqual(warnings(), []);
  const hourAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(folder, 'pg_wal/archive_status', `${nameOf(3)}.ready`), hourAgo, hourAgo);
  const { waiting_seconds: seconds, waiting_bytes: bytes } = await push(nameOf(3), { ahead: 0 });
  assert.ok(seconds >= 3600 && bytes === SIZE);
  assert.match(warnings().join(), /Archiving is behind: 1 files, about 1 MiB.*for 60 min/);
});

test('a file that cannot be read says so', async () => {
  await assert.rejects(push(nameOf(3)), { code: 'SPW_DATA_DIRECTORY', message: new RegExp(nameOf(3)) });
  await mkdir(pathOf(nameOf(4)));
  await assert.rejects(push(nameOf(4)), { code: 'SPW_DATA_DIRECTORY' });
});
