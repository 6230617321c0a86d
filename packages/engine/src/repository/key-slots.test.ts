import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import type { Secret } from '../codec/keys.ts';
import { addKeySlot, findKeySlot, listKeySlots, removeKeySlot, rotatePassphrase } from './key-slots.ts';
import { initRepository, openRepository, type Repository } from './repository.ts';

const first: Secret = { kind: 'passphrase', passphrase: 'the first passphrase of the repository' };
const second: Secret = { kind: 'passphrase', passphrase: 'the second passphrase of the repository' };
const root = await mkdtemp(join(tmpdir(), 'spillway-keys-'));
after(() => rm(root, { recursive: true, force: true }));

let path: string;
let repository: Repository;
let recovery: Secret;
let count = 0;
beforeEach(async () => {
  path = join(root, String(++count));
  await mkdir(path);
  const made = await initRepository({ location: { kind: 'filesystem', path }, passphrase: first.passphrase });
  recovery = { kind: 'recovery-key', recoveryKey: made.recoveryKey };
  repository = await opening(first);
});
const opening = (secret: Secret): Promise<Repository> =>
  openRepository({ location: { kind: 'filesystem', path }, secret });
const refuses = (secret: Secret): Promise<void> => assert.rejects(opening(secret), { code: 'SPW_KEY_WRONG' });
const slotOf = async (secret: Secret): Promise<string> => {
  const slot = (await listKeySlots({ repository, secret })).find(({ opened }) => opened);
  assert.ok(slot !== undefined);
  return slot.id;
};

test('Slots are listed with what a person knows them by, and which one opened now', async () => {
  await addKeySlot({ repository, passphrase: second.passphrase, label: 'Zoë, on call' });
  await writeFile(join(path, 'keys', 'broken'), '{');
  const slots = await listKeySlots({ repository, secret: first });
  const told = slots.map(({ kind, label, opened, problem }) => `${kind} ${label} ${opened} ${problem}`);
  assert.deepEqual(
    new Set(told),
    new Set([
      'null null false it is not JSON',
      'passphrase null true null',
      'passphrase Zoë, on call false null',
      'recovery-key null false null',
    ]),
  );
});

test('A secret that was added opens the repository, and the others go on to', async () => {
  await addKeySlot({ repository, passphrase: second.passphrase });
  const { recoveryKey } = await addKeySlot({ repository, label: 'safe' });
  for (const secret of [first, second, recovery, { kind: 'recovery-key', recoveryKey: recoveryKey ?? '' } as const]) {
    assert.equal((await opening(secret)).id, repository.id);
  }
  await assert.rejects(addKeySlot({ repository, passphrase: 'too short' }), { code: 'SPW_PASSPHRASE_SHORT' });
});

test('A label is bound: a slot whose label was changed or taken away does not open', async () => {
  const { slot } = await addKeySlot({ repository, passphrase: second.passphrase, label: 'one' });
  const file = join(path, 'keys', slot.id);
  const content = JSON.parse(await readFile(file, 'utf8')) as object;
  for (const label of ['two', undefined]) {
    await rm(file);
    await writeFile(file, JSON.stringify({ ...content, label }));
    await refuses(second);
  }
});

test('A slot is removed only where a secret at hand opens another', async () => {
  const own = await slotOf(first);
  await assert.rejects(removeKeySlot({ repository, secret: first, id: own }), { code: 'SPW_KEY_SLOT_NEEDED' });
  await assert.rejects(removeKeySlot({ repository, secret: first, id: own, proof: second }), {
    code: 'SPW_KEY_SLOT_NEEDED',
  });
  assert.deepEqual(await removeKeySlot({ repository, secret: first, id: own, proof: recovery }), {
    removed: own,
    remaining: 1,
  });
  await refuses(first);
  const last = await slotOf(recovery);
  await assert.rejects(removeKeySlot({ repository, secret: recovery, id: last, proof: recovery }), /not removed/);
  assert.deepEqual(await readdir(join(path, 'keys')), [last]);
});

test('A slot of another secret is removed by the beginning of its id, and an unknown one is an error', async () => {
  const other = await slotOf(recovery);
  assert.equal((await findKeySlot({ repository, secret: first, id: other.slice(0, 8) })).id, other);
  await removeKeySlot({ repository, secret: first, id: other.slice(0, 8) });
  await refuses(recovery);
  await assert.rejects(removeKeySlot({ repository, secret: first, id: 'zzz' }), { code: 'SPW_KEY_SLOT_UNKNOWN' });
});

test('Rotation puts another passphrase in the place of the old one, and goes on where it was broken off', async () => {
  await assert.rejects(rotatePassphrase({ repository, secret: first, passphrase: first.passphrase }), {
    code: 'SPW_USAGE',
  });
  await assert.rejects(rotatePassphrase({ repository, secret: recovery, passphrase: second.passphrase }), {
    code: 'SPW_USAGE',
  });
  const own = await slotOf(first);
  // As far as it came: the new slot is there, the old one too.
  const { slot } = await addKeySlot({ repository, passphrase: second.passphrase });
  const rotated = await rotatePassphrase({ repository, secret: first, passphrase: second.passphrase });
  assert.deepEqual(rotated, { added: slot.id, removed: [own], remaining: 2 });
  await refuses(first);
  assert.equal((await opening(second)).id, repository.id);
  assert.equal((await opening(recovery)).id, repository.id);
});

test('Two that remove a slot each at the same time, relying on the other, leave one', async () => {
  await addKeySlot({ repository, passphrase: second.passphrase });
  await removeKeySlot({ repository, secret: first, id: await slotOf(recovery) });
  const [own, other] = [await slotOf(first), await slotOf(second)];
  const outcomes = await Promise.allSettled([
    removeKeySlot({ repository, secret: first, proof: second, id: own }),
    removeKeySlot({ repository, secret: second, proof: first, id: other }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  assert.equal((await readdir(join(path, 'keys'))).length, 1);
});
