import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LifecycleRule } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import type { S3Location } from '../../port.ts';
import { type BucketFinding, judgeBucket } from './judge.ts';
import { versionsDays } from './judge-lifecycle.ts';
import type { BucketSettings, Change } from './settings.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const DAY_MS = 86_400_000;
const aws: S3Location = { kind: 's3', bucket: 'water', prefix: 'prod', region: 'eu-central-1' };
const locked: S3Location = { ...aws, objectLock: { mode: 'compliance', forMs: 30 * DAY_MS } };
const known = <Value>(value: Value) => ({ state: 'known', value }) as const;

const bare: BucketSettings = {
  versioning: known(false),
  objectLock: known(false),
  publicAccessBlocked: known(false),
  policy: known(undefined),
  encryption: known(undefined),
  lifecycle: known([]),
  replication: known(undefined),
};

const judge = (settings: Partial<BucketSettings>, location: S3Location = aws): readonly BucketFinding[] =>
  judgeBucket({ ...bare, ...settings }, location, NOW);
const of = (findings: readonly BucketFinding[], aspect: BucketFinding['aspect']): readonly BucketFinding[] =>
  findings.filter((each) => each.aspect === aspect);
const states = (findings: readonly BucketFinding[]): readonly string[] =>
  findings.map(({ aspect, state, severity }) => `${aspect}: ${state}, ${severity}`);

/** What the bucket is set to once a change was made. */
function after(settings: BucketSettings, change: Change): BucketSettings {
  switch (change.aspect) {
    case 'versioning':
      return { ...settings, versioning: known(true) };
    case 'object lock':
      return { ...settings, objectLock: known(true) };
    case 'public access':
      return { ...settings, publicAccessBlocked: known(true) };
    case 'TLS only':
      return { ...settings, policy: known(change.policy) };
    case 'encryption':
      return { ...settings, encryption: known(change.encryption) };
    case 'lifecycle':
      return { ...settings, lifecycle: known(change.rules) };
    case 'replication':
      return { ...settings, replication: known(change.replication) };
  }
}

const applied = (settings: BucketSettings, location: S3Location): BucketSettings =>
  judgeBucket(settings, location, NOW).reduce(
    (now, { change }) => (change === undefined ? now : after(now, change)),
    settings,
  );

const replication = {
  bucketArn: 'arn:aws:s3:::water-dr',
  roleArn: 'arn:aws:iam::1:role/copy',
  lagMs: 15 * 60_000,
};

test('a new bucket lacks everything that is wanted, and nothing once all changes are made', () => {
  assert.deepEqual(states(judge({}, { ...locked, replication })), [
    'versioning: differs, failed',
    'object lock: differs, failed',
    'public access: differs, failed',
    'TLS only: differs, failed',
    'encryption: differs, warning',
    'lifecycle: differs, warning',
    'replication: differs, failed',
  ]);
  for (const location of [aws, locked, { ...locked, replication }, { ...aws, prefix: '' }]) {
    const afterwards = judgeBucket(applied(bare, location), location, NOW);
    assert.ok(
      afterwards.every(({ state }) => state === 'ok'),
      states(afterwards).join('\n'),
    );
  }
});

test('what cannot be read is told with the permission that is lacking, and what the server does not know is left', () => {
  const [versioning] = of(
    judge({ versioning: { state: 'denied', permission: 's3:GetBucketVersioning' } }),
    'versioning',
  );
  assert.deepEqual([versioning?.state, versioning?.severity], ['unknown', 'warning']);
  assert.match(versioning?.hint ?? '', /allow s3:GetBucketVersioning/);
  const [access] = of(judge({ publicAccessBlocked: { state: 'unsupported' } }), 'public access');
  assert.deepEqual([access?.state, access?.severity], ['unsupported', 'ok']);
});

test('where the endpoint is http no policy is asked for that would lock Spillway out', () => {
  const there = { ...aws, endpoint: 'http://storage.example:9000' };
  const [policy] = of(judge({}, there), 'TLS only');
  assert.deepEqual([policy?.state, policy?.severity, policy?.change], ['by-hand', 'warning', undefined]);
  const [local] = of(judge({}, { ...aws, endpoint: 'http://127.0.0.1:9000' }), 'TLS only');
  assert.deepEqual([local?.state, local?.change], ['ok', undefined]);
  assert.equal(of(judge({}, { ...aws, endpoint: 'https://storage.example' }), 'TLS only')[0]?.state, 'differs');
});

const deny = (more: object): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'theirs',
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Resource: ['arn:aws:s3:::water', 'arn:aws:s3:::water/*'],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        ...more,
      },
    ],
  });

test('a policy is judged by what it does', () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ['none', undefined, 'differs'],
    ['theirs does it', deny({}), 'ok'],
    ['with a principal of AWS', deny({ Principal: { AWS: '*' } }), 'ok'],
    ['a boolean', deny({ Condition: { Bool: { 'aws:SecureTransport': [false] } } }), 'ok'],
    ['one resource with a star', deny({ Resource: 'arn:aws:s3:::water*' }), 'ok'],
    ['objects alone', deny({ Resource: 'arn:aws:s3:::water/*' }), 'differs'],
    ['another bucket', deny({ Resource: 'arn:aws:s3:::other*' }), 'differs'],
    ['gets alone', deny({ Action: 's3:GetObject' }), 'differs'],
    ['one principal', deny({ Principal: { AWS: 'arn:aws:iam::1:root' } }), 'differs'],
    [
      'under a further condition',
      deny({ Condition: { Bool: { 'aws:SecureTransport': 'false' }, StringEquals: { 'aws:PrincipalType': 'User' } } }),
      'differs',
    ],
    ['the other way round', deny({ Condition: { Bool: { 'aws:SecureTransport': 'true' } } }), 'differs'],
    ['no JSON', '{', 'by-hand'],
    ['no policy', '[]', 'by-hand'],
  ];
  for (const [what, policy, state] of cases) {
    const [found] = of(judge({ policy: known(policy) }), 'TLS only');
    assert.equal(found?.state, state, what);
  }
});

test('statements of others stay, and one that allows everybody is told', () => {
  const statement = {
    Sid: 'open',
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::water/*',
  };
  const findings = judge({ policy: known(JSON.stringify({ Version: '2012-10-17', Statement: statement })) });
  const [open] = of(findings, 'public access').filter(({ state }) => state === 'by-hand');
  assert.match(open?.found ?? '', /statement open allows everybody/);
  const [{ change } = {}] = of(findings, 'TLS only');
  assert.ok(change?.aspect === 'TLS only');
  const { Statement } = JSON.parse(change.policy) as { Statement: { Sid: string }[] };
  assert.deepEqual(
    Statement.map(({ Sid }) => Sid),
    ['open', 'SpillwayTlsOnly'],
  );
  assert.deepEqual(Statement[0], statement);
});

test('the policy names the partition of the region', () => {
  for (const [region, arn] of [
    ['cn-north-1', 'arn:aws-cn:s3:::water'],
    ['us-gov-west-1', 'arn:aws-us-gov:s3:::water'],
    ['eu-central-1', 'arn:aws:s3:::water'],
  ] as const) {
    const [{ change } = {}] = of(judge({}, { ...aws, region }), 'TLS only');
    assert.ok(change?.aspect === 'TLS only');
    assert.ok(change.policy.includes(`"Resource":["${arn}","${arn}/*"]`), region);
  }
});

test('default encryption: whatever it is where none is configured, else that', () => {
  const kms: S3Location = { ...aws, encryption: { kind: 'sse-kms', keyId: 'key-1' } };
  const cases = [
    [aws, undefined, 'differs'],
    [aws, { algorithm: 'AES256' }, 'ok'],
    [aws, { algorithm: 'aws:kms', keyId: 'theirs' }, 'ok'],
    [kms, { algorithm: 'AES256' }, 'differs'],
    [kms, { algorithm: 'aws:kms', keyId: 'key-2' }, 'differs'],
    [kms, { algorithm: 'aws:kms', keyId: 'key-1' }, 'ok'],
    [{ ...kms, encryption: { kind: 'sse-kms' } } satisfies S3Location, { algorithm: 'aws:kms', keyId: 'x' }, 'ok'],
  ] as const;
  for (const [location, encryption, state] of cases) {
    assert.equal(of(judge({ encryption: known(encryption) }, location), 'encryption')[0]?.state, state);
  }
  assert.deepEqual(of(judge({}, { ...aws, endpoint: 'https://ceph.example' }), 'encryption'), []);
});

const rule = (more: object): LifecycleRule => ({ ID: 'theirs', Status: 'Enabled', Filter: { Prefix: '' }, ...more });

test('rules of others that touch what is needed are told, and none is changed', () => {
  const cases: readonly (readonly [string, object, RegExp | undefined])[] = [
    ['removes all', { Expiration: { Days: 365 } }, /theirs removes objects by their age/],
    ['removes ours', { Filter: { Prefix: 'prod/packs/' }, Expiration: { Date: NOW } }, /removes objects/],
    ['removes others', { Filter: { Prefix: 'logs/' }, Expiration: { Days: 1 } }, undefined],
    ['removes what has a tag', { Filter: { Tag: { Key: 'a', Value: 'b' } }, Expiration: { Days: 1 } }, undefined],
    ['is off', { Status: 'Disabled', Expiration: { Days: 1 } }, undefined],
    ['freezes', { Transitions: [{ Days: 30, StorageClass: 'GLACIER' }] }, /moves objects to GLACIER/],
    ['moves to what is read at once', { Transitions: [{ Days: 30, StorageClass: 'STANDARD_IA' }] }, undefined],
    ['forgets old versions', { NoncurrentVersionExpiration: { NoncurrentDays: 1 } }, /old versions after 1 days/],
  ];
  for (const [what, more, told] of cases) {
    const findings = of(judge({ lifecycle: known([rule(more)]) }), 'lifecycle');
    const harm = findings.filter(({ state }) => state === 'by-hand');
    if (told === undefined) assert.deepEqual(harm, [], what);
    else assert.match(harm[0]?.found ?? '', told, what);
    const change = findings.find((each) => each.change !== undefined)?.change;
    assert.ok(change?.aspect === 'lifecycle');
    assert.deepEqual(change.rules[0], rule(more), what);
    assert.equal(change.rules.length, 3);
  }
});

test('old versions stay for as long as locks, and ours is changed where the lock is longer now', () => {
  assert.equal(versionsDays(aws), 7);
  assert.equal(versionsDays(locked), 45);
  assert.equal(versionsDays({ ...aws, objectLock: { mode: 'governance', forMs: DAY_MS } }), 30);
  const before = applied(bare, locked);
  const longer: S3Location = { ...locked, objectLock: { mode: 'compliance', forMs: 90 * DAY_MS } };
  const [lifecycle, ...more] = of(judgeBucket(before, longer, NOW), 'lifecycle');
  assert.deepEqual([lifecycle?.state, lifecycle?.found, more], ['differs', 'old versions go after 45 days', []]);
  const afterwards = applied(before, longer);
  assert.ok(judgeBucket(afterwards, longer, NOW).every(({ state }) => state === 'ok'));
  assert.equal(afterwards.lifecycle.state === 'known' ? afterwards.lifecycle.value.length : 0, 2);
});

test('two repositories in one bucket have rules of their own', () => {
  const other = { ...locked, prefix: 'test/b' };
  const both = applied(applied(bare, locked), other);
  assert.ok(both.lifecycle.state === 'known');
  assert.equal(both.lifecycle.value.length, 4);
  for (const location of [locked, other]) {
    assert.ok(judgeBucket(both, location, NOW).every(({ state }) => state === 'ok'));
  }
});

test('replication: rules of others stay, another role is for a person to decide, and the lag is told', () => {
  const location = { ...aws, replication };
  const theirs = {
    ID: 'theirs',
    Priority: 4,
    Status: 'Enabled',
    Destination: { Bucket: 'arn:aws:s3:::else' },
  } as const;
  const [found] = of(
    judge({ replication: known({ Role: replication.roleArn, Rules: [theirs] }) }, location),
    'replication',
  );
  assert.ok(found?.change?.aspect === 'replication');
  const [first, second] = found.change.replication.Rules ?? [];
  assert.deepEqual(first, theirs);
  assert.deepEqual(
    [second?.ID, second?.Priority, second?.DeleteMarkerReplication?.Status],
    ['spillway-prod', 5, 'Disabled'],
  );
  const [other] = of(judge({ replication: known({ Role: 'arn:other', Rules: [theirs] }) }, location), 'replication');
  assert.deepEqual([other?.state, other?.change], ['by-hand', undefined]);

  const set = applied(bare, location);
  const lag = (replicated: object): BucketFinding | undefined =>
    of(
      judgeBucket(
        { ...set, replicated: known({ objects: 20, failed: [], untouched: [], ...replicated }) },
        location,
        NOW,
      ),
      'replication',
    )[1];
  const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);
  assert.deepEqual([lag({})?.state, lag({})?.found], ['ok', '0 min behind']);
  assert.deepEqual(lag({ pendingSince: ago(10) })?.severity, 'ok');
  assert.deepEqual(
    [lag({ pendingSince: ago(16) })?.severity, lag({ pendingSince: ago(16) })?.found],
    ['failed', '16 min behind'],
  );
  assert.match(lag({ failed: ['prod/x'] })?.found ?? '', /1 of the 20 newest objects were not replicated, prod\/x/);
  assert.match(lag({ untouched: Array.from({ length: 20 }, () => 'x') })?.found ?? '', /none of the 20/);
  assert.equal(lag({ objects: 0 })?.found, 'nothing to replicate yet');
});

test('whatever the bucket was set to, the changes of the plan leave nothing that differs', () => {
  const rules = fc.array(
    fc.record({
      ID: fc.constantFrom('a', 'b', 'spillway-abandoned-prod', 'spillway-old-versions-prod'),
      Status: fc.constantFrom('Enabled', 'Disabled'),
      Filter: fc.record({ Prefix: fc.constantFrom('', 'prod/', 'prod/packs/', 'logs/') }),
      NoncurrentVersionExpiration: fc.option(fc.record({ NoncurrentDays: fc.integer({ min: 1, max: 90 }) }), {
        nil: undefined,
      }),
      Expiration: fc.option(fc.record({ Days: fc.integer({ min: 1, max: 90 }) }), { nil: undefined }),
      AbortIncompleteMultipartUpload: fc.option(fc.constant({ DaysAfterInitiation: 3 }), { nil: undefined }),
    }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      rules,
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(undefined, deny({}), deny({ Action: 's3:GetObject' })),
      fc.constantFrom(aws, locked, { ...aws, prefix: '' }),
      (lifecycle, versioning, access, policy, location) => {
        const given: BucketSettings = {
          ...bare,
          versioning: known(versioning),
          publicAccessBlocked: known(access),
          policy: known(policy),
          lifecycle: known(lifecycle as LifecycleRule[]),
        };
        const set = applied(given, location);
        const afterwards = judgeBucket(set, location, NOW);
        assert.ok(
          afterwards.every(({ state }) => state === 'ok' || state === 'by-hand'),
          states(afterwards).join('\n'),
        );
        assert.ok(set.lifecycle.state === 'known');
        const own = /^spillway-/;
        const others = lifecycle.filter(({ ID }) => !own.test(ID));
        assert.deepEqual(
          set.lifecycle.value.filter(({ ID = '' }) => !own.test(ID)),
          others,
        );
      },
    ),
  );
});
