import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { backupsDocument, initDocument } from '@spillway/contract/schemas';
import { makeWorkplace } from './spawned.ts';

const sound = `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, port: 1, user: spillway }
`;
const passphrase = `${'correct horse battery staple '.repeat(2)}\n`;

test('a repository is made once, shows its recovery key once, and opens by either secret', async () => {
  await using place = await makeWorkplace({ 'spillway.yaml': sound, passphrase });
  const absent = await place.run(['backups']);
  assert.equal(absent.code, 10, absent.stderr);
  assert.match(absent.stderr, /found no repository[^]*spillway init/);

  const made = await place.run(['init', '--json']);
  assert.equal(made.code, 0, made.stderr);
  const document = initDocument.parse(JSON.parse(made.stdout));
  assert.doesNotMatch(made.stderr, new RegExp(document.recovery_key));
  assert.equal((await stat(join(place.folder, 'repository'))).mode & 0o777, 0o700);
  const again = await place.run(['init']);
  assert.equal(again.code, 15, again.stderr);

  const listed = await place.run(['backups', '--json']);
  assert.equal(listed.code, 0, listed.stderr);
  assert.deepEqual(backupsDocument.parse(JSON.parse(listed.stdout)).backups, []);

  const byKey = sound.replace('passphrase: { file: passphrase }', 'recovery_key: { env: RECOVERY }');
  await writeFile(join(place.folder, 'key.yaml'), byKey);
  const words = ['backups', '--config', 'key.yaml'];
  const opened = await place.run(words, { RECOVERY: document.recovery_key });
  assert.equal(opened.code, 0, opened.stderr);

  await writeFile(join(place.folder, 'passphrase'), `another ${passphrase}`);
  const wrong = await place.run(['backups']);
  assert.equal(wrong.code, 12, wrong.stderr);
  assert.match(wrong.stderr, /SPW_KEY_WRONG/);
  const fetching = await place.run(['wal', 'fetch', '000000010000000000000001', 'x']);
  assert.equal(fetching.code, 150, fetching.stderr);
});

test('a backup of a server that does not answer says so, and check lists it among its probes', async () => {
  await using place = await makeWorkplace({ 'spillway.yaml': sound, passphrase });
  assert.equal((await place.run(['init'])).code, 0);
  const backup = await place.run(['backup']);
  assert.equal(backup.code, 20, backup.stderr);
  assert.match(backup.stderr, /SPW_POSTGRES_UNREACHABLE/);
  const check = await place.run(['check']);
  assert.equal(check.code, 1, check.stderr);
  assert.match(check.stdout, /FAIL/);
});

test('a passphrase under 32 characters makes no repository', async () => {
  await using place = await makeWorkplace({ 'spillway.yaml': sound, passphrase: 'too short\n' });
  const { code, stderr } = await place.run(['init']);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /SPW_PASSPHRASE_SHORT/);
});
