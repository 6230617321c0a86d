import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  checkWal,
  type Counters,
  countersOf,
  listBackups,
  openRepository,
  planRestore,
  recoveryWindow,
  shareStorage,
  walReader,
} from '@spillway/engine';
import { readIndex } from '../src/repository/index-store.ts';
import { makeSyntheticRepository } from './synthetic-repository.ts';

/** Of a manifest to read its head: 16 KiB, whatever the backup has. */
const HEAD_READ_BYTES = 16 * 1024;

test('a synthetic repository has as many backups and chunks as were asked for, and takes no room for the chunks', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-synthetic-'));
  t.after(() => rm(path, { recursive: true }));
  const passphrase = 'a passphrase that is long enough for it';
  const { packs } = await makeSyntheticRepository({
    path,
    passphrase,
    cluster: 'main',
    backups: 4,
    chunks: 2000,
    chunksPerBackup: 1000,
    random: Math.random,
    now: new Date('2026-11-28T12:00:00Z'),
  });
  const repository = await openRepository({
    location: { kind: 'filesystem', path },
    secret: { kind: 'passphrase', passphrase },
  });
  const index = await readIndex(repository);
  assert.deepEqual([index.chunks, index.packs.length, index.damagedPacks], [2000, packs, []]);
  assert.equal((await listBackups({ repository, cluster: 'main' })).length, 4);
  const pack = index.packs[0];
  const file = await stat(join(path, 'packs', pack?.packId.slice(0, 2) ?? '', pack?.packId ?? ''));
  assert.equal(file.size, pack?.packBytes);
  assert.equal(file.blocks, 0);
});

test('listing asks once for each backup, once for the WAL, and planning asks for one manifest and the index', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-counted-'));
  t.after(() => rm(path, { recursive: true }));
  const passphrase = 'a passphrase that is long enough for it';
  const [backups, chunks, cluster, signal] = [12, 5_000, 'main', AbortSignal.timeout(60_000)];
  const made = { path, passphrase, cluster, backups, chunks, chunksPerBackup: 1_000 };
  await makeSyntheticRepository({ ...made, random: Math.random, now: new Date() });
  const location = shareStorage({ kind: 'filesystem', path });
  const asked = { repository: await openRepository({ location, secret: { kind: 'passphrase', passphrase } }), cluster };
  const counted = async (act: () => Promise<unknown>): Promise<Counters> => {
    const before = countersOf(location);
    await act();
    const after = Object.entries(countersOf(location)) as [keyof Counters, number][];
    return Object.fromEntries(after.map(([name, count]) => [name, count - before[name]])) as Counters;
  };
  const listing = await counted(async () => {
    const read = { backups: await listBackups(asked), readWal: walReader(asked) };
    await Promise.all([recoveryWindow({ ...asked, ...read }), checkWal({ ...asked, ...read })]);
  });
  // The head of each manifest, and four small things: the system's record twice, when the newest WAL was sent twice.
  assert.equal(listing.get_calls, backups + 4);
  assert.ok(listing.get_bytes <= backups * HEAD_READ_BYTES + 4096, `${listing.get_bytes} bytes`);
  const plan = { ...asked, target: { kind: 'latest' }, targetDirectory: `${path}-restored`, signal } as const;
  const planning = await counted(() => planRestore(plan));
  // Those heads, one index object a backup, and of one backup the manifest and its two files of settings, if it has any.
  assert.ok(planning.get_calls <= 2 * backups + 6, `${planning.get_calls} calls`);
  const indexAndManifest = 2 * 40 * chunks;
  assert.ok(planning.get_bytes <= backups * HEAD_READ_BYTES + indexAndManifest, `${planning.get_bytes} bytes`);
  assert.deepEqual([listing.put_calls, planning.put_calls], [0, 0]);
  for (const { list_calls: lists } of [listing, planning]) assert.ok(lists <= 20, `${lists} lists`);
});
