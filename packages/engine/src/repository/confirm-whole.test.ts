import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import { newKeyRing } from '../codec/keys.ts';
import { manifestName } from '../format/names.ts';
import { COLLECT_LOCK } from './collect.ts';
import { confirmWhole } from './confirm-whole.ts';
import { writeIndex } from './index-store.ts';
import { type Lock, takeLock } from './lock.ts';
import { PackWriter } from './pack-writer.ts';
import { Repository } from './repository.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-confirm-'));
after(() => rm(root, { recursive: true, force: true }));
const name = manifestName('main', '20261123T181500Z-00000001');
const stored = randomBytes(32);

async function stage(): Promise<{ readonly repository: Repository; readonly lock: Lock }> {
  const path = await mkdtemp(join(root, 'r-'));
  const repository = new Repository({ id: 'test', location: { kind: 'filesystem', path }, keys: newKeyRing() });
  const writer = new PackWriter(repository, 3);
  writer.add(stored, Buffer.from('content'));
  await writeIndex(repository, await writer.finish());
  await repository.write('manifest', name, [Buffer.from('as if')]);
  return { repository, lock: await takeLock(repository, 'backup-main', { holder: 'backup' }) };
}
const confirm = (at: { readonly repository: Repository; readonly lock: Lock }, chunk: Buffer): Promise<void> =>
  confirmWhole({ ...at, name, what: 'backup 1 of cluster main', chunkIds: chunk, report: () => undefined });
/** What somebody does who saw no sign of life for long. */
async function takeAway(repository: Repository): Promise<void> {
  for (let number = 2; number < 4; number++) {
    const record = { state: 'released', token: 'another' };
    const words = Buffer.from(JSON.stringify(record));
    await repository.write('lock', `locks/backup-main/${String(number).padStart(12, '0')}`, [words]);
  }
}

test('A writer that holds its lock needs no look at its chunks', async () => {
  const at = await stage();
  await confirm(at, randomBytes(32));
  assert.ok((await at.repository.storage.stat(name)) !== undefined);
  await at.lock[Symbol.asyncDispose]();
});

test('A writer that lost its lock keeps a manifest whose chunks are all there, and waits for a running collection', async () => {
  const at = await stage();
  await takeAway(at.repository);
  const collecting = await takeLock(at.repository, COLLECT_LOCK, { holder: 'expiry' });
  const { storage } = at.repository;
  const list = storage.list.bind(storage);
  const looking = Promise.withResolvers<boolean>();
  storage.list = (prefix, options) => {
    if (prefix.startsWith(`locks/${COLLECT_LOCK}/`)) looking.resolve(true);
    return list(prefix, options);
  };
  let ended = false;
  const confirmed = confirm(at, stored).then(() => ended);
  await Promise.race([looking.promise, confirmed]);
  storage.list = list;
  ended = true;
  await collecting[Symbol.asyncDispose]();
  assert.ok(await confirmed, 'it looked while packs were being collected');
  assert.ok((await at.repository.storage.stat(name)) !== undefined);
});

test('A writer that lost its lock takes back a manifest of which a chunk was collected', async () => {
  const at = await stage();
  await takeAway(at.repository);
  await assert.rejects(confirm(at, randomBytes(32)), (error) => {
    assert.ok(error instanceof SpillwayError);
    assert.deepEqual([error.code, /1 of its chunks/.test(error.why ?? '')], ['SPW_LOCK_LOST', true]);
    return true;
  });
  assert.equal(await at.repository.storage.stat(name), undefined);
});
