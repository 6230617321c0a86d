// What a bucket is set to: read from a real server, changed there, and read again. Replication and default encryption, which
// that server does not know, from a small one that keeps what is put and gives it back.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import {
  CreateBucketCommand,
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { isSpillwayError } from '@spillway/contract';
import { s3ServerInstalled, startS3Server } from '@spillway/lab';
import { applyBucket, planBucket } from '../src/operation/bucket.ts';
import type { S3Location } from '../src/storage/port.ts';

const HOUR_MS = 3_600_000;
const QUIET = { signal: new AbortController().signal, report: () => undefined };

if (s3ServerInstalled()) await testBucket();
else test('the settings of a bucket', { skip: 'Ceph is not installed' }, () => undefined);

async function testBucket(): Promise<void> {
  const server = await startS3Server();
  after(() => server.stop());
  const { endpoint, credentials } = server;
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  after(() => client.destroy());
  const at = (bucket: string, more: Partial<S3Location> = {}): S3Location => ({
    kind: 's3',
    bucket,
    prefix: 'prod',
    endpoint,
    credentials,
    retryBudgetMs: 0,
    ...more,
  });

  test('a plain bucket is planned, applied, and then as it should be; rules of others stay', async () => {
    const location = at(await server.makeBucket());
    const theirs = { ID: 'logs', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 3 } } as const;
    await client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: location.bucket,
        LifecycleConfiguration: { Rules: [theirs] },
      }),
    );
    const plan = await planBucket(location);
    const differing = plan.filter(({ state }) => state === 'differs').map(({ aspect }) => aspect);
    assert.deepEqual(differing, ['versioning', 'public access', 'lifecycle']);
    const again = await planBucket(location);
    assert.deepEqual(again, plan, 'a plan changes nothing');
    const { findings, changed, failures } = await applyBucket(location, plan, QUIET);
    assert.deepEqual([changed, failures], [differing, []]);
    assert.ok(findings.every(({ severity }) => severity === 'ok'));
    const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: location.bucket }));
    assert.deepEqual(
      Rules.map(({ ID = '' }) => ID).toSorted((a, b) => a.localeCompare(b)),
      ['logs', 'spillway-abandoned-prod', 'spillway-old-versions-prod'],
    );
    assert.deepEqual(
      (await planBucket(location)).filter(({ change }) => change !== undefined),
      [],
    );
  });

  test('a bucket made with object lock has it; one made without is told so, and keeps the rest of the changes', async () => {
    const objectLock = { mode: 'compliance', forMs: HOUR_MS } as const;
    await client.send(new CreateBucketCommand({ Bucket: 'with-lock', ObjectLockEnabledForBucket: true }));
    const withLock = await planBucket(at('with-lock', { objectLock }));
    for (const aspect of ['versioning', 'object lock'] as const) {
      assert.equal(withLock.find((each) => each.aspect === aspect)?.state, 'ok', aspect);
    }
    const without = at(await server.makeBucket(), { objectLock });
    const { findings, changed, failures } = await applyBucket(without, await planBucket(without), QUIET);
    // This server gives object lock at birth alone; others give it later.
    assert.deepEqual(
      failures.map(({ aspect }) => aspect),
      ['object lock'],
    );
    assert.deepEqual(changed, ['versioning', 'public access', 'lifecycle']);
    assert.equal(findings.find(({ aspect }) => aspect === 'object lock')?.severity, 'failed');
  });

  test('a bucket that is not there is an error, and no list of settings that are lacking', async () => {
    await assert.rejects(
      planBucket(at('not-there')),
      (error) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') && /make the bucket not-there/.test(error.hint),
    );
    const wrong = at(await server.makeBucket(), { credentials: { ...credentials, secretAccessKey: 'wrong' } });
    await assert.rejects(planBucket(wrong), (error) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE'));
  });
}

/** Keeps each setting as it was put, in its XML, and tells of each object what `status` says. */
async function startSettings(denied: ReadonlySet<string> = new Set()) {
  const settings = new Map<string, string>();
  const state = { status: 'COMPLETED', at: new Date() };
  const server = createServer((request, answer) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [setting = ''] = [...url.searchParams.keys()].filter((key) => key !== 'x-id');
    const refuse = (status: number, code: string): void => {
      answer.writeHead(status, { 'content-type': 'application/xml' });
      answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    };
    const respond = (body: string): void => {
      if (denied.has(setting)) refuse(403, 'AccessDenied');
      else if (request.method === 'HEAD') {
        answer.writeHead(200, {
          'x-amz-replication-status': state.status,
          'last-modified': state.at.toUTCString(),
          'content-length': '1',
        });
        answer.end();
      } else if (url.searchParams.has('list-type')) {
        const when = state.at.toISOString();
        answer.writeHead(200, { 'content-type': 'application/xml' });
        answer.end(
          `<?xml version="1.0"?><ListBucketResult><Contents><Key>prod/clusters/main/a</Key><LastModified>${when}</LastModified><Size>1</Size></Contents></ListBucketResult>`,
        );
      } else if (request.method === 'PUT') {
        settings.set(setting, body);
        answer.writeHead(200).end();
      } else if (settings.has(setting)) {
        answer.writeHead(200, { 'content-type': 'application/xml' });
        answer.end(settings.get(setting));
      } else if (setting === 'versioning') {
        answer.writeHead(200, { 'content-type': 'application/xml' });
        answer.end('<?xml version="1.0"?><VersioningConfiguration/>');
      } else refuse(404, 'ServerSideEncryptionConfigurationNotFoundError');
    };
    void text(request).then(respond);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    settings,
    state,
    location: {
      kind: 's3',
      bucket: 'water',
      prefix: 'prod',
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      encryption: { kind: 'sse-kms', keyId: 'key-1' },
      replication: { bucketArn: 'arn:aws:s3:::dr', roleArn: 'arn:aws:iam::1:role/copy', lagMs: 900_000 },
      retryBudgetMs: 0,
    } satisfies S3Location,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('replication and encryption are put as S3 wants them, and what is behind on the way is told', async () => {
  await using there = await startSettings();
  const { findings, changed, failures } = await applyBucket(there.location, await planBucket(there.location), QUIET);
  assert.deepEqual(failures, []);
  assert.deepEqual(changed, ['versioning', 'public access', 'encryption', 'lifecycle', 'replication']);
  assert.ok(findings.every(({ state }) => state === 'ok'));
  const put = there.settings.get('replication') ?? '';
  assert.match(put, /<Role>arn:aws:iam::1:role\/copy<\/Role>/);
  assert.match(put, /<Filter><Prefix>prod\/<\/Prefix><\/Filter>/);
  assert.match(there.settings.get('encryption') ?? '', /<KMSMasterKeyID>key-1<\/KMSMasterKeyID>/);

  there.state.status = 'PENDING';
  there.state.at = new Date(Date.now() - HOUR_MS);
  const behind = (await planBucket(there.location)).find(({ severity }) => severity === 'failed');
  assert.deepEqual([behind?.aspect, behind?.found], ['replication', '60 min behind']);
  there.state.status = 'FAILED';
  const failed = (await planBucket(there.location)).find(({ severity }) => severity === 'failed');
  assert.match(failed?.found ?? '', /1 of the 1 newest objects were not replicated, prod\/clusters\/main\/a/);
});

test('what these credentials may not read is a finding of its own, and nothing is changed blindly', async () => {
  await using there = await startSettings(new Set(['versioning', 'lifecycle']));
  const plan = await planBucket(there.location);
  for (const aspect of ['versioning', 'lifecycle'] as const) {
    const found = plan.find((each) => each.aspect === aspect);
    assert.deepEqual([found?.state, found?.change], ['unknown', undefined], aspect);
    assert.match(found?.hint ?? '', /^allow s3:Get/);
  }
});
