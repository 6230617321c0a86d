import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { evidenceName } from '../format/names.ts';
import {
  canonicalJson,
  checkExportedEvidence,
  evidenceObjectName,
  type EvidenceRecord,
  type EvidenceTold,
  exportEvidence,
  listEvidence,
  provenBackups,
  verdicts,
  writeEvidence,
} from './evidence.ts';
import { initRepository, openRepository } from './repository.ts';

const passphrase = 'the passphrase of a repository for tests';
const path = await mkdtemp(join(tmpdir(), 'spillway-evidence-'));
after(() => rm(path, { recursive: true, force: true }));
const location = { kind: 'filesystem', path } as const;
await initRepository({ location, passphrase });
const repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
const { evidence_public_key: publicKey } = JSON.parse(await readFile(join(path, 'spillway.json'), 'utf8')) as {
  readonly evidence_public_key: string;
};

const told = (cluster: string, change: Partial<EvidenceTold> = {}): EvidenceTold => ({
  kind: 'verification',
  cluster,
  backup: '20261123T181500Z-1a2b3c4d',
  level: 'data',
  result: 'passed',
  started_at: '2026-11-23T18:20:00.000Z',
  finished_at: '2026-11-23T18:21:00.000Z',
  details: { chunks: 12, note: 'é' },
  ...change,
});

test('Records are listed oldest first, whatever the order in which they were written', async () => {
  const later = await writeEvidence(repository, told('order', { finished_at: '2026-11-23T18:22:00.000Z' }));
  const first = await writeEvidence(repository, told('order', { finished_at: '2026-11-23T18:20:59.999Z' }));
  const between = await writeEvidence(repository, told('order', { finished_at: '2026-11-23T18:21:00Z' }));
  const { records, unreadable } = await listEvidence(repository, 'order');
  assert.deepEqual(records, [first, between, later]);
  assert.deepEqual(unreadable, []);
});

test('An exported record is checked with the public key of spillway.json alone, and a changed one is refused', async () => {
  const record = await writeEvidence(repository, told('export'));
  const exported = await exportEvidence(repository, record);
  assert.deepEqual(checkExportedEvidence(JSON.parse(JSON.stringify(exported)), publicKey), record);
  const changed = { ...exported, signed: exported.signed.replace('"passed"', '"failed"') };
  assert.equal(checkExportedEvidence(changed, publicKey), 'its signature does not fit it');
  const own = generateKeyPairSync('ed25519').privateKey;
  const forged = {
    signed: exported.signed,
    signature: sign(null, Buffer.from(exported.signed), own).toString('base64'),
  };
  assert.equal(checkExportedEvidence(forged, publicKey), 'its signature does not fit it');
  assert.equal(checkExportedEvidence(exported, publicKey, 'another'), 'it is of another repository');
});

test('A damaged, forged or renamed record is told and hides no other', async () => {
  const good = await writeEvidence(repository, told('hostile'));
  const damagedOne = await writeEvidence(repository, told('hostile'));
  const file = join(path, evidenceObjectName(damagedOne));
  const bytes = await readFile(file);
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  await writeFile(file, bytes);
  // Sealed with the repository's own data key, as somebody could who has that but signs with a key of his own.
  const { signed } = await exportEvidence(repository, good);
  const own = generateKeyPairSync('ed25519').privateKey;
  const frames = [Buffer.from(signed), sign(null, Buffer.from(signed), own)];
  await repository.write('evidence', evidenceName('hostile', 'forged'), frames);
  const exported = await exportEvidence(repository, good);
  const copied = [Buffer.from(exported.signed), Buffer.from(exported.signature, 'base64')];
  await repository.write('evidence', evidenceName('hostile', 'renamed'), copied);
  const { records, unreadable } = await listEvidence(repository, 'hostile');
  assert.deepEqual(records, [good]);
  assert.deepEqual(
    unreadable.map(({ name }) => name),
    ['000000000002', 'forged', 'renamed'].map((id) => evidenceName('hostile', id)),
  );
});

/** Words that are no level of a verification. `own` is bad WAL that the backup itself needs. */
const KINDS: Readonly<Record<string, readonly [EvidenceRecord['kind'], EvidenceRecord['level']]>> = {
  real: ['restore', 'restore'],
  own: ['verification', 'wal'],
  drill: ['drill', 'restore'],
  table: ['table-restore', 'restore'],
};

test('What is proven follows from the newest word on the data', () => {
  const cases: readonly (readonly [words: string, proven: boolean, result: 'passed' | 'failed' | undefined])[] = [
    ['', false, undefined],
    ['structure+', false, 'passed'],
    ['data+', true, 'passed'],
    ['restore+', true, 'passed'],
    ['data+ structure+', true, 'passed'],
    ['data+ data-', false, 'failed'],
    ['data- data+', true, 'passed'],
    ['data- restore+', true, 'passed'],
    ['data- structure+', false, 'failed'],
    ['data+ structure-', false, 'failed'],
    ['structure- structure+', false, 'passed'],
    ['data+ structure- structure+', false, 'passed'],
    ['restore+ data- structure+', false, 'failed'],
    ['restore- data+', false, 'failed'],
    ['restore- data+ restore+', true, 'passed'],
    ['restore- real+', false, 'failed'],
    ['data- real+', true, 'passed'],
    ['data+ wal-', true, 'passed'],
    ['data+ own-', false, 'failed'],
    ['data+ own- data+', false, 'failed'],
    ['data+ own- wal+', false, 'passed'],
    ['data+ own- wal+ data+', true, 'passed'],
    ['wal+', false, 'passed'],
    ['dump+', true, 'passed'],
    ['data+ drill-', true, 'passed'],
    ['drill+', true, 'passed'],
    ['table+', false, undefined],
  ];
  for (const [words, proven, result] of cases) {
    const records = words
      .split(' ')
      .filter(Boolean)
      .map((word, i): EvidenceRecord => {
        const name = word.slice(0, -1);
        const [kind, level] = KINDS[name] ?? (['verification', name as EvidenceRecord['level']] as const);
        return {
          ...told('c', { kind, level, result: word.endsWith('+') ? 'passed' : 'failed' }),
          details: { hurts_itself: name === 'own' },
          id: `2026-${i}`,
          backup: 'b',
        };
      });
    assert.equal(provenBackups(records.toReversed()).has('b'), proven, words);
    assert.equal(verdicts(records).get('b')?.result, result, words);
  }
});

test('Canonical JSON says the same as JSON, and does not depend on the order of members', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      const turned = (each: unknown): unknown =>
        Array.isArray(each)
          ? each.map(turned)
          : typeof each === 'object' && each !== null
            ? Object.fromEntries(
                Object.entries(each)
                  .toReversed()
                  .map(([name, member]) => [name, turned(member)]),
              )
            : each;
      assert.equal(canonicalJson(turned(value)), canonicalJson(value));
    }),
  );
});
