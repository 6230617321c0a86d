import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listBackups, openRepository } from '@spillway/engine';
import { readIndex } from '../src/repository/index-store.ts';
import { makeSyntheticRepository } from './synthetic-repository.ts';

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
