// WAL held to the rules of docs/rules.md: each field of a segment's head, what may wait in memory while the store is slow,
// and what a fetch that fails leaves behind.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { fetchWal } from '../src/operation/wal/fetch.ts';
import { WAITING_MAX, WalRecorder } from '../src/operation/wal/recorder.ts';
import { lsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { checkSegmentHeader } from '../src/postgres/walrecord.ts';
import { makeRepository } from './operation-stage.ts';

const MIB = 1024 * 1024;
const SIZE = segmentSize(MIB);
const START = lsn(0x300000n);
const SYSTEM = '7300000000000000001';
const one = timelineId(1);

function head(): Buffer {
  const bytes = Buffer.alloc(SIZE);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(START, 8);
  bytes.writeBigUInt64LE(BigInt(SYSTEM), 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

const expected = { systemIdentifier: SYSTEM, timeline: one, start: START, segmentSize: SIZE };

test('a head in which everything fits is accepted', () => checkSegmentHeader(head(), expected));

const wrong: readonly (readonly [what: string, why: RegExp, change: (bytes: Buffer) => unknown])[] = [
  ['page magic', /page magic/, (bytes) => bytes.writeUInt16LE(0xd109, 0)],
  ['long page head', /long page head/, (bytes) => bytes.writeUInt16LE(0, 2)],
  ['timeline', /timeline 2/, (bytes) => bytes.writeUInt32LE(2, 4)],
  ['timeline of zero', /timeline 0/, (bytes) => bytes.writeUInt32LE(0, 4)],
  ['address', /address/, (bytes) => bytes.writeBigUInt64LE(START + BigInt(SIZE), 8)],
  ['system identifier', /system/, (bytes) => bytes.writeBigUInt64LE(8n, 24)],
  ['segment size', /segment size/, (bytes) => bytes.writeUInt32LE(2 * SIZE, 32)],
  ['page size', /page size/, (bytes) => bytes.writeUInt32LE(16_384, 36)],
];
for (const [what, why, change] of wrong) {
  test(`a head with another ${what} is refused`, () => {
    const bytes = head();
    change(bytes);
    assert.throws(() => checkSegmentHeader(bytes, expected), { code: 'SPW_WAL_INVALID', why });
  });
}

test('a recorder takes no more WAL while as much as may wait is not stored', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-rules-'));
  try {
    const archive = new WalArchive(await makeRepository(folder), 'main', SYSTEM, SIZE);
    const gate = Promise.withResolvers<void>();
    const write = archive.write.bind(archive);
    archive.write = async (...words) => {
      await gate.promise;
      return write(...words);
    };
    const recorder = await WalRecorder.begin(archive, one, START, {
      flushIntervalMs: 600_000,
      onDurable: () => undefined,
      totals: { segments: 0, pieces: 0, bytes: 0, storedBytes: 0 },
    });
    const bytes = Buffer.alloc(SIZE, 7);
    let taken = 0;
    const feeding = (async () => {
      for (let segment = 0; segment < 5; segment++) {
        await recorder.append(lsn(START + BigInt(segment * SIZE)), bytes, new Date(0));
        taken++;
      }
    })();
    // Whatever could go on has gone on when timers have had their turn twice.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    assert.equal(taken, WAITING_MAX - 1);
    assert.equal(recorder.durable, START);
    gate.resolve();
    await feeding;
    await recorder.flush();
    recorder.close();
    assert.equal(recorder.durable, lsn(START + BigInt(5 * SIZE)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a fetch that cannot put its file in place leaves nothing of it behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-rules-'));
  try {
    const repository = await makeRepository(folder);
    await admitSystem(repository, 'main', { systemIdentifier: SYSTEM, segmentBytes: SIZE });
    await new WalArchive(repository, 'main', SYSTEM, SIZE).write(one, START, head(), new Date(0));
    const dataDirectory = join(folder, 'data');
    const destination = join(dataDirectory, 'pg_wal', 'RECOVERYXLOG');
    await mkdir(join(destination, 'in the way'), { recursive: true });
    const fileName = segmentName(one, START, SIZE);
    await assert.rejects(fetchWal({ repository, cluster: 'main', fileName, destination, dataDirectory }), {
      code: 'SPW_RESTORE_FAILED',
    });
    assert.deepEqual(await readdir(join(dataDirectory, 'pg_wal')), ['RECOVERYXLOG']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
