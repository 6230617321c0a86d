import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type KeyRing, type KeySlot, newDataKey, type Secret, unwrapKeyRing } from '../codec/keys.ts';
import { combineRecoveryShares } from '../codec/recovery-shares.ts';
import { FilesystemStorage } from '../storage/filesystem.ts';
import { openSlot } from './repository.ts';
import { copyRing, extendRing, isBeginningOf } from './ring.ts';

const golden = JSON.parse(await readFile(new URL('../format/golden/ring.json', import.meta.url), 'utf8')) as {
  readonly recoveryKey: string;
  readonly shares: readonly string[];
  readonly slot: KeySlot;
  readonly objects: Readonly<Record<string, string>>;
  readonly dataKeys: readonly { readonly number: number; readonly key: string }[];
};
const folder = await mkdtemp(join(tmpdir(), 'spillway-ring-'));
after(() => rm(folder, { recursive: true, force: true }));
const storage = new FilesystemStorage(folder);
for (const [name, object] of Object.entries(golden.objects)) await storage.put(name, [Buffer.from(object, 'base64')]);
const secret: Secret = { kind: 'recovery-key', recoveryKey: golden.recoveryKey };

test('a slot of the first data key leads to the third over a link and a cut as they were once written', async () => {
  const opened = await openSlot(storage, golden.slot, secret);
  assert.equal(opened?.stop, undefined);
  assert.deepEqual(
    opened?.ring.dataKeys.map(({ number, key }) => ({ number, key: Buffer.from(key).toString('hex') })),
    golden.dataKeys,
  );
  const first = await unwrapKeyRing(golden.slot, secret);
  const without = await extendRing(storage, golden.slot.repository, first ?? { dataKeys: [] }, undefined);
  assert.deepEqual([without.ring.dataKeys.length, without.stop?.why], [2, 'cut-off']);
});

test('slots in a ring object that are of another repository do not count', async () => {
  const first = await unwrapKeyRing(golden.slot, secret);
  const other = await extendRing(storage, 'another', first ?? { dataKeys: [] }, secret);
  assert.equal(other.stop?.why, 'cut-off');
});

test('shares as they were once printed give the recovery key', async () => {
  const given = golden.shares.slice(1).map((text, i) => ({ text, where: `share ${i + 2}` }));
  assert.equal(await combineRecoveryShares(given), golden.recoveryKey);
});

test('a ring is the beginning of another only where numbers and keys are the same', () => {
  const [a, b] = [newDataKey(), newDataKey()];
  const ring = (...keys: readonly Uint8Array[]): KeyRing => ({
    dataKeys: keys.map((key, i) => ({ number: i + 1, key })),
  });
  assert.ok(isBeginningOf(ring(a), ring(a, b)));
  assert.ok(isBeginningOf(ring(a, b), ring(a, b)));
  assert.ok(!isBeginningOf(ring(a, b), ring(a)));
  assert.ok(!isBeginningOf(ring(b), ring(a, b)));
  assert.ok(!isBeginningOf({ dataKeys: [{ number: 2, key: a }] }, ring(a, b)));
});

test('another place gets the ring objects that it lacks, and one that made another key of that number is refused', async () => {
  const path = await mkdtemp(join(tmpdir(), 'spillway-ring-'));
  after(() => rm(path, { recursive: true, force: true }));
  const place = new FilesystemStorage(path);
  assert.deepEqual(await copyRing(storage, place), ['ring/00002', 'ring/00003']);
  assert.deepEqual(await copyRing(storage, place), []);
  const opened = await openSlot(place, golden.slot, secret);
  assert.equal(opened?.ring.dataKeys.length, 3);
  await place.remove('ring/00003');
  await place.put('ring/00003', [Buffer.from(golden.objects['ring/00002'] ?? '', 'base64')]);
  await assert.rejects(copyRing(storage, place), { code: 'SPW_OBJECT_EXISTS' });
});
