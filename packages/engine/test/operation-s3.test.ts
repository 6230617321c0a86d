// A cluster whose repository is in a bucket of a real server, reached through a proxy that harms what passes.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import {
  differences,
  type FaultProxy,
  fingerprint,
  type S3Server,
  s3ServerInstalled,
  seededPlan,
  seededRandom,
  startFaultProxy,
  startS3Server,
} from '@spillway/lab';
import {
  expire,
  initRepository,
  listBackups,
  openRepository,
  Repository,
  type TierSummary,
  tier,
  verify,
} from '../src/index.ts';
import type { S3Location } from '../src/storage/port.ts';
import { countersOf } from '../src/storage/process-state.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const passphrase = 'a passphrase of more than 32 characters';
const common = { signal: new AbortController().signal, report: () => undefined };

suite('a repository in a bucket', { skip: s3ServerInstalled() ? false : 'Ceph is not installed' }, () => {
  let stage: Stage;
  let server: S3Server;
  let proxy: FaultProxy;
  let location: S3Location;

  before(async () => {
    [stage, server] = await Promise.all([makeStage(), startS3Server()]);
    proxy = await startFaultProxy({ target: server.endpoint });
    const { credentials } = server;
    const bucket = await server.makeBucket();
    location = { kind: 's3', bucket, prefix: 'water', endpoint: proxy.url, credentials, requestTimeoutMs: 5000 };
    await initRepository({ location, passphrase });
    const secret = { kind: 'passphrase', passphrase } as const;
    stage.repository = await openRepository({ location, secret });
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await server.stop();
  });

  test('takes full and incremental backups and WAL, verifies and gives them back, whatever the network does', async (t) => {
    const random = seededRandom();
    t.diagnostic(`seed ${random.seed}`);
    proxy.plan = seededPlan(random, {
      reset: 0.03,
      'reset-after-done': 0.03,
      'error-after-done': 0.03,
      'slow-down': 0.03,
      truncate: 0.02,
      'corrupt-request': 0.02,
    });
    const { cluster } = stage;
    await cluster.query('CREATE TABLE t AS SELECT n, md5(n::text) AS word FROM generate_series(1, 30000) AS n');
    const receiving = stage.receive();
    await stage.backup({ type: 'full' });
    await cluster.query('CREATE TABLE u AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 20000) AS n');
    const second = await stage.backup({ type: 'incremental' });
    assert.ok(second.new_bytes < second.bytes);
    await cluster.query('DELETE FROM t WHERE n % 7 = 0');
    const expected = await fingerprint(cluster.connection);
    await stage.caughtUp(receiving);

    const verified = await verify({
      ...common,
      repository: stage.repository,
      cluster: stage.name,
      all: true,
      level: 'data',
      workers: 2,
    });
    assert.deepEqual([verified.result, verified.findings], ['passed', []]);
    const restored = await stage.restore();
    assert.deepEqual(differences(expected, await fingerprint(restored.cluster.connection)), []);
    await receiving.stop();

    const counted = countersOf(stage.repository.location);
    assert.ok(counted.retries > 0, JSON.stringify(counted));
    // What the worker threads stored is counted with the rest.
    assert.ok(counted.put_bytes > second.stored_bytes, JSON.stringify(counted));
    assert.ok(counted.put_requests >= counted.put_calls);
    const happened = Object.values(proxy.happened).reduce((sum, count) => sum + count, 0);
    assert.ok(happened > 0);
    t.diagnostic(`${happened} faults in ${proxy.requests} requests; ${counted.retries} attempts repeated`);
  });

  test('lists no backup of which the server took only a part, and takes the next one', async () => {
    proxy.plan = () => undefined;
    const { handle } = stage.repository;
    const ids = async (): Promise<readonly string[]> =>
      (await listBackups({ repository: stage.repository, cluster: stage.name })).map(({ id }) => id);
    const known = await ids();
    for (const refused of ['packs', 'index', 'backups'] as const) {
      await stage.cluster.query(`CREATE TABLE ${refused} AS SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n`);
      proxy.plan = ({ method, path }) => (method === 'PUT' && path.includes(`/${refused}/`) ? 'slow-down' : undefined);
      const repository = new Repository({ ...handle, location: { ...location, retryBudgetMs: 100 } });
      await assert.rejects(stage.backup({ repository, type: 'full' }), (error) =>
        isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_BACKUP_VOID'),
      );
      assert.deepEqual(await ids(), known);
    }
    proxy.plan = () => undefined;
    const receiving = stage.receive();
    const expected = await fingerprint(stage.cluster.connection);
    const next = await stage.backup({ type: 'incremental' });
    await receiving.stop();
    assert.ok((await ids()).includes(next.id));
    const restored = await stage.restore({ target: { kind: 'immediate' }, backupId: next.id });
    assert.deepEqual(differences(expected, await fingerprint(restored.cluster.connection)), []);
  });

  test('lets go of what no rule keeps, and what is left verifies', async () => {
    const removed = await expire({
      ...common,
      repository: stage.repository,
      cluster: stage.name,
      policy: { keepCount: 1, minimumProven: 1 },
      graceMs: 0,
      repackBelow: 0.5,
      repackBytesMax: 1e9,
    });
    assert.ok(removed.removed_backups.length > 0, JSON.stringify(removed));
    assert.notEqual(removed.collected, null);
    const verified = await verify({
      ...common,
      repository: stage.repository,
      cluster: stage.name,
      all: true,
      level: 'data',
      workers: 2,
    });
    assert.deepEqual([verified.result, verified.findings], ['passed', []]);
  });

  test('packs that the newest backup needs are moved to a class that pays, once they are old enough', async () => {
    const { repository, name } = stage;
    const asked = {
      ...common,
      repository,
      keepDays: new Map([[name, 90]]),
      afterMs: 7 * 86_400_000,
      storageClass: 'STANDARD_IA',
      readsPerMonth: 0,
      prices: { standardGibMonth: 0.023, infrequentGibMonth: 0.0125, infrequentReadGib: 0.01, infrequentPutPer1000: 0 },
      dryRun: false,
    };
    const packs = (summary: TierSummary) =>
      Object.fromEntries(summary.groups.map((each): [string, number] => [each.group, each.packs]));
    const now = new Date();
    const early = packs(await tier({ ...asked, now }));
    assert.ok((early['young'] ?? 0) > 0);
    assert.equal(early['moved'], 0);
    const later = new Date(now.getTime() + 8 * 86_400_000);
    const dry = await tier({ ...asked, now: later, dryRun: true });
    const toMove = packs(dry)['moved'] ?? 0;
    assert.ok(toMove > 0);
    const of = dry.groups.find(({ group }) => group === 'moved');
    assert.ok((of?.move_usd ?? 0) < (of?.stay_usd ?? 0));
    assert.equal(packs(await tier({ ...asked, now: later }))['moved'], toMove);
    const again = packs(await tier({ ...asked, now: later }));
    assert.deepEqual([again['moved'], again['there']], [0, toMove]);
    const unknown = packs(await tier({ ...asked, now: later, keepDays: new Map() }));
    assert.equal(unknown['moved'], 0);
    const { result } = await verify({ ...common, repository, cluster: name, all: true, level: 'data', workers: 2 });
    assert.equal(result, 'passed');
  });
});
