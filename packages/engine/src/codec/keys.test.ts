import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import {
  currentKeyNumber,
  evidenceKey,
  evidencePublicKey,
  idKey,
  type KeyRing,
  type KeySlot,
  newKeyRing,
  objectKey,
  parseKeySlot,
  type Secret,
  stretchAhead,
  unwrapKeyRing,
  wrapKeyRing,
} from './keys.ts';
import { newRecoveryKey } from './recovery-key.ts';

const golden = JSON.parse(readFileSync(new URL('../format/golden/keys.json', import.meta.url), 'utf8')) as {
  readonly passphrase: string;
  readonly recoveryKey: string;
  readonly passphraseSlot: KeySlot;
  readonly recoverySlot: KeySlot;
  readonly dataKeys: readonly { readonly number: number; readonly key: string }[];
  readonly idKey: string;
  readonly objectKey: string;
  readonly evidencePublicKey: string;
};

const PASSPHRASE = 'thirty-two characters at the least';
const AT = '2026-11-23T18:15:00.000Z';
const passphrase = (words: string): Secret => ({ kind: 'passphrase', passphrase: words });
const recovery = (recoveryKey: string): Secret => ({ kind: 'recovery-key', recoveryKey });

const ring = newKeyRing();
const printed = newRecoveryKey();
let slot: KeySlot;
let recoverySlot: KeySlot;
before(async () => {
  slot = await wrapKeyRing(ring, 'repository-1', passphrase(PASSPHRASE), AT);
  recoverySlot = await wrapKeyRing(ring, 'repository-1', recovery(printed), AT);
});

test('the passphrase and the recovery key each open their own slot, and nothing else does', async () => {
  assert.deepEqual(await unwrapKeyRing(slot, passphrase(PASSPHRASE)), ring);
  assert.deepEqual(await unwrapKeyRing(recoverySlot, recovery(printed)), ring);
  assert.equal(await unwrapKeyRing(slot, passphrase(`${PASSPHRASE}.`)), undefined);
  assert.equal(await unwrapKeyRing(slot, recovery(printed)), undefined);
  assert.equal(await unwrapKeyRing(recoverySlot, recovery(newRecoveryKey())), undefined);
  assert.equal(await unwrapKeyRing(recoverySlot, passphrase(PASSPHRASE)), undefined);
});

test('a passphrase that was stretched ahead is not stretched again, once, and for its own slot alone', async (t) => {
  const other = await wrapKeyRing(ring, 'repository-1', passphrase(PASSPHRASE), AT);
  let stretched = 0;
  const hook = createHook({
    init: (_, type) => {
      if (type === 'SCRYPTREQUEST') stretched += 1;
    },
  }).enable();
  t.after(() => hook.disable());
  const cases = [
    [slot, PASSPHRASE, 1, 'what was begun is taken'],
    [slot, PASSPHRASE, 2, 'a second time, with nothing begun'],
    [other, PASSPHRASE, 2, 'of another slot'],
    [slot, `${PASSPHRASE}.`, 2, 'of another passphrase'],
  ] as const;
  for (const [opened, words, times, what] of cases) {
    stretched = 0;
    stretchAhead(slot, passphrase(PASSPHRASE));
    if (times === 2 && opened === slot && words === PASSPHRASE) await unwrapKeyRing(slot, passphrase(PASSPHRASE));
    assert.equal((await unwrapKeyRing(opened, passphrase(words))) !== undefined, words === PASSPHRASE, what);
    assert.equal(stretched, times, what);
  }
  stretched = 0;
  stretchAhead(recoverySlot, recovery(printed));
  stretchAhead(slot, recovery(printed));
  assert.equal(stretched, 0, 'a recovery key needs no stretching');
});

test('a passphrase typed with other code points for the same letters opens the slot', async () => {
  const composed = 'Überlaufbauwerk für das Wasser, geprüft'.normalize('NFC');
  const wrapped = await wrapKeyRing(ring, 'repository-1', passphrase(composed), AT);
  assert.deepEqual(await unwrapKeyRing(wrapped, passphrase(composed.normalize('NFD'))), ring);
});

test('a passphrase of fewer than 32 characters is refused, counted in characters and not in code units', async () => {
  for (const short of ['', 'x'.repeat(31), '🌊'.repeat(31)]) {
    await assert.rejects(
      wrapKeyRing(ring, 'r', passphrase(short), AT),
      (error) => isSpillwayError(error, 'SPW_PASSPHRASE_SHORT') && error.why !== undefined && !error.why.includes('x'),
    );
  }
  await wrapKeyRing(ring, 'r', passphrase('🌊'.repeat(32)), AT);
});

test('a slot in which any member was changed does not open', async () => {
  const secrets: readonly (readonly [slot: KeySlot, secret: Secret])[] = [
    [slot, passphrase(PASSPHRASE)],
    [recoverySlot, recovery(printed)],
  ];
  const zeroSalt = Buffer.alloc(32).toString('base64');
  for (const [whole, secret] of secrets) {
    const tampered: KeySlot[] = [
      { ...whole, format: 0 },
      { ...whole, repository: 'repository-2' },
      { ...whole, slot: 'another' },
      { ...whole, created_at: '2026-11-23T18:15:00.001Z' },
      { ...whole, kdf: { ...whole.kdf, salt: zeroSalt } },
      { ...whole, wrapped: '' },
      { ...whole, wrapped: whole.wrapped.slice(0, 24) },
    ];
    if (whole.kdf.name === 'scrypt') {
      tampered.push({ ...whole, kdf: { ...whole.kdf, n: whole.kdf.n / 2 } }, { ...whole, kdf: { ...whole.kdf, p: 2 } });
    }
    for (const other of tampered) assert.equal(await unwrapKeyRing(other, secret), undefined, JSON.stringify(other));
  }
});

test('a slot with any bit of its wrapped part flipped does not open', async () => {
  const wrapped = Buffer.from(recoverySlot.wrapped, 'base64');
  for (let bit = 0; bit < wrapped.length * 8; bit++) {
    const flipped = Buffer.from(wrapped);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const other = { ...recoverySlot, wrapped: flipped.toString('base64') };
    assert.equal(await unwrapKeyRing(other, recovery(printed)), undefined, `bit ${bit}`);
  }
});

test('what cannot be a slot is told in a phrase, and so is one that would cost too much to try', () => {
  assert.equal(parseKeySlot(slot), slot);
  assert.equal(parseKeySlot(recoverySlot), recoverySlot);
  const scrypt = slot.kdf;
  assert.ok(scrypt.name === 'scrypt');
  const cases: readonly (readonly [value: object, why: RegExp])[] = [
    [{}, /format/],
    [[], /format/],
    [{ ...slot, format: 0 }, /format is no number from 1/],
    [{ ...slot, format: 1.5 }, /format is no number from 1/],
    [{ ...slot, format: 2 }, /has format 2/],
    [{ ...slot, repository: 7 }, /repository is missing/],
    [{ ...slot, slot: undefined }, /slot is missing/],
    [{ ...slot, created_at: null }, /created_at is missing/],
    [{ ...slot, wrapped: {} }, /wrapped is missing/],
    [{ ...slot, kdf: undefined }, /salt is missing/],
    [{ ...slot, kdf: null }, /salt is missing/],
    [{ ...slot, kdf: { ...scrypt, salt: 1 } }, /salt is missing/],
    [{ ...slot, kind: 'recovery-key' }, /do not fit/],
    [{ ...slot, kind: 'other' }, /do not fit/],
    [{ ...slot, kdf: recoverySlot.kdf }, /do not fit/],
    [{ ...slot, kdf: { ...scrypt, n: 2 ** 31 } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, n: 1000 } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, n: 1 } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, n: '32768' } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, r: 1024 } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, p: 0 } }, /out of bounds/],
    [{ ...slot, kdf: { ...scrypt, p: undefined } }, /out of bounds/],
  ];
  for (const [value, why] of cases) {
    const parsed = parseKeySlot(value);
    assert.ok(typeof parsed === 'string', JSON.stringify(value));
    assert.match(parsed, why);
  }
});

test('slots and derived keys are those of format 1', async () => {
  const unwrapped = await unwrapKeyRing(golden.passphraseSlot, passphrase(golden.passphrase));
  assert.ok(unwrapped);
  assert.deepEqual(await unwrapKeyRing(golden.recoverySlot, recovery(golden.recoveryKey)), unwrapped);
  const inHex = unwrapped.dataKeys.map(({ number, key }) => ({ number, key: Buffer.from(key).toString('hex') }));
  assert.deepEqual(inHex, golden.dataKeys);
  assert.equal(idKey(unwrapped).export().toString('hex'), golden.idKey);
  const salt = Uint8Array.from({ length: 32 }, (_, i) => i);
  assert.equal(objectKey(unwrapped, 2, salt, 'walSegment', 'clusters/a/b')?.export().toString('hex'), golden.objectKey);
  assert.equal(evidencePublicKey(unwrapped), golden.evidencePublicKey);
});

test('an object key differs with each of what it is made from', () => {
  const two: KeyRing = { dataKeys: [...ring.dataKeys, { number: 2, key: new Uint8Array(32).fill(9) }] };
  const salt = new Uint8Array(32);
  const keys = [
    objectKey(two, 1, salt, 'pack', 'a'),
    objectKey(two, 2, salt, 'pack', 'a'),
    objectKey(two, 1, new Uint8Array(32).fill(1), 'pack', 'a'),
    objectKey(two, 1, salt, 'index', 'a'),
    objectKey(two, 1, salt, 'pack', 'b'),
  ].map((key) => key?.export().toString('hex'));
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(objectKey(two, 3, salt, 'pack', 'a'), undefined);
});

test('chunk ids and the evidence key outlive a new data key, which seals what comes next', () => {
  const rotated: KeyRing = { dataKeys: [...ring.dataKeys, { number: 2, key: new Uint8Array(32).fill(9) }] };
  assert.equal(currentKeyNumber(ring), 1);
  assert.equal(currentKeyNumber(rotated), 2);
  assert.ok(idKey(ring).equals(idKey(rotated)));
  assert.equal(evidencePublicKey(ring), evidencePublicKey(rotated));
});

test('what the evidence key signs is verified with the public key of the head alone', () => {
  const statement = Buffer.from('restored and checked');
  const signature = sign(null, statement, evidenceKey(ring));
  const key = { key: Buffer.from(evidencePublicKey(ring), 'base64'), format: 'der', type: 'spki' } as const;
  assert.equal(verify(null, statement, key, signature), true);
  assert.equal(verify(null, Buffer.from('restored'), key, signature), false);
  const foreign = { ...key, key: Buffer.from(evidencePublicKey(newKeyRing()), 'base64') };
  assert.equal(verify(null, statement, foreign, signature), false);
});
