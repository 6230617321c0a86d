// An attacker with everything that the backup host has: its credentials for the storage, its configuration, its keys. In a
// bucket with object lock he removes, hides, overwrites, shortens locks, and writes packs and index objects that lie, sealed
// as they should be. Afterwards every backup restores as it was, and verification tells what was tried.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { isSpillwayError } from '@spillway/contract';
import {
  type ConditionalProxy,
  differences,
  fingerprint,
  type S3Server,
  s3ServerInstalled,
  startCluster,
  startConditionalProxy,
  startS3Server,
} from '@spillway/lab';
import { chunkId, idKey } from '../src/codec/keys.ts';
import { DEFAULT_COMPRESSION_LEVEL } from '../src/codec/seal.ts';
import { CHUNK_ID_BYTES, isZeroChunk } from '../src/format/chunk.ts';
import { indexName, isLasting, packName } from '../src/format/names.ts';
import type { BackupSummary } from '../src/format/manifest.ts';
import { expire } from '../src/operation/expire/run.ts';
import { listBackups } from '../src/operation/backups.ts';
import { recover, type RecoverSummary } from '../src/operation/recover/run.ts';
import { verify } from '../src/operation/verify/run.ts';
import { writeIndex, readIndexObject } from '../src/repository/index-store.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { PackWriter } from '../src/repository/pack-writer.ts';
import { initRepository, openRepository, type Repository } from '../src/repository/repository.ts';
import type { S3Location } from '../src/storage/port.ts';
import { Stage } from './operation-stage.ts';

const PASSPHRASE = 'correct horse battery staple, and more of it';
const BUCKET = 'locked';
const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;

if (s3ServerInstalled()) suite('in a bucket with object lock', { concurrency: false }, lockedBucket);
else test('an attacker in a bucket with object lock', { skip: 'Ceph is not installed' }, () => undefined);

function lockedBucket(): void {
  let server: S3Server;
  let client: S3Client;
  let proxy: ConditionalProxy;
  let stage: Stage;
  let folder: string;
  let location: S3Location;
  const made: BackupSummary[] = [];
  const prints: Awaited<ReturnType<typeof fingerprint>>[] = [];

  before(async () => {
    server = await startS3Server();
    const { credentials } = server;
    client = new S3Client({ endpoint: server.endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
    proxy = await startConditionalProxy(server.endpoint, isThere);
    const { endpoint } = proxy;
    await client.send(new CreateBucketCommand({ Bucket: BUCKET, ObjectLockEnabledForBucket: true }));
    location = {
      kind: 's3',
      bucket: BUCKET,
      prefix: 'prod',
      endpoint,
      credentials,
      objectLock: { mode: 'compliance', forMs: HOUR_MS },
    };
    folder = await mkdtemp(join(tmpdir(), 'spillway-attacker-'));
    await chmod(folder, 0o755);
    await initRepository({ location, passphrase: PASSPHRASE });
    stage = new Stage(folder, await startCluster({ walSegmentMegabytes: 1 }), await open());
    stage.workers = 1;
    await stage.cluster.query(
      'CREATE TABLE readings AS SELECT n, md5(n::text) AS words FROM generate_series(1, 3000) AS n',
    );
    for (let round = 0; round < 2; round++) {
      await stage.cluster.query(`INSERT INTO readings SELECT n, 'round ${round}' FROM generate_series(1, 500) AS n`);
      made.push(await stage.backup());
      prints.push(await fingerprint(stage.cluster.connection));
    }
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    client?.destroy();
    await proxy?.[Symbol.asyncDispose]();
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function isThere(path: string): Promise<boolean> {
    const [, Bucket = '', ...key] = path.split('/').map(decodeURIComponent);
    try {
      await client.send(new HeadObjectCommand({ Bucket, Key: key.join('/') }));
      return true;
    } catch (error) {
      if ((error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) {
        return false;
      }
      throw error;
    }
  }
  const open = (): Promise<Repository> =>
    openRepository({ location, secret: { kind: 'passphrase', passphrase: PASSPHRASE } });
  const verifyAll = async () =>
    verify({
      repository: await open(),
      cluster: stage.name,
      level: 'data',
      all: true,
      workers: 1,
      signal,
      report: () => undefined,
    });
  const recoverAll = (options: { readonly dryRun?: boolean } = {}): Promise<RecoverSummary> =>
    recover({ location, open, signal, report: () => undefined, ...options });
  const assertRestores = async (): Promise<void> => {
    stage.repository = await open();
    assert.deepEqual(
      (await listBackups({ repository: stage.repository, cluster: stage.name })).map(({ id }) => id),
      made.map(({ id }) => id),
    );
    for (const [at, { id }] of made.entries()) {
      const { cluster } = await stage.restore({ backupId: id, target: { kind: 'immediate' } });
      const print = prints[at];
      assert.ok(print !== undefined);
      assert.deepEqual(differences(print, await fingerprint(cluster.connection)), []);
      await cluster.stop();
    }
  };

  interface Stored {
    readonly Key: string;
    readonly VersionId: string;
  }
  async function versions(): Promise<readonly Stored[]> {
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: 'prod/' }));
    return Versions.map(({ Key = '', VersionId = '' }) => ({ Key, VersionId }));
  }
  const lasting = async (): Promise<readonly Stored[]> =>
    (await versions()).filter(({ Key }) => isLasting(Key.slice('prod/'.length)));

  test('new objects that last are locked, and what a place keeps for itself is not', async () => {
    const now = Date.now();
    const all = await versions();
    assert.ok(all.length > 10);
    for (const { Key } of all) {
      const head = await client.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
      const lasts = isLasting(Key.slice('prod/'.length));
      assert.equal(head.ObjectLockMode, lasts ? 'COMPLIANCE' : undefined, Key);
      if (lasts) assert.ok((head.ObjectLockRetainUntilDate?.getTime() ?? 0) > now + HOUR_MS, Key);
    }
    assert.equal((await verifyAll()).result, 'passed');
    assert.deepEqual((await recoverAll()).objects, []);
  });

  test('nobody removes a version or shortens a lock', async () => {
    let tried = 0;
    for (const { Key, VersionId } of await lasting()) {
      const at = { Bucket: BUCKET, Key, VersionId };
      const sooner = { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 1000) } as const;
      for (const command of [
        new DeleteObjectCommand(at),
        new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true }),
      ]) {
        await assert.rejects(client.send(command), { name: 'AccessDenied' }, Key);
        tried += 1;
      }
      await assert.rejects(client.send(new PutObjectRetentionCommand({ ...at, Retention: sooner })), Key);
      const { Retention } = await client.send(new GetObjectRetentionCommand(at));
      assert.ok((Retention?.RetainUntilDate?.getTime() ?? 0) > Date.now() + HOUR_MS);
      tried += 1;
    }
    assert.ok(tried > 30, String(tried));
    process.stdout.write(`# ${tried} removals and shorter locks were tried, and refused\n`);
  });

  test('what is hidden and overwritten, the head and all key slots too, comes back, and is told', async () => {
    const names = (await lasting()).map(({ Key }) => Key);
    const tried = { hidden: 0, overwritten: 0 };
    for (const [at, Key] of names.entries()) {
      if (at % 3 === 0 || Key.includes('/keys/') || Key.endsWith('spillway.json')) {
        await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
        tried.hidden += 1;
      } else {
        await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Buffer.from('poison '.repeat(at + 1)) }));
        if (at % 3 === 1) await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
        tried[at % 3 === 1 ? 'hidden' : 'overwritten'] += 1;
      }
    }
    await assert.rejects(open(), (error) => isSpillwayError(error));
    const looked = await recoverAll({ dryRun: true });
    assert.ok(looked.objects.length > 0);
    await assert.rejects(open(), (error) => isSpillwayError(error));
    const recovered = await recoverAll();
    assert.deepEqual(
      recovered.objects.map(({ object }) => object).toSorted(),
      names.map((name) => name.slice('prod/'.length)).toSorted(),
    );
    assert.ok(recovered.objects.every(({ outcome }) => outcome === 'recovered'));
    for (const how of ['hidden', 'overwritten'] as const) {
      assert.equal(recovered.objects.filter((each) => each.how === how).length, tried[how], how);
    }
    await assertRestores();
    assert.deepEqual((await recoverAll()).objects, []);
    process.stdout.write(`# ${tried.hidden} objects were hidden and ${tried.overwritten} overwritten; all came back\n`);
  });

  test('verification names what was hidden before anything is put back', async () => {
    const [pack] = (await lasting()).filter(({ Key }) => Key.includes('/packs/'));
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: pack?.Key ?? '' }));
    const { result, findings } = await verifyAll();
    assert.equal(result, 'failed');
    const [tampered, ...more] = findings.filter(({ kind }) => kind === 'tampering');
    assert.deepEqual([tampered?.object, more], [pack?.Key.slice('prod/'.length), []]);
    assert.match(tampered?.problem ?? '', /^it was hidden at /);
    await recoverAll();
    assert.equal((await verifyAll()).result, 'passed');
  });

  test('packs and index objects that lie, sealed with the right keys, change no restore, and are told', async () => {
    const repository = await open();
    const { chunkIds } = await readManifest(repository, stage.name, made[0]?.id ?? '');
    const key = idKey(repository.keys);
    // A pack that says to hold the chunks of the first backup, and holds others.
    const writer = new PackWriter(repository, DEFAULT_COMPRESSION_LEVEL);
    let forged = 0;
    for (let at = 0; at < chunkIds.length && forged < 50; at += CHUNK_ID_BYTES) {
      if (isZeroChunk(chunkIds, at)) continue;
      const id = chunkIds.subarray(at, at + CHUNK_ID_BYTES);
      const evil = Buffer.from(`this is not the chunk ${at}`);
      assert.notDeepEqual(chunkId(key, evil), Buffer.from(id));
      writer.add(id, evil);
      forged += 1;
    }
    const packs = await writer.finish();
    await writeIndex(repository, packs);
    // And an index object that says of true packs that their chunks lie elsewhere in them.
    const names = (await Array.fromAsync(repository.storage.list(indexName('')))).map(({ name }) => name);
    const directories = (await Promise.all(names.map((name) => readIndexObject(repository, name)))).flat();
    const lies = directories
      .filter(({ packId }) => !packs.some((pack) => pack.packId === packId))
      .map((directory) => ({ ...directory, storedBytes: directory.storedBytes.toReversed() }))
      .filter(({ packId, storedBytes }) =>
        directories.some((each) => each.packId === packId && !isDeepStrictEqual(each.storedBytes, storedBytes)),
      );
    await writeIndex(repository, lies);
    assert.ok(forged > 20 && lies.length > 0);
    await assertRestores();
    const { result, findings } = await verifyAll();
    assert.equal(result, 'failed');
    const contradicted = findings.filter(({ kind }) => kind === 'tampering').map(({ object }) => object);
    for (const { packId } of lies) assert.ok(contradicted.includes(packName(packId)), packId);
    process.stdout.write(
      `# ${forged} chunks and ${lies.length} directories were forged; every backup restored as it was\n`,
    );
  });

  test('without its index, which no lock guards, every backup restores', async () => {
    const index = (await versions()).filter(({ Key }) => Key.startsWith('prod/index/'));
    assert.ok(index.length > 1);
    for (const at of index) await client.send(new DeleteObjectCommand({ Bucket: BUCKET, ...at }));
    await assertRestores();
    const { findings } = await verifyAll();
    assert.match(findings.find(({ kind }) => kind === 'index')?.problem ?? '', /packs that backups need/);
    const dry = await recoverAll({ dryRun: true });
    assert.ok(dry.reindexed_packs > 0);
    assert.equal((await recoverAll()).reindexed_packs, dry.reindexed_packs);
    assert.deepEqual(
      [(await recoverAll()).reindexed_packs, (await verifyAll()).findings.filter(({ kind }) => kind === 'index')],
      [0, []],
    );
    process.stdout.write(`# ${index.length} index objects were removed for good; every backup restored as it was\n`);
  });

  test('expire reports what is locked, as no error, and removes it when it may', async () => {
    const repository = await open();
    const summary = await expire({
      repository,
      cluster: stage.name,
      policy: { minimumProven: 1, keepCount: 1 },
      named: [made[0]?.id ?? ''],
      force: true,
      graceMs: 0,
      repackBelow: 0,
      repackBytesMax: 0,
      signal,
      report: () => undefined,
    });
    assert.deepEqual([summary.removed_backups, summary.retained_backups], [[], [made[0]?.id]]);
    assert.ok(Date.parse(summary.retained_until ?? '') > Date.now());
  });
}
