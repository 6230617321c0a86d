import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { authenticate } from '../codec/authenticate.ts';
import { newKeyRing } from '../codec/keys.ts';
import { sealObject } from '../codec/seal.ts';
import { packName } from '../format/names.ts';
import { PackWriter } from './pack-writer.ts';
import { Repository } from './repository.ts';
import { authenticatePack } from './whole-pack.ts';

test('every byte of a pack is proven: one that is changed, moved or cut off is noticed', async () => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-whole-pack-'));
  try {
    const repository = new Repository({ id: randomUUID(), location: { kind: 'filesystem', path }, keys: newKeyRing() });
    const writer = new PackWriter(repository, 3);
    for (let n = 0; n < 4; n++) writer.add(randomBytes(32), Buffer.alloc(500 + n, n));
    const [directory] = await writer.finish();
    assert.ok(directory !== undefined);
    const { packId } = directory;
    const bytes = await repository.storage.get(packName(packId));
    const { salt, ...proven } = authenticatePack(repository.keys, packId, bytes);
    assert.deepEqual({ ...proven, salt: Buffer.from(salt) }, directory);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(
        () => authenticatePack(repository.keys, packId, changed),
        /is damaged|cannot be read/,
        `byte ${at}`,
      );
    }
    for (const end of [0, 47, 60, bytes.length - 9, bytes.length - 1]) {
      assert.throws(() => authenticatePack(repository.keys, packId, bytes.subarray(0, end)), {
        code: 'SPW_OBJECT_DAMAGED',
      });
    }
    assert.throws(() => authenticatePack(repository.keys, 'f'.repeat(32), bytes), { code: 'SPW_OBJECT_DAMAGED' });
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});

test('an object that was cut at the end of a frame does not authenticate', async () => {
  const keys = newKeyRing();
  const bytes = await sealObject(keys, 'manifest', 'm', [Buffer.from('one'), Buffer.from('two')], { level: 0 });
  const [first = 0] = authenticate(keys, 'manifest', 'm', bytes);
  assert.throws(() => authenticate(keys, 'manifest', 'm', bytes.subarray(0, 48 + first)), {
    code: 'SPW_OBJECT_DAMAGED',
  });
  assert.throws(() => authenticate(keys, 'manifest', 'other', bytes), { code: 'SPW_OBJECT_DAMAGED' });
  assert.throws(() => authenticate(keys, 'dump', 'm', bytes), { code: 'SPW_OBJECT_DAMAGED' });
});
