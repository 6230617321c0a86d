// The store in a bucket against a real S3 server, and behind a proxy that harms what passes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, suite, test } from 'node:test';
import { promisify } from 'node:util';
import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { isSpillwayError, type SpillwayError } from '@spillway/contract';
import { type FaultProxy, s3ServerInstalled, startFaultProxy, startS3Server, type WireFault } from '@spillway/lab';
import { initRepository } from '../src/index.ts';
import { testConformance } from '../src/storage/conformance.ts';
import { openStorage } from '../src/storage/open.ts';
import type { S3Location, Storage, StorageLocation } from '../src/storage/port.ts';
import { removeRemains } from '../src/storage/remains.ts';
import { countersOf, shareStorage } from '../src/storage/process-state.ts';
import { waitFor } from './throwaway.ts';

const DAY_MS = 86_400_000;

if (s3ServerInstalled()) await testStore();
else test('a store in a bucket', { skip: 'Ceph is not installed' }, () => undefined);

async function testStore(): Promise<void> {
  const server = await startS3Server();
  after(() => server.stop());
  const { endpoint, credentials } = server;
  const bucket = await server.makeBucket();
  let prefixes = 0;

  /** A place of its own in the bucket. */
  const place = (more: Partial<S3Location> = {}): StorageLocation & S3Location =>
    shareStorage({
      kind: 's3',
      bucket,
      prefix: `at/${++prefixes}`,
      endpoint,
      credentials,
      retryBudgetMs: 20_000,
      ...more,
    }) as StorageLocation & S3Location;
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  const head = (location: S3Location, name: string) =>
    client.send(new HeadObjectCommand({ Bucket: bucket, Key: `${location.prefix}/${name}` }));

  testConformance('S3', async () => openStorage(place()));

  test('a list of 1,100 objects goes over its pages, in order, and leaves out what is not ours', async () => {
    const storage = openStorage(place());
    const all = Array.from({ length: 1100 }, (_, i) => `locks/many/${String(i).padStart(6, '0')}`);
    await Promise.all(all.map((name) => storage.put(name, [Buffer.from(name)])));
    assert.deepEqual(await names(storage, 'locks/'), all);
    const early: string[] = [];
    for await (const { name } of storage.list('locks/')) {
      early.push(name);
      if (early.length === 3) break;
    }
    assert.deepEqual(early, all.slice(0, 3));
  });

  test('a repository at the root of a bucket has no prefix', async () => {
    const own = await server.makeBucket();
    const storage = openStorage(place({ bucket: own, prefix: '' }));
    await storage.put('a/b', [Buffer.from('x')]);
    assert.deepEqual(await names(storage, ''), ['a/b']);
  });

  test('what is wrong with the place is an unreachable store, told with what to do', async () => {
    const wrong = { ...credentials, secretAccessKey: 'wrong' };
    const cases: readonly (readonly [Partial<S3Location>, RegExp, RegExp])[] = [
      [{ credentials: wrong }, /SignatureDoesNotMatch|HTTP 403/, /secret access key|allow these credentials/],
      [{ credentials: { ...wrong, accessKeyId: 'nobody' } }, /InvalidAccessKeyId|HTTP 403/, /access key|allow these/],
      [{ bucket: 'not-there' }, /NoSuchBucket/, /make the bucket not-there at http:/],
      [
        { endpoint: 'http://127.0.0.1:1', retryBudgetMs: 0 },
        /ECONNREFUSED.*after 3 attempts/,
        /127\.0\.0\.1:1 can be reached/,
      ],
      [{ endpoint: endpoint.replace('http', 'https'), retryBudgetMs: 0 }, /./, /./],
    ];
    for (const [more, why, hint] of cases) {
      const storage = openStorage(place(more));
      const tellsIt = (error: unknown): boolean =>
        isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') && why.test(error.why ?? '') && hint.test(error.hint);
      await assert.rejects(storage.get('a'), tellsIt);
      await assert.rejects(storage.stat('a'), tellsIt);
      await assert.rejects(storage.put('a', [Buffer.from('x')]), tellsIt);
      await assert.rejects(names(storage, ''), tellsIt);
      // Servers call the removal of what is not there a success, wherever it is not.
      if (more.bucket === undefined) await assert.rejects(storage.remove('a'), tellsIt);
    }
  });

  test('objects are encrypted as the location says, and an unknown key is refused', async () => {
    const location = place({ encryption: { kind: 'sse-kms', keyId: server.kmsKeyId } });
    const storage = openStorage(location);
    const body = randomBytes(100_000);
    assert.equal(await storage.put('packs/aa/1', [body]), 'created');
    assert.equal((await head(location, 'packs/aa/1')).ServerSideEncryption, 'aws:kms');
    assert.deepEqual(Buffer.from(await storage.get('packs/aa/1')), body);
    const unknown = openStorage(place({ encryption: { kind: 'sse-kms', keyId: 'no-such-key' } }));
    await assert.rejects(unknown.put('a', [body]), (error) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE'));
  });

  test('each kind of object has its storage class', async () => {
    const location = place({ storageClasses: { packs: 'STANDARD_IA' } });
    const storage = openStorage(location);
    for (const name of ['packs/aa/1', 'locks/a/1', 'clusters/main/wal/1/x'])
      await storage.put(name, [Buffer.from(name)]);
    assert.equal((await head(location, 'packs/aa/1')).StorageClass, 'STANDARD_IA');
    assert.equal((await head(location, 'locks/a/1')).StorageClass ?? 'STANDARD', 'STANDARD');
    assert.equal((await head(location, 'clusters/main/wal/1/x')).StorageClass ?? 'STANDARD', 'STANDARD');
  });

  test('an object is moved to another class, whole, and what is locked is not', async () => {
    const location = place();
    const storage = openStorage(location);
    const body = randomBytes(50_000);
    await storage.put('packs/aa/1', [body]);
    const { classes } = storage;
    assert.ok(classes !== undefined);
    const listed = async () => Array.fromAsync(classes.list('packs/'));
    assert.deepEqual(
      (await listed()).map(({ name, bytes, storageClass }) => [name, bytes, storageClass]),
      [['packs/aa/1', 50_000, 'STANDARD']],
    );
    await classes.move('packs/aa/1', 'STANDARD_IA');
    assert.deepEqual(
      (await listed()).map(({ name, bytes, storageClass }) => [name, bytes, storageClass]),
      [['packs/aa/1', 50_000, 'STANDARD_IA']],
    );
    assert.equal((await head(location, 'packs/aa/1')).StorageClass, 'STANDARD_IA');
    assert.deepEqual(Buffer.from(await storage.get('packs/aa/1')), body);
    assert.equal(await storage.put('packs/aa/1', [body]), 'exists');
    await classes.move('packs/aa/2', 'STANDARD_IA');
    assert.equal(await storage.stat('packs/aa/2'), undefined, 'what is gone stays gone');
    const locked = openStorage(place({ objectLock: { mode: 'governance', forMs: DAY_MS } }));
    assert.equal(locked.classes, undefined);
  });

  test('in a bucket that keeps versions the one before a move goes', async () => {
    const own = await server.makeBucket();
    const Bucket = own;
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const storage = openStorage(place({ bucket: own, prefix: 'v' }));
    await storage.put('packs/aa/1', [Buffer.from('x')]);
    await storage.classes?.move('packs/aa/1', 'STANDARD_IA');
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
    assert.deepEqual(
      Versions.map(({ StorageClass }) => StorageClass),
      ['STANDARD_IA'],
    );
  });

  test('uploads in parts that others left are ended once they are old', async () => {
    const location = place();
    const left = { Bucket: bucket, Key: `${location.prefix}/packs/aa/left` };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(left));
    await client.send(new UploadPartCommand({ ...left, UploadId, PartNumber: 1, Body: Buffer.from('part') }));
    const other = place();
    assert.equal(await removeRemains(other, -1000), 0);
    assert.equal(await removeRemains(location, DAY_MS), 0);
    assert.equal(await removeRemains(location, -1000), 1);
    assert.equal(await removeRemains(location, -1000), 0);
  });

  test('a clock that is an hour off is set right by what the server says', async () => {
    const storage = openStorage(place());
    mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
    try {
      assert.equal(await storage.put('a', [Buffer.from('x')]), 'created');
      assert.equal((await storage.get('a')).byteLength, 1);
    } finally {
      mock.timers.reset();
    }
  });

  test('a body that is paced, of one piece or several, arrives as it was', async () => {
    const location = place({ bandwidthLimit: 64 * 1024 * 1024 });
    const storage = openStorage(location);
    const parts = [randomBytes(300_000), randomBytes(500_000)];
    await storage.put('packs/aa/1', parts);
    await storage.put('packs/aa/2', [Buffer.concat(parts)]);
    for (const name of ['packs/aa/1', 'packs/aa/2']) {
      assert.deepEqual(Buffer.from(await storage.get(name)), Buffer.concat(parts));
    }
  });

  test('a server that overwrites what is there cannot hold a repository', async () => {
    const careless = createServer((request, response) => {
      request.resume().once('end', () => {
        if (request.method === 'GET')
          response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
        else response.end();
      });
    });
    await new Promise<void>((resolve) => careless.listen(0, '127.0.0.1', resolve));
    try {
      const address = careless.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      await assert.rejects(
        initRepository({ location: place({ endpoint: `http://127.0.0.1:${port}` }), passphrase: 'p'.repeat(32) }),
        (error) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') && /overwrites/.test(error.why ?? ''),
      );
    } finally {
      careless.closeAllConnections();
      await new Promise((resolve) => careless.close(resolve));
    }
  });

  suite('behind a proxy', () => {
    let proxy: FaultProxy;
    const through = async (plan: FaultProxy['plan'], more: Partial<S3Location> = {}) => {
      proxy = await startFaultProxy({ target: endpoint, plan });
      after(() => proxy[Symbol.asyncDispose]());
      const location = place({ endpoint: proxy.url, requestTimeoutMs: 1000, ...more });
      return { location, storage: openStorage(location) };
    };
    /** Faults befall the first requests of `method`, one each. */
    const first =
      (method: string, ...faults: readonly WireFault[]): FaultProxy['plan'] =>
      (request) => {
        if (request.method !== method) return undefined;
        return faults[seen(request.method)];
      };
    let counts = new Map<string, number>();
    const seen = (method: string): number => {
      const before = counts.get(method) ?? 0;
      counts.set(method, before + 1);
      return before;
    };
    const fresh = (): void => {
      counts = new Map();
    };

    for (const fault of ['reset-after-done', 'error-after-done', 'silence-after-done'] as const) {
      test(`a put whose answer was lost (${fault}) knows its own object from another's`, async () => {
        fresh();
        const { location, storage } = await through(first('PUT', fault));
        const body = randomBytes(200_000);
        assert.equal(await storage.put('locks/a/1', [body]), 'created');
        assert.equal(proxy.happened[fault], 1);
        assert.equal(countersOf(location).put_requests, 2);
        assert.deepEqual(Buffer.from(await storage.get('locks/a/1')), body);
        assert.equal(await storage.put('locks/a/1', [body]), 'exists');
      });
    }

    test('a put that never arrived finds the name taken by another, though the bytes are the same', async () => {
      const { location, storage } = await through(() => undefined);
      const direct = openStorage({ ...location, endpoint });
      proxy.plan = async ({ number }) => {
        if (number > 1) return undefined;
        await direct.put('locks/a/1', [Buffer.from('same')]);
        return 'reset';
      };
      assert.equal(await storage.put('locks/a/1', [Buffer.from('same')]), 'exists');
      assert.ok(proxy.requests > 1);
    });

    test('connections are used again, and no more are open than requests may run', async () => {
      const { storage } = await through(() => undefined, { parallelRequests: 3 });
      await Promise.all(Array.from({ length: 24 }, (_, i) => storage.put(`a/${i}`, [Buffer.from('x')])));
      for (let i = 0; i < 24; i++) await storage.get(`a/${i}`);
      assert.ok(proxy.requests >= 48 && proxy.connections <= 3, `${proxy.connections} connections`);
    });

    test('a server with a certificate of its own authority is trusted where that is named, and only there', async () => {
      const tls = await makeCertificate();
      await using secure = await startFaultProxy({ target: endpoint, tls });
      const location = place({ endpoint: secure.url });
      await assert.rejects(openStorage(location).get('a'), (error) => {
        return isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') && /root_certificate_file/.test(error.hint);
      });
      const storage = openStorage({ ...location, rootCertificate: tls.cert });
      const parts = [randomBytes(100_000), randomBytes(1)];
      assert.equal(await storage.put('a', parts), 'created');
      assert.deepEqual(Buffer.from(await storage.get('a')), Buffer.concat(parts));
    });

    test('a body or an answer that was harmed on its way is sent again', async () => {
      fresh();
      const { location, storage } = await through(first('PUT', 'corrupt-request', 'reset', 'slow-down'));
      const body = randomBytes(300_000);
      assert.equal(await storage.put('packs/aa/1', [body]), 'created');
      assert.deepEqual(Buffer.from(await openStorage({ ...location, endpoint }).get('packs/aa/1')), body);
      fresh();
      proxy.plan = first('GET', 'truncate', 'reset', 'error-after-done', 'slow-down', 'delay');
      assert.deepEqual(Buffer.from(await storage.get('packs/aa/1')), body);
      assert.equal(countersOf(location).throttled, 2);
      for (const fault of ['corrupt-request', 'reset', 'slow-down', 'truncate'] as const) {
        assert.ok(proxy.happened[fault] > 0, fault);
      }
      fresh();
      proxy.plan = first('GET', 'truncate', 'reset');
      assert.deepEqual(await names(storage, ''), ['packs/aa/1']);
      fresh();
      proxy.plan = first('DELETE', 'error-after-done', 'reset-after-done');
      await storage.remove('packs/aa/1');
      fresh();
      proxy.plan = first('HEAD', 'reset', 'slow-down');
      assert.equal(await storage.stat('packs/aa/1'), undefined);
    });

    test('a server that only ever asks for less is told as one, with the attempts', async () => {
      const { storage } = await through(() => 'slow-down', { retryBudgetMs: 300 });
      await assert.rejects(
        storage.put('a', [Buffer.from('x')]),
        (error: SpillwayError) =>
          error.code === 'SPW_STORAGE_UNREACHABLE' &&
          /SlowDown.*after \d+ attempts/.test(error.why ?? '') &&
          /parallel_requests/.test(error.hint),
      );
    });

    test('a connection that is gone for a while is waited for', async () => {
      const { location, storage } = await through(() => undefined);
      await storage.put('a', [Buffer.from('x')]);
      proxy.cut();
      const stored = storage.put('b', [Buffer.from('y')]);
      const read = storage.get('a');
      await waitFor('a few attempts', () => countersOf(location).retries >= 4);
      proxy.mend();
      assert.equal(await stored, 'created');
      assert.equal((await read).byteLength, 1);
    });

    test('an abort ends the waiting for the next attempt with its own reason', async () => {
      const { location, storage } = await through(() => undefined);
      await storage.put('a', [Buffer.from('x')]);
      proxy.cut();
      const stopping = new AbortController();
      const read = storage.get('a', { signal: stopping.signal });
      const failed = assert.rejects(read, /stop/);
      await waitFor('an attempt', () => countersOf(location).retries >= 1);
      stopping.abort(new Error('stop'));
      await failed;
    });

    test('of many puts through faults each is created once and reads back', async () => {
      const faults = ['reset', 'reset-after-done', 'error-after-done', 'slow-down', 'corrupt-request'] as const;
      const { storage } = await through(({ number }) =>
        number % 3 === 0 ? faults[(number / 3) % faults.length] : undefined,
      );
      const all = Array.from({ length: 30 }, (_, i) => ({ name: `packs/aa/${i}`, body: randomBytes(20_000) }));
      const outcomes = await Promise.all(all.map(({ name, body }) => storage.put(name, [body])));
      assert.ok(outcomes.every((outcome) => outcome === 'created'));
      for (const { name, body } of all) assert.deepEqual(Buffer.from(await storage.get(name)), body);
      assert.ok(Object.values(proxy.happened).reduce((sum, count) => sum + count, 0) > 8);
    });
  });
}

async function makeCertificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-tls-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    words.push('-subj', '/CN=spillway', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert);
    await promisify(execFile)('openssl', words);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function names(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of storage.list(prefix)) found.push(name);
  return found;
}
