// A list of WAL that is read while a receiver finishes a segment: it comes past the segment's place before that is
// there, and past its pieces' when they are gone. What was durable before must be seen all the same.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import type { Repository } from '../src/repository/repository.ts';
import type { Storage } from '../src/storage/port.ts';
import { makeRepository } from './operation-stage.ts';
import { assembled } from './stored-wal.ts';

const SIZE = segmentSize(1024 * 1024);
const ONE = timelineId(1);
const sentAt = new Date('2026-11-23T18:15:00Z');

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spw-race-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Its verbs, to be put together with others. */
const bound = (storage: Storage): Storage => ({
  description: storage.description,
  get: storage.get.bind(storage),
  put: storage.put.bind(storage),
  list: storage.list.bind(storage),
  stat: storage.stat.bind(storage),
  remove: storage.remove.bind(storage),
});

/** Lets `meanwhile` happen within the next list, and leaves out of it what is there only before, or only after. */
function interrupt(repository: Repository, meanwhile: () => Promise<void>): void {
  const { storage } = repository;
  let armed = true;
  const list: Storage['list'] = async function* (prefix, options) {
    const seen = await Array.fromAsync(storage.list(prefix, options));
    if (armed) {
      armed = false;
      await meanwhile();
    }
    for (const each of seen) if ((await storage.stat(each.name)) !== undefined) yield each;
  };
  Object.assign(repository, { storage: { ...bound(storage), list } });
}

for (const earlier of [0, 2]) {
  test(`WAL in pieces that are replaced while it is listed is seen, with ${earlier} segments before it`, async () => {
    const repository = await makeRepository(folder);
    const archive = new WalArchive(repository, 'main', '7300000000000000001', SIZE);
    const wal = Buffer.alloc(SIZE, 'wal');
    for (let i = 0; i < earlier; i++) await archive.write(ONE, lsn(0x100000n * BigInt(i)), wal, sentAt);
    const start = lsn(0x100000n * BigInt(earlier));
    const pieces = [
      await archive.write(ONE, start, wal.subarray(0, 5000), sentAt),
      await archive.write(ONE, lsn(start + 5000n), wal.subarray(5000, 9000), sentAt),
    ].map(({ object }) => object);
    await archive.write(ONE, lsn(start + BigInt(SIZE)), wal.subarray(0, 100), sentAt);
    const finish = async (): Promise<void> => {
      await archive.write(ONE, start, wal, sentAt);
      await archive.remove(pieces);
    };
    interrupt(repository, finish);
    const { objects } = await archive.catalog();
    assert.ok(objects.get(ONE)?.some(({ kind, start: at }) => kind === 'segment' && at === start));
  });

  test(`one segment is found whole while its pieces are replaced, with ${earlier} segments before it`, async () => {
    const repository = await makeRepository(folder);
    const archive = new WalArchive(repository, 'main', '7300000000000000001', SIZE);
    const wal = Buffer.alloc(SIZE, 'wal');
    const start = lsn(0x100000n * BigInt(earlier));
    const { object } = await archive.write(ONE, start, wal.subarray(0, 5000), sentAt);
    interrupt(repository, async () => {
      await archive.write(ONE, start, wal, sentAt);
      await archive.remove([object]);
    });
    assert.equal((await assembled(archive, ONE, start))?.end, start + BigInt(SIZE));
  });
}

test('what is stored can be told while the last piece is replaced after it was listed', async () => {
  const repository = await makeRepository(folder);
  const system = '7300000000000000001';
  const archive = new WalArchive(repository, 'main', system, SIZE);
  const wal = Buffer.alloc(SIZE, 'wal');
  await admitSystem(repository, 'main', { systemIdentifier: system, segmentBytes: SIZE });
  const { object } = await archive.write(ONE, lsn(0n), wal.subarray(0, 5000), sentAt);
  const { storage } = repository;
  const get: Storage['get'] = async (name, options) => {
    if (name === object.name) {
      await archive.write(ONE, lsn(0n), wal, sentAt);
      await archive.remove([object]);
    }
    return storage.get(name, options);
  };
  Object.assign(repository, { storage: { ...bound(storage), get } });
  const [timeline] = (await checkWal({ repository, cluster: 'main' })).timelines;
  assert.equal(timeline?.last_at, sentAt.toISOString());
});
