// The command line with a repository in a bucket: what it loads, what it says of the place, and a repository made and used.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import {
  bucketAppliedDocument,
  bucketPlanDocument,
  configShowDocument,
  initDocument,
  sealDocument,
  storageStatsDocument,
  tierDocument,
} from '@spillway/contract/schemas';
import { s3ServerInstalled, startS3Server } from '@spillway/lab';
import * as z from 'zod';
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
    const unknown = await run('storage', 'tier');
    assert.deepEqual([unknown.code, /set clusters\.<name>\.retention\.keep_days/.test(unknown.stderr)], [2, true]);
    await writeFile(
      join(place.folder, 'kept.yaml'),
      `${bucket(`s3://${name}/prod`, server.endpoint)}    retention: { keep_days: 30 }\n`,
      { mode: 0o600 },
    );
    const tiered = await run('storage', 'tier', '--dry-run', '--json', '--config', join(place.folder, 'kept.yaml'));
    assert.equal(tiered.code, 0, tiered.stderr);
    const { groups } = tierDocument.parse(JSON.parse(tiered.stdout));
    assert.ok(groups.every(({ packs }) => packs === 0));
    const shown = await run('storage', 'tier', '--dry-run', '--config', join(place.folder, 'kept.yaml'));
    assert.match(shown.stdout, /to move to STANDARD_IA +0 +0 B +\$0\.0000/);
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

  test('plans and applies what the bucket must be, once it was agreed to', {
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
    const planned = await run('storage', 'plan', '--json');
    assert.equal(planned.code, 3, planned.stderr);
    const { changes } = bucketPlanDocument.parse(JSON.parse(planned.stdout));
    assert.equal(changes.length, 3);
    const refused = await run('storage', 'apply');
    assert.deepEqual([refused.code, /--yes --confirm/.test(refused.stderr)], [15, true]);
    const dry = await run('storage', 'apply', '--dry-run', '--json');
    assert.deepEqual(bucketPlanDocument.parse(JSON.parse(dry.stdout)).changes, changes);
    const applied = await run('storage', 'apply', '--yes', '--confirm', name, '--json');
    assert.equal(applied.code, 0, applied.stderr);
    const { changed, failures } = bucketAppliedDocument.parse(JSON.parse(applied.stdout));
    assert.deepEqual([changed, failures], [['versioning', 'public access', 'lifecycle'], []]);
    const again = await run('storage', 'apply');
    assert.deepEqual([again.code, /There is nothing to change\./.test(again.stdout)], [0, true]);
  });

  test('storage plan is about buckets, storage seal about folders', async () => {
    await using place = await makeWorkplace({ 'spillway.yaml': folder, passphrase });
    const planned = await place.run(['storage', 'plan']);
    assert.deepEqual([planned.code, /is a folder/.test(planned.stderr)], [2, true]);
    assert.equal((await place.run(['init'])).code, 0);
    const dry = await place.run(['storage', 'seal', '--dry-run', '--json']);
    assert.equal(dry.code, 0, dry.stderr);
    const { objects, sealed_objects: open } = sealDocument.parse(JSON.parse(dry.stdout));
    assert.ok(objects > 1);
    assert.equal(open, objects);
  });
});
