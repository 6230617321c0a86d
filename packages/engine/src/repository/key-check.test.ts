import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import type { Secret } from '../codec/keys.ts';
import { newRecoveryKey } from '../codec/recovery-key.ts';
import { packName, systemName } from '../format/names.ts';
import { rotateDataKey } from './data-key.ts';
import { listEvidence } from './evidence.ts';
import { checkKey, lastKeyCheck } from './key-check.ts';
import { PackWriter } from './pack-writer.ts';
import { initRepository, openRepository, type Repository } from './repository.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-key-check-'));
after(() => rm(root, { recursive: true, force: true }));
const path = join(root, 'repository');
const passphrase: Secret = { kind: 'passphrase', passphrase: 'the passphrase of a repository for tests' };
let repository: Repository;
let recovery: Secret;
before(async () => {
  await mkdir(path);
  const location = { kind: 'filesystem', path } as const;
  const { recoveryKey } = await initRepository({ location, passphrase: passphrase.passphrase });
  recovery = { kind: 'recovery-key', recoveryKey };
  repository = await openRepository({ location, secret: passphrase });
});
const clear = async (prefix: string): Promise<void> => {
  for await (const { name } of repository.storage.list(prefix)) await repository.storage.remove(name);
};
const check = (secret: Secret) => checkKey({ repository, secret, clusters: ['main', 'other'] });

test('An empty repository is opened, and nothing is said to have been read', async () => {
  const { check: found, evidence } = await check(recovery);
  assert.deepEqual(found.data_keys, [{ number: 1, object: null }]);
  assert.deepEqual([found.slot_kind, evidence.map(({ cluster }) => cluster)], ['recovery-key', ['main', 'other']]);
});

test('An object of each data key is opened, be it a pack, and never one that does not open', async () => {
  const writer = new PackWriter(repository, 0);
  writer.add(new Uint8Array(32), Buffer.from('a chunk'));
  const [pack] = await writer.finish();
  await clear('clusters/');
  const { check: found } = await check(recovery);
  assert.deepEqual(found.data_keys, [{ number: 1, object: packName(pack?.packId ?? '') }]);
  await clear('clusters/');
  await rotateDataKey({ repository, secrets: [passphrase] });
  await clear('locks/');
  // Its name is bound, so what was copied to another does not open.
  const [object] = [await repository.storage.get(packName(pack?.packId ?? ''))];
  await repository.storage.put(systemName('a', '1'), [object]);
  assert.deepEqual((await check(recovery)).check.data_keys, [
    { number: 1, object: 'ring/00002' },
    { number: 2, object: null },
  ]);
  await clear('clusters/');
  await repository.write('system', systemName('main', '1'), [Buffer.from('words')]);
  const { check: now } = await check(recovery);
  assert.deepEqual(now.data_keys[1], { number: 2, object: systemName('main', '1') });
});

test('A secret that opens nothing is on record as a failure, signed by the repository', async () => {
  const wrong: Secret = { kind: 'recovery-key', recoveryKey: newRecoveryKey() };
  await assert.rejects(check(wrong), (error) => isSpillwayError(error, 'SPW_KEY_WRONG'));
  const { records, unreadable } = await listEvidence(repository, 'main');
  assert.equal(unreadable.length, 0);
  const last = records.at(-1);
  assert.deepEqual([last?.kind, last?.result, last?.details['error']], ['key-check', 'failed', 'SPW_KEY_WRONG']);
  assert.ok(lastKeyCheck(records, 'recovery-key'));
  assert.equal(lastKeyCheck(records, 'passphrase'), undefined);
});

test('A slot that does not lead to all data keys is a failure too', async () => {
  await clear('ring/');
  await assert.rejects(check(recovery), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_KEY_ROTATED'));
    assert.match(error.why ?? '', /it ends at data key 1/);
    return true;
  });
  assert.equal((await check(passphrase)).check.slot_kind, 'passphrase');
});
