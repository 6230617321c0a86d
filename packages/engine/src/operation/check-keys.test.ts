import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EvidenceRecord } from '../repository/evidence.ts';
import { olderKeys, RECOVERY_KEY_CHECK_MS, recoveryKeyAge } from './check-keys.ts';

const DAY = 24 * 3_600_000;
const now = new Date('2026-11-23T18:15:00Z');
const ago = (days: number): string => new Date(now.getTime() - days * DAY).toISOString();
const slot = (kind: 'passphrase' | 'recovery-key', days: number) => ({ kind, created_at: ago(days) });
const record = (
  kind: 'recovery-key' | 'passphrase',
  days: number,
  result: 'passed' | 'failed' = 'passed',
): EvidenceRecord => ({
  id: String(days),
  kind: 'key-check',
  cluster: 'main',
  backup: null,
  level: 'keys',
  result,
  started_at: ago(days),
  finished_at: ago(days),
  details: { slot_kind: kind },
});

test('A recovery key that was neither made nor checked for 100 days is told', () => {
  const told = (slots: ReturnType<typeof slot>[], records: EvidenceRecord[]): string =>
    recoveryKeyAge(slots, records, { recoveryKeyCheckMs: RECOVERY_KEY_CHECK_MS, now })
      .map(({ status, message }) => `${status}: ${message.split(':')[0]}`)
      .join();
  const old = [slot('passphrase', 400), slot('recovery-key', 400)];
  assert.equal(told(old, []), 'warning: the recovery key was never checked');
  assert.equal(told(old, [record('recovery-key', 101)]), 'warning: the recovery key was last checked 2026-08-14');
  assert.equal(told(old, [record('recovery-key', 99)]), '');
  assert.equal(told(old, [record('recovery-key', 300), record('recovery-key', 2)]), '');
  assert.equal(told(old, [record('recovery-key', 2, 'failed')]), 'warning: the recovery key was never checked');
  assert.equal(told(old, [record('passphrase', 2)]), 'warning: the recovery key was never checked');
  assert.equal(told([...old, slot('recovery-key', 99)], []), '');
  assert.equal(told([slot('passphrase', 400)], []), '');
});

test('What is still under older data keys is told in packs and bytes, and nothing where there is one key', () => {
  const pack = (dataKeyNumber: number, packBytes: number) => ({
    packId: '',
    salt: new Uint8Array(),
    dataKeyNumber,
    packBytes,
  });
  const packs = [pack(1, 1024 ** 3), pack(2, 1024 ** 3), pack(3, 2 * 1024 ** 3)];
  assert.deepEqual(olderKeys({ packs }, 1), []);
  assert.deepEqual(
    olderKeys({ packs }, 3).map(({ message }) => message),
    ['data key 3 seals what is written; 2 of 3 packs, 2.0 of 4.0 GiB, are still under older ones'],
  );
});
