import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { testConformance } from './conformance.ts';
import { FilesystemStorage } from './filesystem.ts';

const made: string[] = [];
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-storage-'));
  made.push(path);
  return path;
};
after(async () => {
  for (const path of made) await rm(path, { recursive: true, force: true });
});

const unreachable = (error: unknown) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE');

testConformance('filesystem', async () => new FilesystemStorage(await folder()));

test('a folder that is not there is unreachable, never an empty store', async () => {
  const storage = new FilesystemStorage(join(await folder(), 'unmounted'));
  await assert.rejects(storage.get('a'), unreachable);
  await assert.rejects(storage.stat('a'), unreachable);
  await assert.rejects(storage.put('a', []), unreachable);
  await assert.rejects(storage.remove('a'), unreachable);
  await assert.rejects(async () => {
    for await (const _ of storage.list('')) assert.fail('listed something');
  }, unreachable);
});

test('a put leaves nothing but the object', async () => {
  const path = await folder();
  const storage = new FilesystemStorage(path);
  await storage.put('packs/ab/abcd', [Buffer.from('x')]);
  await storage.put('packs/ab/abcd', [Buffer.from('y')]);
  assert.deepEqual(await readdir(join(path, '.incoming')), []);
  assert.deepEqual(await readdir(join(path, 'packs/ab')), ['abcd']);
});

test('two stores of one folder in one process write at once without meeting', async () => {
  const path = await folder();
  const stores = [new FilesystemStorage(path), new FilesystemStorage(path)];
  const puts = stores.flatMap((storage, n) =>
    Array.from({ length: 10 }, (_, i) => storage.put(`packs/${n}${i}`, [Buffer.from(`${n}${i}`)])),
  );
  assert.deepEqual(new Set(await Promise.all(puts)), new Set(['created']));
});
