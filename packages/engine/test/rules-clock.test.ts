// A target time in WAL whose commits do not come in the order of their times, because the server's clock stepped back.
//
// PostgreSQL stops at the first commit later than the target, wherever that stands; so must the plan reckon. The WAL is
// made here, record by record: a server's clock cannot be set back in a test.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BackupSummary } from '../src/format/manifest.ts';
import { readSystemWal, type SystemWal } from '../src/operation/backups.ts';
import { reach } from '../src/operation/restore/reach.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { findWay } from '../src/operation/wal/coverage.ts';
import { crc32c } from '../src/postgres/crc32c.ts';
import { lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { makeRepository } from './operation-stage.ts';

const SYSTEM = '7300000000000000001';
const SIZE = segmentSize(1024 * 1024);
const START = lsn(0x300000n);
const LONG_HEAD = 40;
const RECORD = 40;
const EPOCH_2000_MS = Date.UTC(2000, 0, 1);
const one = timelineId(1);

const minute = (of: number): Date => new Date(Date.UTC(2026, 10, 23, 12, of));

/** One segment with a commit at each of the times, in this order. */
function segmentWith(times: readonly Date[]): Buffer {
  const bytes = Buffer.alloc(SIZE);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(START, 8);
  bytes.writeBigUInt64LE(BigInt(SYSTEM), 24);
  bytes.writeUInt32LE(SIZE, 32);
  bytes.writeUInt32LE(8192, 36);
  times.forEach((time, index) => {
    const at = LONG_HEAD + index * RECORD;
    const record = bytes.subarray(at, at + 34);
    record.writeUInt32LE(34, 0);
    record.writeUInt32LE(700 + index, 4);
    record.writeBigUInt64LE(index === 0 ? START - 100n : START + BigInt(at - RECORD), 8);
    record.writeUInt8(0x00, 16); // a commit
    record.writeUInt8(1, 17); // of a transaction
    record.writeUInt8(255, 24);
    record.writeUInt8(8, 25);
    record.writeBigInt64LE(BigInt(time.getTime() - EPOCH_2000_MS) * 1000n, 26);
    record.writeUInt32LE(crc32c(Buffer.concat([record.subarray(24), record.subarray(0, 20)])), 20);
  });
  return bytes;
}

let folder = '';
let wal: SystemWal;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-clock-'));
  const repository = await makeRepository(folder);
  const archive = new WalArchive(repository, 'main', SYSTEM, SIZE);
  // Between the second and the third the clock was set back by half an hour.
  await archive.write(one, START, segmentWith([minute(10), minute(40), minute(11), minute(12)]), minute(30));
  wal = await readSystemWal({ repository, cluster: 'main' }, { system_identifier: SYSTEM, wal_segment_bytes: SIZE });
});
after(() => rm(folder, { recursive: true, force: true }));

const toldAt = async (of: number, exclusive = false): Promise<string | undefined> => {
  const way = findWay(wal.catalog, wal.ways.get(one) ?? [], START, SIZE);
  const backup = { start_lsn: '0/300000', stop_lsn: '0/300000' } as BackupSummary;
  const target = { kind: 'time', at: minute(of), text: minute(of).toISOString() } as const;
  const reached = await reach({ backup, wal, way, timeline: one, passedOver: [] }, { target, exclusive });
  return reached?.told.kind;
};

test('a time between the commits around a step of the clock is told to PostgreSQL, which stops before the first later one', async () => {
  // Later than the last commit; the second is later still. Told to replay all, it would be replayed too.
  assert.equal(await toldAt(20), 'time');
  assert.equal(await toldAt(12), 'time');
  assert.equal(await toldAt(5), 'time');
});

test('a time that the server’s clock had not reached when it sent the end of WAL is refused', async () => {
  assert.equal(await toldAt(50), undefined);
});
