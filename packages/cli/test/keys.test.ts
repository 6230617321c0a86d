// Data keys, shares of the recovery key and checks of secrets, from the command line. No server is asked.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  errorDocument,
  evidenceListDocument,
  initDocument,
  keyAddDocument,
  keyCheckDocument,
  keyCombineDocument,
  keyListDocument,
  keyRotateDataDocument,
  keySplitDocument,
} from '@spillway/contract/schemas';
import { startFakeKms } from '@spillway/lab';
import type { z } from 'zod';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { makeWorkplace, type Workplace } from './spawned.ts';

const configuration = (secret: string): string => `repository:
  path: repository
  ${secret}
clusters:
  main:
    connection: { host: /nowhere, user: nobody }
  other:
    connection: { host: /nowhere, user: nobody }
`;

let place: Workplace;
let shares: readonly string[];
before(async () => {
  place = await makeWorkplace({
    'spillway.yaml': configuration('passphrase: { file: passphrase }'),
    'by-shares.yaml': configuration('recovery_key: { file: shares }'),
    passphrase: 'the first passphrase of this repository',
    wrong: 'a passphrase that opens nothing at all',
  });
  const { recovery_key: key } = await json(initDocument, 'init');
  await lightenPassphrase(place.folder);
  await writeFile(join(place.folder, 'recovery-key'), `${key}\n`, { mode: 0o600 });
});
after(() => place?.[Symbol.asyncDispose]());

async function json<Schema extends z.ZodType>(schema: Schema, ...words: readonly string[]): Promise<z.infer<Schema>> {
  const { code, stdout, stderr } = await place.run([...words, '--json']);
  assert.equal(code, 0, stderr);
  return schema.parse(JSON.parse(stdout));
}
async function failing(code: string, exit: number, ...words: readonly string[]) {
  const run = await place.run([...words, '--json']);
  assert.equal(run.code, exit, run.stderr);
  const error = errorDocument.parse(JSON.parse(run.stderr.trim().split('\n').at(-1) ?? ''));
  assert.equal(error.code, code);
  return error;
}
const slots = async () => (await json(keyListDocument, 'key', 'list')).slots;
const share = (n: number): readonly string[] => ['--recovery-share-file', `share-${n}`];

test('a secret is asked for once, whatever is begun ahead, and one that cannot be had is told as ever', async () => {
  const asked = join(place.folder, 'asked');
  const counting = configuration(
    `passphrase: { command: "echo once >> ${asked}; cat ${join(place.folder, 'passphrase')}" }`,
  );
  const sealed = configuration('passphrase: { command: "echo the vault is sealed >&2; exit 3" }');
  await writeFile(join(place.folder, 'counting.yaml'), counting);
  await writeFile(join(place.folder, 'failing.yaml'), sealed);
  const listed = await place.run(['--config', 'counting.yaml', 'backups', '--json', '--cluster', 'main']);
  assert.equal(listed.code, 0, listed.stderr);
  assert.equal(await readFile(asked, 'utf8'), 'once\n');
  const refused = await place.run(['--config', 'failing.yaml', 'backups', '--cluster', 'main']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /the vault is sealed[^]*cannot get the repository passphrase/);
});

test('key split shows shares once, of which any two give the key; one alone, or one with a mistake, is told exactly', async () => {
  const split = await json(keySplitDocument, 'key', 'split', '--shares', '3', '--threshold', '2', '--label', 'board');
  ({ shares } = split);
  assert.deepEqual([shares.length, split.threshold, split.slot.label], [3, 2, 'board']);
  for (const [i, text] of shares.entries()) {
    await writeFile(join(place.folder, `share-${i + 1}`), `# share ${i + 1}, kept by somebody\n\n${text}\n`, {
      mode: 0o600,
    });
  }
  await writeFile(join(place.folder, 'shares'), `${shares[2]}\n${shares[0]}\n`, { mode: 0o600 });
  const keys = await Promise.all(
    [
      [1, 2],
      [3, 1],
    ].map((numbers) => json(keyCombineDocument, 'key', 'combine', ...numbers.flatMap(share))),
  );
  assert.equal(keys[0]?.recovery_key, keys[1]?.recovery_key);
  const few = await failing('SPW_KEY_WRONG', 12, 'key', 'combine', ...share(2));
  assert.match(few.why ?? '', /^1 more share is needed: 1 of the 2 were given \(number 2 of 3\)$/);
  const [first = ''] = shares;
  const mistyped = first.replace(/.$/, (letter) => (letter === 'Z' ? 'W' : 'Z')).replace(/^./, '7');
  await writeFile(join(place.folder, 'mistyped'), `# typed\n${mistyped}\n`, { mode: 0o600 });
  const wrong = await failing('SPW_KEY_WRONG', 12, 'key', 'combine', ...share(2), '--recovery-share-file', 'mistyped');
  assert.match(wrong.why ?? '', /^mistyped, line 2 is no share: a letter is mistyped$/);
  await failing('SPW_USAGE', 2, 'key', 'split', '--shares', '2', '--threshold', '3');
  assert.equal((await slots()).length, 3);
});

test('key check shows that a secret opens the repository, and puts it on record, also where it does not', async () => {
  const own = await json(keyCheckDocument, 'key', 'check');
  assert.deepEqual([own.slot_kind, own.evidence.length], ['passphrase', 2]);
  const shared = await json(keyCheckDocument, 'key', 'check', ...share(3), ...share(2), '--cluster', 'main');
  assert.deepEqual([shared.slot_kind, shared.label, shared.evidence.length], ['recovery-key', 'board', 1]);
  assert.ok(shared.data_keys[0]?.object);
  await failing('SPW_KEY_WRONG', 12, 'key', 'check', '--passphrase-file', 'wrong', '--cluster', 'main');
  const { records } = await json(evidenceListDocument, 'evidence', 'list', '--cluster', 'main');
  assert.deepEqual(
    records.map(({ kind, level, result, details }) => [kind, level, result, details['slot_kind']]),
    [
      ['key-check', 'keys', 'passed', 'passphrase'],
      ['key-check', 'keys', 'passed', 'recovery-key'],
      ['key-check', 'keys', 'failed', 'passphrase'],
    ],
  );
  const told = await place.run(['evidence', 'list', '--cluster', 'other']);
  assert.match(told.stdout, /key-check|keys/);
});

test('key rotate-data: every secret goes on opening, with a further data key', async () => {
  const rotated = await json(keyRotateDataDocument, 'key', 'rotate-data');
  assert.deepEqual([rotated.outcome, rotated.data_key, rotated.cut, rotated.remaining], ['made', 2, false, 3]);
  const checked = await json(keyCheckDocument, 'key', 'check', '--recovery-key-file', 'recovery-key');
  assert.deepEqual(
    checked.data_keys.map(({ number }) => number),
    [1, 2],
  );
  assert.equal(checked.data_keys[0]?.object, 'ring/00002');
});

test('a configuration that names shares in the place of the recovery key opens the repository', async () => {
  const { code, stdout, stderr } = await place.run(['key', 'list', '--config', 'by-shares.yaml', '--json']);
  assert.equal(code, 0, stderr);
  const { slots: listed } = keyListDocument.parse(JSON.parse(stdout));
  assert.deepEqual(
    listed.filter(({ opened }) => opened).map(({ label }) => label),
    ['board'],
  );
});

test('key rotate-data --cut names the slots that go, asks, and lets in only the secrets that were given', async () => {
  const cut = [
    'key',
    'rotate-data',
    '--cut',
    '--proof-recovery-share-file',
    'share-1',
    '--proof-recovery-share-file',
    'share-2',
  ];
  const listed = await slots();
  const refused = await failing('SPW_CONFIRMATION_NEEDED', 15, ...cut);
  assert.match(refused.message, /These key slots go[^]*recovery-key/);
  assert.equal((await slots()).length, listed.length);
  const rotated = await json(keyRotateDataDocument, ...cut, '--yes', '--confirm', 'cut');
  assert.deepEqual([rotated.data_key, rotated.cut, rotated.added.length, rotated.removed.length], [3, true, 2, 3]);
  assert.deepEqual(new Set((await slots()).map(({ label }) => label)), new Set(['board', null]));
  await failing('SPW_KEY_WRONG', 12, 'key', 'check', '--recovery-key-file', 'recovery-key');
  const checked = await json(keyCheckDocument, 'key', 'check', ...share(1), ...share(3));
  assert.deepEqual(
    checked.data_keys.map(({ number }) => number),
    [1, 2, 3],
  );
});

test('a key of AWS KMS opens the repository where the configuration says so, and a refusal is told', async () => {
  const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
  await using kms = await startFakeKms([arn]);
  const environment = { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none', AWS_ENDPOINT_URL_KMS: kms.endpoint };
  const added = await place.run(['key', 'add', '--kms-key', arn, '--label', 'servers', '--json'], environment);
  assert.equal(added.code, 0, added.stderr);
  assert.equal(keyAddDocument.parse(JSON.parse(added.stdout)).slot.kind, 'aws-kms');
  await writeFile(join(place.folder, 'by-kms.yaml'), configuration(`kms: { endpoint: '${kms.endpoint}' }`));
  const { AWS_ENDPOINT_URL_KMS: _, ...credentials } = environment;
  const words = ['key', 'check', '--cluster', 'main', '--config', 'by-kms.yaml', '--json'];
  const opened = await place.run(words, credentials);
  assert.equal(opened.code, 0, opened.stderr);
  const { slot_kind: kind, label } = keyCheckDocument.parse(JSON.parse(opened.stdout));
  assert.deepEqual([kind, label], ['aws-kms', 'servers']);
  kms.mood = 'denies';
  const refused = await place.run(words, credentials);
  assert.equal(refused.code, 12, refused.stderr);
  assert.match(refused.stderr, /SPW_KMS_DENIED.*AccessDenied|AccessDenied[^]*SPW_KMS_DENIED/);
});
