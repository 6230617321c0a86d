// Against a fake server that speaks KMS's protocol: the true one cannot run here. What a policy of AWS says is not tried.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { type FakeKms, startFakeKms } from '@spillway/lab';
import type { KeyService, KeySlot, Secret } from '../codec/keys.ts';
import { planDataKeyRotation, rotateDataKey } from '../repository/data-key.ts';
import { addKeySlot, listKeySlots } from '../repository/key-slots.ts';
import { initRepository, openRepository, type Repository } from '../repository/repository.ts';
import { awsKms, inRegion } from './aws-kms.ts';

const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const OTHER = 'arn:aws:kms:eu-west-1:111122223333:key/aaaaaaaa-12ab-34cd-56ef-1234567890ab';
const CONTEXT = { 'spillway:repository': 'a', 'spillway:slot': 'b' };

let kms: FakeKms;
let service: KeyService;
let folder: string;
before(async () => {
  // The chain of the SDK looks here first.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' });
  kms = await startFakeKms([KEY, OTHER]);
  service = awsKms({ key: KEY, endpoint: kms.endpoint });
  folder = await mkdtemp(join(tmpdir(), 'spillway-kms-'));
});
after(async () => {
  await kms[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  kms.mood = 'well';
  kms.throttled = 0;
  kms.calls.length = 0;
});

const fails = (code: 'SPW_KMS_DENIED' | 'SPW_KMS_UNREACHABLE', why: RegExp) => (error: unknown) => {
  assert.ok(isSpillwayError(error, code), String(error));
  assert.match(error.why ?? '', why);
  return true;
};

test('what was wrapped is unwrapped for the same repository and slot, and for no other', async () => {
  const plain = Uint8Array.from({ length: 32 }, (_, i) => i);
  const { ciphertext, key } = await service.encrypt(plain, CONTEXT);
  assert.equal(key, KEY);
  const opener = awsKms({ endpoint: kms.endpoint });
  assert.deepEqual(Buffer.from((await opener.decrypt(ciphertext, KEY, CONTEXT)) ?? []), Buffer.from(plain));
  for (const context of [{}, { ...CONTEXT, 'spillway:slot': 'c' }, { ...CONTEXT, 'spillway:repository': 'c' }]) {
    assert.equal(await opener.decrypt(ciphertext, KEY, context), undefined);
  }
  assert.equal(await opener.decrypt(ciphertext, OTHER, CONTEXT), undefined);
  assert.deepEqual(
    kms.calls.slice(0, 2).map(({ action, context }) => [action, context]),
    [
      ['Encrypt', CONTEXT],
      ['Decrypt', CONTEXT],
    ],
  );
  await assert.rejects(opener.encrypt(plain, CONTEXT), { code: 'SPW_USAGE' });
});

test('a refusal, throttling without end, a connection that breaks and none at all are told apart', async () => {
  const { ciphertext } = await service.encrypt(new Uint8Array(32), CONTEXT);
  kms.mood = 'denies';
  await assert.rejects(service.decrypt(ciphertext, KEY, CONTEXT), fails('SPW_KMS_DENIED', /AccessDenied.*kms:Decrypt/));
  kms.mood = 'well';
  const gone = KEY.replace('1234abcd', 'ffffffff');
  await assert.rejects(service.decrypt(ciphertext, gone, CONTEXT), fails('SPW_KMS_DENIED', /does not exist/));
  kms.mood = 'throttles';
  kms.calls.length = 0;
  await assert.rejects(service.decrypt(ciphertext, KEY, CONTEXT), fails('SPW_KMS_UNREACHABLE', /Rate exceeded/));
  assert.equal(kms.calls.length, 4);
  kms.mood = 'hangs up';
  await assert.rejects(service.decrypt(ciphertext, KEY, CONTEXT), fails('SPW_KMS_UNREACHABLE', /./));
  kms.mood = 'is silent';
  const hasty = awsKms({ endpoint: kms.endpoint, callMsMax: 300 });
  await assert.rejects(hasty.decrypt(ciphertext, KEY, CONTEXT), fails('SPW_KMS_UNREACHABLE', /abort/i));
  const nowhere = awsKms({ endpoint: 'http://127.0.0.1:1' });
  await assert.rejects(nowhere.decrypt(ciphertext, KEY, CONTEXT), fails('SPW_KMS_UNREACHABLE', /ECONNREFUSED/));
});

test('throttling that passes is waited for', async () => {
  const { ciphertext } = await service.encrypt(new Uint8Array(32), CONTEXT);
  kms.throttled = 2;
  assert.equal((await service.decrypt(ciphertext, KEY, CONTEXT))?.length, 32);
  assert.equal(kms.calls.length, 4);
});

test('a multi-Region key is called by its replica, another key where it is', () => {
  const multi = 'arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
  assert.equal(inRegion(multi, 'eu-west-1'), multi.replace('us-east-1', 'eu-west-1'));
  assert.equal(inRegion(multi, undefined), multi);
  assert.equal(inRegion(KEY, 'eu-west-1'), KEY);
});

let repository: Repository;
let secret: Secret;
let count = 0;
async function newRepository(): Promise<string> {
  const path = join(folder, String(++count));
  await mkdir(path);
  const location = { kind: 'filesystem', path } as const;
  const { recoveryKey } = await initRepository({ location, passphrase: 'the passphrase of a repository for tests' });
  repository = await openRepository({ location, secret: { kind: 'recovery-key', recoveryKey } });
  secret = { kind: 'recovery-key', recoveryKey };
  return path;
}
const byKms = (path: string): Promise<Repository> =>
  openRepository({
    location: { kind: 'filesystem', path },
    secret: { kind: 'aws-kms', kms: awsKms({ endpoint: kms.endpoint }) },
  });

test('a repository opens by its slot of KMS, and its slot holds nothing that opens it without', async () => {
  const path = await newRepository();
  const { slot } = await addKeySlot({ repository, kms: service, label: 'servers' });
  assert.deepEqual([slot.kind, slot.label], ['aws-kms', 'servers']);
  assert.deepEqual((await byKms(path)).keys, repository.keys);
  assert.deepEqual(kms.calls.at(-1)?.context, { 'spillway:repository': repository.id, 'spillway:slot': slot.id });
  kms.mood = 'denies';
  await assert.rejects(byKms(path), fails('SPW_KMS_DENIED', /AccessDenied/));
  // Nor do the other slots suffer from a KMS that is not there.
  assert.equal((await listKeySlots({ repository, secret })).filter(({ opened }) => opened).length, 1);
});

test('a slot that was changed, or copied from another repository, opens nothing', async () => {
  const path = await newRepository();
  const { slot } = await addKeySlot({ repository, kms: service });
  const file = join(path, 'keys', slot.id);
  const text = await readFile(file, 'utf8');
  const good = JSON.parse(text) as KeySlot;
  const { kdf } = good;
  assert.ok(kdf.name === 'aws-kms');
  const changed = [
    { ...good, kdf: { ...kdf, key: OTHER } },
    { ...good, kdf: { ...kdf, salt: Buffer.alloc(32).toString('base64') } },
    { ...good, label: 'other' },
    { ...good, kdf: { ...kdf, encrypted: undefined } },
  ];
  for (const each of changed) {
    await rm(file);
    await writeFile(file, JSON.stringify(each));
    await assert.rejects(byKms(path), { code: 'SPW_KEY_WRONG' });
  }
  await newRepository();
  const other = join(folder, String(count), 'keys', slot.id);
  await writeFile(other, text.replace(good.repository, repository.id));
  await assert.rejects(byKms(join(folder, String(count))), { code: 'SPW_KEY_WRONG' });
});

test('where one key refuses, the slot of another opens', async () => {
  const path = await newRepository();
  await addKeySlot({ repository, kms: service });
  await addKeySlot({ repository, kms: awsKms({ key: OTHER, endpoint: kms.endpoint }) });
  for (const gone of [KEY, OTHER]) {
    const picky: KeyService = {
      encrypt: (plain, context) => service.encrypt(plain, context),
      decrypt: (blob, key, context) =>
        awsKms({ endpoint: kms.endpoint }).decrypt(blob, key === gone ? `${key}0` : key, context),
    };
    const opened = await openRepository({
      location: { kind: 'filesystem', path },
      secret: { kind: 'aws-kms', kms: picky },
    });
    assert.equal(opened.id, repository.id);
  }
});

test('a cut of the data key keeps the slot of KMS where it is proven', async () => {
  const path = await newRepository();
  await addKeySlot({ repository, kms: service });
  const secrets = [secret, { kind: 'aws-kms', kms: service } as const];
  const { others } = await planDataKeyRotation({ repository, secrets });
  await rotateDataKey({ repository, secrets, cutOff: others });
  assert.equal((await byKms(path)).keys.dataKeys.length, 2);
  assert.equal((await readdir(join(path, 'keys'))).length, 2);
});
