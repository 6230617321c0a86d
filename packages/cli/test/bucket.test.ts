// The command line with a repository in a bucket: what it loads, what it says of the place, and a repository made and used.

import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { configShowDocument, initDocument, storageStatsDocument } from '@spillway/contract/schemas';
import { s3ServerInstalled, startS3Server } from '@spillway/lab';
import { z } from 'zod';
import { makeWorkplace } from './spawned.ts';

const passphrase = 'correct horse battery staple, and more of it';
const folder = `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, user: spillway }
`;
const bucket = (path: string, endpoint: string): string => `repository:
  path: ${path}
  passphrase: { file: passphrase }
  s3:
    endpoint: ${endpoint}
    access_key_id: { env: KEY_ID }
    secret_access_key: { file: secret }
    retry_budget: 0s
    storage_class: { packs: STANDARD_IA }
clusters:
  main:
    connection: { host: 127.0.0.1, user: spillway }
`;

/** Lets the process die the moment that it loads the SDK. */
const withoutSdk = `--import=data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('@aws-sdk/')) process.exit(77);
    return next(specifier, context);
  },
});`)}`;

suite('the command line', () => {
  test('loads the SDK for a bucket, and never for a folder', async () => {
    await using place = await makeWorkplace({
      'spillway.yaml': folder,
      'bucket.yaml': bucket('s3://nowhere', 'http://127.0.0.1:1'),
      passphrase,
      secret: 'x',
    });
    const environment = { NODE_OPTIONS: withoutSdk, KEY_ID: 'x' };
    for (const words of [
      ['init'],
      ['backups'],
      ['expire', '--keep-count', '1', '--stats'],
      ['--help'],
      ['config', 'show'],
    ]) {
      const ended = await place.run(words, environment);
      assert.equal(ended.code, 0, `${words.join(' ')}: ${ended.stderr}`);
    }
    assert.equal((await place.run(['backups', '--config', 'bucket.yaml'], environment)).code, 77);
    assert.equal((await place.run(['config', 'show', '--config', 'bucket.yaml'], environment)).code, 0);
  });

  test('tells where the secrets of a bucket are, and never what they are', async () => {
    await using place = await makeWorkplace({
      'spillway.yaml': bucket('s3://nowhere/prod/', 'http://127.0.0.1:1'),
      passphrase,
      secret: 'hunter2',
    });
    const environment = { KEY_ID: 'AKIDhunter3' };
    const { stdout } = await place.run(['config', 'show', '--json'], environment);
    const { settings } = configShowDocument.parse(JSON.parse(stdout));
    const of = (path: string) => settings.find((setting) => setting.path === path)?.value;
    assert.equal(of('repository.path'), 's3://nowhere/prod');
    assert.equal(of('repository.s3.secret_access_key'), 'file secret');
    assert.equal(of('repository.s3.access_key_id'), 'variable KEY_ID');
    assert.equal(of('repository.s3.storage_class.packs'), 'STANDARD_IA');
    assert.equal(of('repository.s3.request_timeout'), '30s');
    const failed = await place.run(['backups'], environment);
    assert.equal(failed.code, 21);
    assert.match(failed.stderr, /s3:\/\/nowhere\/prod.*\n.*ECONNREFUSED[^]*127\.0\.0\.1:1 can be reached/);
    assert.doesNotMatch(stdout + failed.stderr + failed.stdout, /hunter[23]/);
    assert.equal((await place.run(['backups'])).code, 2);
  });

  test('makes a repository in a bucket and works with it, and counts what it asked', {
    skip: s3ServerInstalled() ? false : 'Ceph is not installed',
  }, async () => {
    const server = await startS3Server();
    after(() => server.stop());
    const name = await server.makeBucket();
    await using place = await makeWorkplace({
      'spillway.yaml': bucket(`s3://${name}/prod`, server.endpoint),
      passphrase,
      secret: server.credentials.secretAccessKey,
    });
    const run = (...words: readonly string[]) => place.run(words, { KEY_ID: server.credentials.accessKeyId });
    const made = await run('init', '--json');
    assert.equal(made.code, 0, made.stderr);
    assert.equal(initDocument.parse(JSON.parse(made.stdout)).path, `s3://${name}/prod`);
    const again = await run('init');
    assert.deepEqual([again.code, /there is one already|lies there already/.test(again.stderr)], [15, true]);
    const listed = await run('backups');
    assert.equal(listed.code, 0, listed.stderr);
    const expired = await run('expire', '--keep-count', '1', '--json', '--stats');
    assert.equal(expired.code, 0, expired.stderr);
    const { storage } = z.object({ storage: storageStatsDocument }).parse(JSON.parse(expired.stdout));
    assert.ok((storage.requests?.put ?? 0) >= storage.calls.put.calls, expired.stdout);
    assert.ok((storage.requests?.requests_usd ?? 0) > 0);
    assert.match(
      (await run('expire', '--keep-count', '1', '--stats')).stdout,
      /requests: \d+ PUT.*\n.*\n.*about \$0\.0/,
    );
  });
});
