// The evidence from the command line: its head, its bundle, and who finds what was done to it with the public key alone.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  complianceReportDocument,
  evidenceHeadDocument,
  evidenceVerifyDocument,
  initDocument,
} from '@spillway/contract/schemas';
import type { z } from 'zod';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { makeWorkplace, type Workplace } from './spawned.ts';

const configuration = `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, user: nobody }
`;

let place: Workplace;
/** Where there is neither a configuration nor a secret. */
let elsewhere: Workplace;
let publicKey: string;

before(async () => {
  place = await makeWorkplace({
    passphrase: 'a passphrase of more than 32 characters',
    'spillway.yaml': configuration,
  });
  elsewhere = await makeWorkplace();
});
after(async () => {
  await place[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

async function json<Schema extends z.ZodType>(
  at: Workplace,
  schema: Schema,
  code: number,
  ...words: readonly string[]
): Promise<z.infer<Schema>> {
  const ended = await at.run([...words, '--json']);
  assert.equal(ended.code, code, `${words.join(' ')}: ${ended.stderr}${ended.stdout}`);
  return schema.parse(JSON.parse(ended.stdout));
}

test('init tells the public key, and a repository without evidence has no head and shows nothing', async () => {
  const { evidence_public_key: told } = await json(place, initDocument, 0, 'init');
  await lightenPassphrase(place.folder);
  publicKey = told;
  const head = JSON.parse(await readFile(join(place.folder, 'repository/spillway.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.equal(head['evidence_public_key'], publicKey);
  assert.equal((await json(place, evidenceHeadDocument, 3, 'evidence', 'head')).head, null);
  assert.equal((await json(place, evidenceVerifyDocument, 3, 'evidence', 'verify')).result, 'empty');
});

test('a bundle is verified from the public key alone, and whatever was done to it is found', async () => {
  for (let n = 0; n < 3; n++) assert.equal((await place.run(['key', 'check'])).code, 0);
  const { word } = await json(place, evidenceHeadDocument, 0, 'evidence', 'head');
  assert.match(word ?? '', /^3:[0-9a-f]{64}$/);
  assert.equal((await place.run(['evidence', 'head'])).stdout, `${word}\n`);
  const exported = await place.run(['evidence', 'export', '--all']);
  const lines = exported.stdout.trim().split('\n');
  assert.equal(lines.length, 3);
  const bundle = (name: string, all: readonly string[]): Promise<void> =>
    writeFile(join(elsewhere.folder, name), `${all.join('\n')}\n`);
  await bundle('whole', lines);
  await bundle('cut', lines.slice(0, -1));
  await bundle('holed', lines.toSpliced(1, 1));
  await bundle('altered', lines.with(1, (lines[1] ?? '').replace('passed', 'failed')));
  await writeFile(join(elsewhere.folder, 'key'), `${publicKey}\n`);
  const verify = (code: number, name: string, ...more: readonly string[]) =>
    json(elsewhere, evidenceVerifyDocument, code, 'evidence', 'verify', name, '--public-key', 'key', ...more);
  const whole = await verify(0, 'whole', '--head', word ?? '');
  assert.deepEqual([whole.cluster, whole.records, whole.result, whole.findings], ['main', 3, 'passed', []]);
  assert.equal((await verify(0, 'cut')).records, 2, 'what was cut off at the end does not show without a head');
  assert.deepEqual(
    (await verify(13, 'cut', '--head', word ?? '')).findings.map(({ problem }) => problem),
    ['head'],
  );
  assert.deepEqual(
    (await verify(13, 'holed')).findings.map(({ problem }) => problem),
    ['missing'],
  );
  assert.deepEqual(
    (await verify(13, 'altered')).findings.map(({ object, problem }) => [object, problem]),
    [['line 2', 'signature']],
  );
  const plain = await elsewhere.run(['evidence', 'verify', 'holed', '--public-key', publicKey]);
  assert.equal(plain.code, 13);
  assert.match(plain.stdout, /KIND +RECORDS +PASSED[^]*missing +record 2 is not there[^]*FAILED {2}1 finding/);
});

test('what cannot be checked says so in a sentence', async () => {
  const cases: readonly (readonly [words: readonly string[], why: RegExp])[] = [
    [['whole'], /without the public key anybody could have signed it/],
    [['whole', '--public-key', 'nowhere'], /neither a key nor a file/],
    [['whole', '--public-key', 'whole'], /holds no Ed25519 public key/],
    [['gone', '--public-key', 'key'], /cannot read the bundle gone/],
    [['whole', '--public-key', 'key', '--head', '3'], /'3' is no head of a chain/],
  ];
  for (const [words, why] of cases) {
    const ended = await elsewhere.run(['evidence', 'verify', ...words]);
    assert.deepEqual([ended.code, ended.stdout], [2, ''], words.join(' '));
    assert.match(ended.stderr, why);
  }
  const both = await place.run(['evidence', 'export', '2026', '--all']);
  assert.match(both.stderr, /both a record and --all are named/);
});

test('the report of a month is written as HTML and PDF, and says in its exit code what it shows', async () => {
  const month = new Date().toISOString().slice(0, 7);
  const words = ['report', 'compliance', '--month', month, '--html', 'report.html', '--pdf', 'report.pdf'];
  const ended = await place.run([...words, '--json']);
  const report = complianceReportDocument.parse(JSON.parse(ended.stdout));
  assert.deepEqual([report.records, report.key_checks.recovery_key], [3, 'not-recorded']);
  // Before its day a drill is not missed yet.
  assert.equal(ended.code, report.drills.state === 'not-due' ? 3 : 14);
  assert.match(await readFile(join(place.folder, 'report.html'), 'utf8'), /<h1>Recovery of main, /);
  assert.match((await readFile(join(place.folder, 'report.pdf'))).toString('latin1'), /^%PDF-1\.7/);
  const past = await place.run(['report', 'compliance', '--month', '2020-02']);
  assert.equal(past.code, 14);
  assert.match(past.stdout, /main, 2020-02: MISSED[^]*shows nothing, and is no pass/);
  assert.equal((await place.run(['report', 'compliance', '--month', '2020-13'])).code, 2);
  const nowhere = await place.run(['report', 'compliance', '--month', month, '--html', 'no/folder/x.html']);
  assert.deepEqual([nowhere.code, nowhere.stdout], [2, '']);
  assert.match(nowhere.stderr, /cannot write the report to/);
});

test('a record that was taken out of the repository is found there, and ends the report with 13', async () => {
  await rm(join(place.folder, 'repository/clusters/main/evidence/000000000002'));
  const found = await json(place, evidenceVerifyDocument, 13, 'evidence', 'verify');
  assert.deepEqual(
    found.findings.map(({ problem, sequence }) => [problem, sequence]),
    [['missing', 2]],
  );
  const ended = await place.run(['report', 'compliance', '--month', new Date().toISOString().slice(0, 7)]);
  assert.equal(ended.code, 13);
  assert.match(ended.stdout, /evidence itself is not whole/);
});
