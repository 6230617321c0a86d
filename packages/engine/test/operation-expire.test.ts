// Expiry of what a real cluster left: what is kept restores to the same rows, the repository shrinks, nothing is called a
// gap that was expired on purpose, and neither a running backup nor a running restore loses anything.

import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { fingerprint } from '@spillway/lab';
import { CHUNK_ID_BYTES, isZeroChunk } from '../src/format/chunk.ts';
import type { BackupSummary } from '../src/format/manifest.ts';
import { legalHoldName, manifestName } from '../src/format/names.ts';
import { listBackups, recoveryWindow } from '../src/operation/backups.ts';
import { copy } from '../src/operation/copy/run.ts';
import { planExpiry } from '../src/operation/expire/plan.ts';
import type { RetentionPolicy } from '../src/operation/expire/policy.ts';
import { type ExpireOptions, type ExpireSummary, expire } from '../src/operation/expire/run.ts';
import { holdPlan } from '../src/operation/restore/hold-plan.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { COLLECT_LOCK } from '../src/repository/collect.ts';
import { condemn, forget } from '../src/repository/condemned.ts';
import { type DataKeyRotation, rotateDataKey } from '../src/repository/data-key.ts';
import { writeEvidence } from '../src/repository/evidence.ts';
import { holdBackup } from '../src/repository/hold.ts';
import { readChunk, readIndex } from '../src/repository/index-store.ts';
import { takeLock } from '../src/repository/lock.ts';
import { listLegalHolds, placeLegalHold, releaseLegalHold } from '../src/repository/legal-hold.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { Repository } from '../src/repository/repository.ts';
import { folderOf } from '../src/storage/port.ts';
import { putHead } from './place-head.ts';
import { waitFor } from './throwaway.ts';
import { makeStage, type Receiving, type Stage } from './operation-stage.ts';

let stage: Stage;
let receiving: Receiving;
const made: BackupSummary[] = [];

before(async () => {
  stage = await makeStage();
  receiving = stage.receive();
  await stage.cluster.query('CREATE TABLE readings (n int, words text)');
  for (let round = 0; round < 3; round++) {
    await stage.cluster.query(`INSERT INTO readings SELECT n, md5(random()::text) FROM generate_series(1, 5000) AS n`);
    made.push(await stage.backup());
    // Some segments between one backup and the next.
    for (let n = 0; n < 3; n++) {
      await stage.cluster.query('UPDATE readings SET words = md5(words) WHERE n % 3 = 0');
      await stage.cluster.query('SELECT pg_switch_wal()');
    }
  }
  await stage.caughtUp(receiving);
});
after(() => stage[Symbol.asyncDispose]());

const run = (rules: Partial<RetentionPolicy>, options: Partial<ExpireOptions> = {}): Promise<ExpireSummary> =>
  expire({
    repository: stage.repository,
    cluster: stage.name,
    policy: { minimumProven: 1, ...rules },
    graceMs: 0,
    repackBelow: 0.5,
    repackBytesMax: 1e9,
    lockWaitMs: 0,
    signal: new AbortController().signal,
    report: () => undefined,
    ...options,
  });
const look = () => ({ repository: stage.repository, cluster: stage.name });
const ids = async (): Promise<readonly string[]> => (await listBackups(look())).map(({ id }) => id);

async function size(prefix = ''): Promise<{ readonly objects: number; readonly bytes: number }> {
  let [objects, sum] = [0, 0];
  for await (const { bytes } of stage.repository.storage.list(prefix)) {
    objects += 1;
    sum += bytes;
  }
  return { objects, bytes: sum };
}

async function assertWhole(): Promise<void> {
  const index = await readIndex(stage.repository);
  assert.deepEqual([index.damagedPacks, index.damagedIndexes], [[], []]);
  for (const id of await ids()) {
    const { chunkIds } = await readManifest(stage.repository, stage.name, id);
    for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
      if (!isZeroChunk(chunkIds, at)) await readChunk(stage.repository, index, chunkIds, at);
    }
  }
}

test('without a policy nothing goes, and a plan changes nothing', async () => {
  const was = await size();
  const { plan } = await planExpiry({
    ...look(),
    policy: { minimumProven: 1, keepCount: 1 },
    now: new Date(),
    estimate: true,
  });
  assert.deepEqual(
    plan.backups.map(({ keep }) => keep),
    [false, false, true],
  );
  assert.ok((plan.pack_bytes ?? 0) > 0 && plan.wal_bytes > 0);
  assert.deepEqual(await size(), was);
  const nothing = await run({});
  assert.deepEqual([nothing.removed_backups, nothing.removed_wal_objects], [[], 0]);
  assert.deepEqual(
    await ids(),
    made.map(({ id }) => id),
  );
});

test('what is on legal hold stays whatever is said, a hold that cannot be read keeps all, and copies have it too', async () => {
  const { repository, name: cluster } = stage;
  const [first] = made;
  assert.ok(first !== undefined);
  const told = { cluster, backup: first.id, reason: 'case 4711', by: 'somebody@here' };
  const hold = await placeLegalHold(repository, told);
  const during = await run({ keepCount: 2 });
  assert.deepEqual(during.removed_backups, []);
  assert.deepEqual(during.plan.backups[0]?.reasons, ['on legal hold: case 4711']);
  await assert.rejects(run({}, { named: [first.id], force: true }), {
    code: 'SPW_BACKUP_NEEDED',
    why: /legal hold: case 4711/,
  });

  const place = new Repository({
    ...repository.handle,
    location: { kind: 'filesystem', path: `${folderOf(repository.location)}-copy` },
  });
  await mkdir(folderOf(place.location) ?? '');
  await putHead(repository);
  // Its retention alone would keep the newest.
  const policy = { minimumProven: 1, keepCount: 1 };
  const signal = new AbortController().signal;
  const copied = await copy({
    source: repository,
    target: place.location,
    clusters: [{ name: cluster, policy }],
    workers: 2,
    signal,
    report: () => undefined,
  });
  assert.deepEqual(
    copied.clusters[0]?.backups.map(({ outcome }) => outcome),
    ['copied', 'left', 'copied'],
  );
  assert.equal((await listLegalHolds(place, cluster)).active.get(first.id)?.[0]?.id, hold.id);
  assert.deepEqual((await run({ keepCount: 1 }, { repository: place })).removed_backups, []);

  const file = join(folderOf(repository.location) ?? '', legalHoldName(cluster, hold.id));
  const good = await readFile(file);
  await chmod(file, 0o600);
  await writeFile(file, good.subarray(0, -1));
  await assert.rejects(run({ keepCount: 1 }), { code: 'SPW_OBJECT_DAMAGED', why: /may hold any backup/ });
  await assert.rejects(run({}, { named: [made[1]?.id ?? ''], force: true }), { code: 'SPW_OBJECT_DAMAGED' });
  assert.equal((await ids()).length, 3);
  await writeFile(file, good);

  await releaseLegalHold(repository, { ...told, reason: 'closed' });
  await assert.rejects(releaseLegalHold(repository, told), { code: 'SPW_USAGE', why: /nothing holds it/ });
  assert.deepEqual((await run({ keepCount: 2 }, { keepAll: true })).removed_backups, []);
  const { plan } = await planExpiry({ ...look(), policy: { minimumProven: 1, keepCount: 2 }, now: new Date() });
  assert.deepEqual(
    plan.backups.map(({ keep }) => keep),
    [false, true, true],
  );
});

test('a hold waits for an expiry that does not know of it, and fails where that took the backup along', async () => {
  const { repository, name: cluster } = stage;
  const doomed = await stage.backup();
  const lock = await takeLock(repository, COLLECT_LOCK, { holder: 'expiry of cluster main' });
  let waited = 0;
  const placed = placeLegalHold(
    repository,
    { cluster, backup: doomed.id, reason: 'case 4711', by: 'somebody@here' },
    { onWait: () => (waited += 1) },
  );
  placed.catch(() => undefined);
  await waitFor('the hold to wait', () => waited > 0);
  await repository.storage.remove(manifestName(cluster, doomed.id));
  await lock[Symbol.asyncDispose]();
  await assert.rejects(placed, { code: 'SPW_BACKUP_UNKNOWN', why: /removed meanwhile/ });
  assert.equal((await listLegalHolds(repository, cluster)).active.size, 0);
});

test('a backup that a restore reads is kept until the restore is done', async () => {
  const [first] = made;
  assert.ok(first !== undefined);
  const signal = new AbortController().signal;
  const hold = await holdBackup({ ...look(), backupId: first.id, signal, report: () => undefined });
  const during = await run({ keepCount: 2 });
  assert.deepEqual(during.removed_backups, []);
  assert.match(during.plan.backups[0]?.reasons.join() ?? '', /^in use by a restore on /);
  await assert.rejects(
    run({}, { named: [first.id], force: true }),
    (error) => isSpillwayError(error, 'SPW_BACKUP_NEEDED') && /in use/.test(error.why ?? ''),
  );
  await hold[Symbol.asyncDispose]();
  assert.equal((await size('locks/restore-')).objects, 0);
});

test('the last proven backup is not removed by a name alone', async () => {
  const [first] = made;
  assert.ok(first !== undefined);
  const at = new Date().toISOString();
  await writeEvidence(stage.repository, {
    kind: 'verification',
    cluster: stage.name,
    backup: first.id,
    level: 'data',
    result: 'passed',
    started_at: at,
    finished_at: at,
    details: {},
  });
  assert.deepEqual((await run({ keepCount: 2 })).removed_backups, []);
  await assert.rejects(
    run({}, { named: [first.id] }),
    (error) => isSpillwayError(error, 'SPW_BACKUP_NEEDED') && /last proven/.test(error.why ?? ''),
  );
  assert.deepEqual((await run({}, { named: [first.id], force: true })).removed_backups, [first.id]);
});

test('what is kept restores after the rest has gone, the repository shrinks, and no gap is told', async () => {
  const [, second, third] = made;
  assert.ok(second !== undefined && third !== undefined);
  const was = await size();
  const planned = await stage.plan({ backupId: third.id });
  const summary = await run({ keepCount: 2, pointInTimeMs: 0 });
  assert.deepEqual(await ids(), [second.id, third.id]);
  assert.ok(summary.removed_wal_objects > 3, `${summary.removed_wal_objects} WAL objects`);
  const now = await size();
  assert.ok(now.objects < was.objects && now.bytes < was.bytes - summary.removed_wal_bytes / 2);
  const { gaps, backups_without_wal: lost } = await checkWal(look());
  assert.deepEqual([gaps, lost], [[], []]);
  const window = await recoveryWindow(look());
  assert.deepEqual([window.earliest_lsn, window.gaps], [third.stop_lsn, []]);
  await assertWhole();
  assert.equal((await run({ keepCount: 2, pointInTimeMs: 0 })).removed_wal_objects, 0);

  // A restore that was planned before goes by what is there when it begins, and is planned again only where it must be.
  const told: string[] = [];
  const restoring = {
    ...look(),
    target: { kind: 'latest' },
    targetDirectory: planned.plan.directory,
    signal: new AbortController().signal,
    report: (event: OperationEvent) => void (event.type === 'notice' && told.push(event.message)),
  } as const;
  {
    await using held = await holdPlan(planned, restoring);
    assert.notEqual(held.planned, planned);
    assert.equal(held.planned.plan.backup.id, third.id);
    assert.match(told.join(), /planned again/);
    await using again = await holdPlan(held.planned, restoring);
    assert.equal(again.planned, held.planned);
    assert.equal(told.length, 1);
    // As when its chunks have just been written into another pack.
    const packIds = held.planned.index.packs.slice(0, 1).map(({ packId }) => packId);
    const at = new Date().toISOString();
    await condemn(stage.repository, 1000, packIds, at);
    await using anew = await holdPlan(held.planned, restoring);
    assert.notEqual(anew.planned, held.planned);
    await forget(stage.repository, { number: 1000, at, packIds });
  }

  await using latest = (await stage.restore()).cluster;
  assert.deepEqual(await fingerprint(latest.connection), await fingerprint(stage.cluster.connection));
  await using old = (await stage.restore({ backupId: second.id, target: { kind: 'immediate' } })).cluster;
  assert.deepEqual(await old.query('SELECT count(*)::int AS rows FROM readings'), [{ rows: 10_000 }]);
});

test('a backup that is running while all that it could build upon expires is whole', async () => {
  await stage.cluster.query('INSERT INTO readings SELECT n, md5(n::text) FROM generate_series(1, 3000) AS n');
  let expiring: Promise<ExpireSummary> | undefined;
  const running = await stage.backup({
    type: 'incremental',
    report: (event) => {
      if (event.type === 'progress' && event.phase === 'copying files') expiring ??= run({ keepCount: 1 });
    },
  });
  await expiring;
  await run({ keepCount: 1 });
  assert.deepEqual(await ids(), [running.id]);
  await assertWhole();
  assert.deepEqual((await checkWal(look())).backups_without_wal, []);
});

test('a data key that is rotated beside a running backup and a running receiver harms neither, and expiry moves all to it', async () => {
  const { handle } = stage.repository;
  const rotating = new Repository(handle);
  const keyNumbers = async (): Promise<Set<number>> =>
    new Set((await readIndex(new Repository(handle))).packs.map(({ dataKeyNumber }) => dataKeyNumber));
  await stage.cluster.query('INSERT INTO readings SELECT n, md5(random()::text) FROM generate_series(1, 3000) AS n');
  let rotation: Promise<DataKeyRotation> | undefined;
  const across = await stage.backup({
    type: 'incremental',
    report: (event) => {
      if (event.type === 'progress' && event.phase === 'copying files') {
        rotation ??= rotateDataKey({ repository: rotating, secrets: [] });
      }
    },
  });
  assert.equal((await rotation)?.number, 2);
  await stage.cluster.query('INSERT INTO readings SELECT n, md5(random()::text) FROM generate_series(1, 3000) AS n');
  const newer = await stage.backup({ type: 'incremental', repository: rotating });
  assert.deepEqual(await keyNumbers(), new Set([1, 2]));
  await stage.cluster.query('UPDATE readings SET words = md5(words) WHERE n % 3 = 0');
  await stage.caughtUp(receiving);
  await assertWhole();
  const rows = await fingerprint(stage.cluster.connection);
  // Who restores has opened the repository before the rotation, and each of its threads too.
  stage.repository = new Repository(handle);
  {
    await using restored = (await stage.restore({ backupId: across.id })).cluster;
    assert.deepEqual(await fingerprint(restored.connection), rows);
  }
  await run({ keepCount: 1 }, { repackBelow: 1, repository: rotating });
  assert.deepEqual(await keyNumbers(), new Set([2]));
  stage.repository = new Repository(handle);
  await using restored = (await stage.restore({ backupId: newer.id })).cluster;
  assert.deepEqual(await fingerprint(restored.connection), rows);
});

test('a manifest that cannot be read keeps all WAL and all packs', async () => {
  const last = await stage.backup();
  const [first] = await ids();
  assert.ok(first !== undefined);
  const path = join(stage.repositoryPath, manifestName(stage.name, first));
  await chmod(path, 0o600);
  await writeFile(path, 'damaged');
  const was = [await size('packs/'), await size(`clusters/${stage.name}/wal/`)];
  const summary = await run({ keepCount: 1, pointInTimeMs: 0 });
  assert.equal(summary.collected, null);
  assert.match(summary.not_collected ?? '', /cannot be read/);
  assert.deepEqual([await size('packs/'), await size(`clusters/${stage.name}/wal/`)], was);
  assert.deepEqual(summary.removed_backups, []);
  // Given up by its full name, it stands in nobody's way any more.
  await run({}, { named: [first] });
  assert.notEqual((await run({ keepCount: 1 })).collected, null);
  assert.deepEqual(await ids(), [last.id]);
  await assertWhole();
});
