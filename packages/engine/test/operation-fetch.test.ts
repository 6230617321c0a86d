// `wal fetch`: what is handed over, and that "there is no such file" is said only where that is so.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { flipBit } from '@spillway/lab';
import { RECOVERY_FOLDER } from '../src/operation/restore/fetch-script.ts';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { type FetchOptions, fetchWal } from '../src/operation/wal/fetch.ts';
import { type Lsn, lsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import type { Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { folderOf } from '../src/storage/port.ts';

const SIZE = segmentSize(1024 * 1024);
const SYSTEM = '7300000000000000001';
const one = timelineId(1);
const sentAt = new Date('2026-11-23T12:00:00Z');

let folder = '';
let dataDirectory = '';
let repository: Repository;
let archive: WalArchive;

const at = (segment: number): Lsn => lsn(BigInt(segment) * BigInt(SIZE));
const nameOf = (segment: number): string => segmentName(one, at(segment), SIZE);

/** A segment with the head that PostgreSQL 18 writes, and noise behind it. */
function segmentOf(segment: number, system = SYSTEM): Buffer {
  const bytes = randomBytes(SIZE);
  bytes.writeUInt16LE(0xd118, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(at(segment), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeBigUInt64LE(BigInt(system), 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}
const segments = new Map([3, 4, 5, 6].map((number) => [number, segmentOf(number)]));
const bytesOf = (segment: number): Buffer => segments.get(segment) ?? Buffer.alloc(0);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-fetch-'));
  repository = await makeRepository(folder);
  archive = new WalArchive(repository, 'main', SYSTEM, SIZE);
  await admitSystem(repository, 'main', { systemIdentifier: SYSTEM, segmentBytes: SIZE });
  for (const segment of [3, 4, 5]) await archive.write(one, at(segment), bytesOf(segment), sentAt);
  // In progress: two pieces that meet, and one behind a hole.
  await archive.write(one, at(6), bytesOf(6).subarray(0, 1000), sentAt);
  await archive.write(one, lsn(at(6) + 1000n), bytesOf(6).subarray(1000, 70_000), sentAt);
  await archive.write(one, lsn(at(6) + 80_000n), bytesOf(6).subarray(80_000, 90_000), sentAt);
  // Of this one the beginning is not there.
  await archive.write(one, lsn(at(8) + 100n), randomBytes(100), sentAt);
  await archive.writeHistory(timelineId(2), Buffer.from('1\t0/500000\tno recovery target specified\n'));
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(folder, 'data-'));
  await mkdir(join(dataDirectory, 'pg_wal'));
});

async function fetch(fileName: string, options: Partial<FetchOptions> = {}): Promise<Buffer> {
  const destination = join(dataDirectory, 'pg_wal/RECOVERYXLOG');
  await fetchWal({ repository, cluster: 'main', fileName, destination, dataDirectory, ...options });
  return readFile(destination);
}

test('a finished segment is handed over whole', async () => {
  assert.ok((await fetch(nameOf(3))).equals(bytesOf(3)));
  assert.deepEqual(await readdir(join(dataDirectory, 'pg_wal')), ['RECOVERYXLOG']);
});

test('what lay at the destination is replaced', async () => {
  await writeFile(join(dataDirectory, 'pg_wal/RECOVERYXLOG'), 'of before');
  assert.ok((await fetch(nameOf(4))).equals(bytesOf(4)));
});

test('a segment in progress is handed over at full size, with zeros from its first gap on', async () => {
  const got = await fetch(nameOf(6));
  assert.equal(got.length, SIZE);
  assert.ok(got.subarray(0, 70_000).equals(bytesOf(6).subarray(0, 70_000)));
  assert.ok(got.subarray(70_000).every((byte) => byte === 0));
});

test('a history file is handed over as it was', async () => {
  assert.equal((await fetch('00000002.history')).toString(), '1\t0/500000\tno recovery target specified\n');
});

for (const [what, name] of [
  ['a segment that was never stored', nameOf(7)],
  ['a segment whose beginning was never stored', nameOf(8)],
  ['a segment of another timeline', segmentName(timelineId(2), at(3), SIZE)],
  ['a history that was never stored', '00000003.history'],
  ['a backup history file', `${nameOf(3)}.00000028.backup`],
  ['a name that is none', 'RECOVERYXLOG'],
] as const) {
  test(`${what} is absent, and nothing is left at the destination`, async () => {
    await assert.rejects(fetch(name), { code: 'SPW_WAL_ABSENT' });
    assert.deepEqual(await readdir(join(dataDirectory, 'pg_wal')), []);
  });
}

/** Fails in some way, but never as if the file were not there. */
async function failsOtherwise(fetching: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  await assert.rejects(fetching, (error) => {
    assert.ok(isSpillwayError(error) && codes.includes(error.code), String(error));
    return true;
  });
  assert.deepEqual(await readdir(join(dataDirectory, 'pg_wal')), []);
}

test('a repository that is away is never absent WAL', async () => {
  const path = folderOf(repository.location) ?? '';
  await rename(path, `${path}-aside`);
  await failsOtherwise(fetch(nameOf(3)), 'SPW_STORAGE_UNREACHABLE', 'SPW_SYSTEM_MISMATCH');
  // A file where a folder was: reading it fails in another way.
  await writeFile(path, '');
  await failsOtherwise(fetch(nameOf(3)), 'SPW_STORAGE_UNREACHABLE', 'SPW_SYSTEM_MISMATCH');
  await rm(path);
  await rename(`${path}-aside`, path);
});

test('a damaged segment or piece is never absent WAL', async () => {
  for (const segment of [3, 6]) {
    const [object] = await archive.find(one, at(segment));
    const path = join(folderOf(repository.location) ?? '', object?.name ?? '');
    await flipBit(path, 500);
    await failsOtherwise(fetch(nameOf(segment)), 'SPW_OBJECT_DAMAGED');
    await flipBit(path, 500);
  }
});

test('a segment whose head belongs elsewhere is refused', async () => {
  await archive.write(one, at(9), segmentOf(10), sentAt);
  await failsOtherwise(fetch(nameOf(9)), 'SPW_WAL_INVALID');
  await archive.write(one, at(11), segmentOf(11, '1'), sentAt);
  await failsOtherwise(fetch(nameOf(11)), 'SPW_WAL_INVALID');
});

test('WAL for the data directory of another system is refused', async () => {
  await mkdir(join(dataDirectory, 'global'));
  const control = Buffer.alloc(8192);
  control.writeBigUInt64LE(1n, 0);
  await writeFile(join(dataDirectory, 'global/pg_control'), control);
  await failsOtherwise(fetch(nameOf(3)), 'SPW_SYSTEM_MISMATCH');
  control.writeBigUInt64LE(BigInt(SYSTEM), 0);
  await writeFile(join(dataDirectory, 'global/pg_control'), control);
  await fetch(nameOf(3));
});

test('WAL of a cluster that the repository does not know is refused', async () => {
  await failsOtherwise(fetch(nameOf(3), { cluster: 'other' }), 'SPW_SYSTEM_MISMATCH');
});

test('the finished segments that come next are laid ready, and none in progress', async () => {
  await mkdir(join(dataDirectory, RECOVERY_FOLDER));
  await fetch(nameOf(3), { prefetch: 8 });
  assert.deepEqual((await readdir(join(dataDirectory, RECOVERY_FOLDER))).toSorted(), [nameOf(4), nameOf(5)]);
  assert.ok((await readFile(join(dataDirectory, RECOVERY_FOLDER, nameOf(5)))).equals(bytesOf(5)));
  await rm(join(dataDirectory, RECOVERY_FOLDER, nameOf(5)));
  await fetch(nameOf(3), { prefetch: 1 });
  assert.equal(existsSync(join(dataDirectory, RECOVERY_FOLDER, nameOf(5))), false);
});

test('without the folder of a recovery nothing is laid anywhere', async () => {
  await fetch(nameOf(3), { prefetch: 8 });
  assert.deepEqual(await readdir(dataDirectory), ['pg_wal']);
});

test('a destination that cannot be written is never absent WAL', async () => {
  await failsOtherwise(fetch(nameOf(3), { destination: join(dataDirectory, 'no/such/folder') }), 'SPW_RESTORE_FAILED');
});
