import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { currentKeyNumber, type KeyRing, newDataKey, type Secret, unwrapKeyRing } from '../codec/keys.ts';
import { sealObject } from '../codec/seal.ts';
import { ringName, systemName } from '../format/names.ts';
import type { FaultPlan, StorageLocation } from '../storage/port.ts';
import { planDataKeyRotation, rotateDataKey, rotationUnfinished } from './data-key.ts';
import { addKeySlot, listKeySlots, removeKeySlot } from './key-slots.ts';
import { takeLock } from './lock.ts';
import { initRepository, openRepository, readKeySlots, Repository } from './repository.ts';
import { extendRing, isBeginningOf } from './ring.ts';

const PASSPHRASE = 'the passphrase of a repository for tests';
const passphrase: Secret = { kind: 'passphrase', passphrase: PASSPHRASE };
const root = await mkdtemp(join(tmpdir(), 'spillway-data-key-'));
after(() => rm(root, { recursive: true, force: true }));

/** A repository with three slots: the passphrase, and two recovery keys, which cost no scrypt. */
let first: Secret;
let second: Secret;
before(async () => {
  const path = join(root, 'model');
  await mkdir(path);
  const location = { kind: 'filesystem', path } as const;
  const { recoveryKey } = await initRepository({ location, passphrase: PASSPHRASE });
  first = { kind: 'recovery-key', recoveryKey };
  const repository = await openRepository({ location, secret: first });
  const added = await addKeySlot({ repository, label: 'second' });
  second = { kind: 'recovery-key', recoveryKey: added.recoveryKey ?? '' };
  await repository.write('system', systemName('main', '1'), [Buffer.from('by key 1')]);
});

let path: string;
let repository: Repository;
let count = 0;
beforeEach(async () => {
  path = await copyOf(join(root, 'model'));
  repository = await opening(first);
});
async function copyOf(folder: string): Promise<string> {
  const to = join(root, String(++count));
  await cp(folder, to, { recursive: true });
  return to;
}
const at = (): StorageLocation => ({ kind: 'filesystem', path });
const opening = (secret: Secret): Promise<Repository> => openRepository({ location: at(), secret });
const text = async (of: Repository, id: string): Promise<string> =>
  Buffer.from((await of.read('system', systemName('main', id)))[0] ?? []).toString();
const write = (of: Repository, id: string): Promise<unknown> =>
  of.write('system', systemName('main', id), [Buffer.from(`by key ${currentKeyNumber(of.keys)}`)]);
const numbers = ({ dataKeys }: KeyRing): number[] => dataKeys.map(({ number }) => number);
/** As after the death of whoever held it. */
const forgetLocks = (): Promise<void> => rm(join(path, 'locks'), { recursive: true, force: true });

test('A linked rotation: every secret finds the new key, what is written has it, and what was there is readable', async () => {
  const made = await rotateDataKey({ repository, secrets: [first] });
  assert.deepEqual(
    [made.outcome, made.number, made.cut, made.added.length, made.removed.length],
    ['made', 2, false, 1, 1],
  );
  await write(repository, '2');
  for (const secret of [passphrase, first, second]) {
    const opened = await opening(secret);
    assert.deepEqual(numbers(opened.keys), [1, 2]);
    assert.equal(await text(opened, '1'), 'by key 1');
    assert.equal(await text(opened, '2'), 'by key 2');
  }
  const again = await rotateDataKey({ repository: await opening(second), secrets: [second] });
  assert.equal(again.number, 3);
  assert.deepEqual(numbers((await opening(passphrase)).keys), [1, 2, 3]);
  const slots = await listKeySlots({ repository: await opening(second), secret: second });
  assert.equal(slots.length, 3);
  assert.deepEqual(
    slots.filter(({ opened }) => opened).map(({ label }) => label),
    ['second'],
  );
});

test('The slots of secrets at hand hold the whole ring themselves: without ring/ they open all', async () => {
  await rotateDataKey({ repository, secrets: [first] });
  await rm(join(path, 'ring'), { recursive: true });
  assert.deepEqual(numbers((await opening(first)).keys), [1, 2]);
  assert.deepEqual(numbers((await opening(second)).keys), [1]);
});

test('A cut: secrets that were not given open nothing any more, and an old ring does not lead to the new key', async () => {
  const old = await opening(second);
  const { proven, others } = await planDataKeyRotation({ repository, secrets: [first, passphrase] });
  assert.deepEqual([proven.length, others.length], [2, 1]);
  await assert.rejects(rotateDataKey({ repository, secrets: [first, passphrase], cutOff: [] }), {
    code: 'SPW_CONFIRMATION_NEEDED',
  });
  const made = await rotateDataKey({ repository, secrets: [first, passphrase], cutOff: others });
  assert.deepEqual([made.number, made.cut, made.added.length, made.removed.length], [2, true, 2, 3]);
  assert.deepEqual(await readdir(join(path, 'keys')), [...made.added].toSorted());
  for (const secret of [first, passphrase]) assert.deepEqual(numbers((await opening(secret)).keys), [1, 2]);
  await assert.rejects(opening(second), { code: 'SPW_KEY_WRONG' });
  const { ring, stop } = await extendRing(old.storage, old.id, old.keys, second);
  assert.deepEqual([numbers(ring), stop?.why], [[1], 'cut-off']);
  // Nor does the object as anybody can read it hold the key in the clear.
  const newKey = Buffer.from(repository.keys.dataKeys[1]?.key ?? []);
  assert.equal((await readFile(join(path, ringName(2)))).indexOf(newKey), -1);
});

test('Who runs with the old ring goes on, reads what the new key sealed, and then writes with it', async () => {
  const running = await opening(second);
  const worker = new Repository(structuredClone(running.handle));
  await rotateDataKey({ repository, secrets: [first] });
  await write(repository, '2');
  await write(running, '3');
  assert.equal(await text(repository, '3'), 'by key 1');
  assert.equal(await text(worker, '2'), 'by key 2');
  assert.equal(await text(running, '2'), 'by key 2');
  await write(running, '4');
  assert.equal(await text(repository, '4'), 'by key 2');
});

test('Who runs with a ring that was cut off goes on, stays readable, and is told why it cannot read on', async () => {
  const running = await opening(second);
  const { others } = await planDataKeyRotation({ repository, secrets: [first] });
  await rotateDataKey({ repository, secrets: [first], cutOff: others });
  await write(repository, '2');
  await write(running, '3');
  assert.equal(await text(repository, '3'), 'by key 1');
  await assert.rejects(text(running, '2'), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_KEY_ROTATED'));
    assert.match(error.why ?? '', /data key 2, and data key 2 was made without the secret in use/);
    return true;
  });
  // Nor does it make or remove slots that would hold less than all keys.
  await assert.rejects(addKeySlot({ repository: running }), { code: 'SPW_KEY_ROTATED' });
  await assert.rejects(rotateDataKey({ repository: running, secrets: [second] }), { code: 'SPW_KEY_ROTATED' });
});

for (const cut of [false, true]) {
  test(`A ${cut ? 'cut' : 'linked'} rotation that dies at any call of the store leaves one ring, and is finished by the next`, async (t) => {
    const model = path;
    let ended = false;
    let calls = 0;
    const seen = new Set<string>();
    while (!ended) {
      calls += 1;
      path = await copyOf(model);
      const fault: FaultPlan = {
        seed: 1,
        atCall: {
          verbs: ['get', 'put', 'list', 'stat', 'remove'],
          call: calls,
          what: 'unreachable',
          counter: new SharedArrayBuffer(4),
        },
      };
      const { handle } = await opening(first);
      const { others } = await planDataKeyRotation({ repository: new Repository(handle), secrets: [first] });
      const dying = new Repository({ ...handle, location: { ...at(), fault } });
      const run = rotateDataKey({ repository: dying, secrets: [first], ...(cut && { cutOff: others }) });
      ended = await run.then(
        () => true,
        (error: unknown) => {
          assert.ok(isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_LOCK_LOST'), String(error));
          return false;
        },
      );
      await forgetLocks();
      // Whatever happened: it opens, and everybody who opens it has the same ring.
      const rings = await Promise.all(
        [first, second].map((secret) =>
          opening(secret).then(
            ({ keys }) => keys,
            (error: unknown) => {
              assert.ok(
                cut && secret === second && isSpillwayError(error, 'SPW_KEY_ROTATED', 'SPW_KEY_WRONG'),
                String(error),
              );
              return undefined;
            },
          ),
        ),
      );
      const [mine, theirs] = rings;
      assert.ok(mine !== undefined);
      if (theirs !== undefined) assert.ok(isBeginningOf(mine, theirs) && isBeginningOf(theirs, mine));
      const later = await opening(first);
      await write(later, '2');
      const broken = await rotationUnfinished(later);
      seen.add(`${numbers(mine).join()} ${broken ? 'unfinished' : 'settled'}`);
      const next = await rotateDataKey({
        repository: later,
        secrets: [first],
        ...(cut && { cutOff: (await planDataKeyRotation({ repository: later, secrets: [first] })).others }),
      });
      const expected = broken ? ['finished', 2] : ['made', numbers(mine).length + 1];
      assert.deepEqual([next.outcome, next.number], expected, `call ${calls}`);
      assert.equal(await rotationUnfinished(later), false);
      const last = await opening(first);
      assert.equal(currentKeyNumber(last.keys), next.number);
      assert.match((await text(last, '1')) + (await text(last, '2')), /^by key 1by key [12]$/);
      assert.equal((await readdir(join(path, 'keys'))).length, cut ? 1 : 3);
      await rm(path, { recursive: true });
    }
    t.diagnostic(`${calls - 1} calls`);
    assert.ok(calls > 15);
    assert.deepEqual(seen, new Set(['1 settled', '1,2 unfinished', '1,2 settled']));
  });
}

test('Of two rotations at the same moment, as where one slept past its lock, one makes the key and both have it', async () => {
  const { storage } = repository;
  let once = true;
  const slept = {
    ...bound(storage),
    async put(...words: Parameters<typeof storage.put>) {
      if (once && words[0] === ringName(2)) {
        once = false;
        await forgetLocks();
        const other = await opening(second);
        assert.equal((await rotateDataKey({ repository: other, secrets: [second] })).number, 2);
      }
      return storage.put(...words);
    },
  };
  Object.defineProperty(repository, 'storage', { value: slept });
  const found = await rotateDataKey({ repository, secrets: [first] });
  assert.deepEqual([found.outcome, found.number], ['found', 2]);
  const rings = await Promise.all([first, second].map(async (secret) => (await opening(secret)).keys));
  assert.deepEqual(rings[0], rings[1]);
  assert.deepEqual(repository.keys, rings[0]);
});
const bound = (storage: Repository['storage']): Repository['storage'] => ({
  description: storage.description,
  get: (...words) => storage.get(...words),
  put: (...words) => storage.put(...words),
  list: (...words) => storage.list(...words),
  stat: (...words) => storage.stat(...words),
  remove: (...words) => storage.remove(...words),
});

test('Two rotations one after the other, begun at once, give one ring of three keys', async () => {
  const other = await opening(second);
  await Promise.all([
    rotateDataKey({ repository, secrets: [first] }),
    rotateDataKey({ repository: other, secrets: [second] }),
  ]);
  const rings = await Promise.all([first, second, passphrase].map(async (secret) => (await opening(secret)).keys));
  for (const ring of rings) assert.deepEqual(ring, rings[0]);
  assert.deepEqual(rings.map(numbers), [
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test('Who knows an old data key alone cannot name the next: it must be sealed by the one before', async () => {
  const old = repository.keys;
  await rotateDataKey({ repository, secrets: [first] });
  const step = {
    number: 3,
    at: '2026-11-23T18:15:00Z',
    key: Buffer.from(newDataKey()).toString('base64'),
    slots: [],
    replaced: [],
  };
  const forged = await sealObject(old, 'keyRing', ringName(3), [Buffer.from(JSON.stringify(step))]);
  await writeFile(join(path, ringName(3)), forged);
  const { ring, stop } = await extendRing(repository.storage, repository.id, old, undefined);
  assert.deepEqual(
    [numbers(ring), stop?.number, stop?.cause?.why],
    [[1, 2], 3, 'it was sealed by data key 1, not by the one before'],
  );
  await assert.rejects(rotateDataKey({ repository, secrets: [first] }), { code: 'SPW_OBJECT_DAMAGED' });
});

test('A damaged link: a slot with the whole ring opens all, another one what is older, and it is told', async () => {
  await rotateDataKey({ repository, secrets: [first] });
  await write(repository, '2');
  const link = join(path, ringName(2));
  const bytes = await readFile(link);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  await rm(link);
  await writeFile(link, bytes);
  assert.equal(await text(await opening(first), '2'), 'by key 2');
  const older = await opening(second);
  assert.equal(await text(older, '1'), 'by key 1');
  await assert.rejects(text(older, '2'), /clusters\/main\/systems\/2 cannot be read/);
  await assert.rejects(
    text(older, '2'),
    (error) => isSpillwayError(error, 'SPW_KEY_ROTATED') && /ring\/00002 is damaged/.test(error.why ?? ''),
  );
  await assert.rejects(addKeySlot({ repository: older }), { code: 'SPW_KEY_ROTATED' });
});

test('A key number that no rotation made is damage, not a rotation', async () => {
  const ring = { dataKeys: [...repository.keys.dataKeys, { number: 9, key: newDataKey() }] };
  const object = await sealObject(ring, 'system', systemName('main', '9'), [Buffer.from('')]);
  await repository.storage.put(systemName('main', '9'), [object]);
  await assert.rejects(text(repository, '9'), { code: 'SPW_OBJECT_DAMAGED' });
});

test('Slots that are added after a rotation hold all keys, and one is removed where a linked one stays', async () => {
  await rotateDataKey({ repository, secrets: [first] });
  const { recoveryKey = '' } = await addKeySlot({ repository });
  const slots = [];
  for await (const { slot } of readKeySlots(repository.storage, repository.id)) {
    const ring =
      typeof slot === 'string' ? undefined : await unwrapKeyRing(slot, { kind: 'recovery-key', recoveryKey });
    if (ring !== undefined) slots.push(numbers(ring));
  }
  assert.deepEqual(slots, [[1, 2]]);
  const own = (await listKeySlots({ repository, secret: first })).find(({ opened }) => opened);
  const { remaining } = await removeKeySlot({ repository, secret: first, id: own?.id ?? '', proof: second });
  assert.equal(remaining, 3);
});

test('No slot is added while the data key is rotated', async () => {
  const lock = await takeLock(repository, 'keys', { holder: 'rotation of the data key' });
  const controller = new AbortController();
  const adding = addKeySlot({ repository, signal: controller.signal });
  const slotsBefore = (await readdir(join(path, 'keys'))).length;
  controller.abort();
  await assert.rejects(adding);
  assert.equal((await readdir(join(path, 'keys'))).length, slotsBefore);
  await lock[Symbol.asyncDispose]();
});
