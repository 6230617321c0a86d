// Copies of a repository in other places: whole, resumed after every kind of end, and enough to restore from alone.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { after, before, test } from 'node:test';
import {
  addKeySlot,
  checkWal,
  type BackupSummary,
  type CopyOptions,
  type CopySummary,
  copy,
  expire,
  initRepository,
  openRepository,
  type PushSummary,
  pushToPlaces,
  type RepairOptions,
  type RepairSummary,
  removeKeySlot,
  repair,
  restore,
  Repository,
  type StorageLocation,
  throughPlaces,
  verify,
} from '../src/index.ts';
import { canaryName, isOfOnePlace } from '../src/format/names.ts';
import { readCanaryRecord, writeCanaryRecord } from '../src/operation/canary/record.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import { rotateDataKey } from '../src/repository/data-key.ts';
import { evidenceObjectName, listEvidence, writeEvidence } from '../src/repository/evidence.ts';
import { readKeySlots } from '../src/repository/repository.ts';
import { copyElsewhere } from './copy-process.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';
import { folderOf as folderOfAny } from '../src/storage/port.ts';

const folderOf = (location: StorageLocation): string => folderOfAny(location) ?? '';

const signal = new AbortController().signal;
const report = (): void => undefined;
const PASSPHRASE = 'a passphrase of at least thirty-two characters';
const KEEP_ALL = { minimumProven: 1 };

let stage: Stage;
before(async () => {
  stage = await makeStage();
  const path = join(stage.folder, 'first');
  await mkdir(path);
  const location = { kind: 'filesystem', path } as const;
  await initRepository({ location, passphrase: PASSPHRASE });
  stage.repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase: PASSPHRASE } });
});
after(() => stage[Symbol.asyncDispose]());

let numberOfPlaces = 0;
async function newPlace(): Promise<Repository> {
  const path = join(stage.folder, `place-${++numberOfPlaces}`);
  await mkdir(path);
  return new Repository({ ...stage.repository.handle, location: { kind: 'filesystem', path } });
}

const copyTo = (target: Repository, options: Partial<CopyOptions> = {}): Promise<CopySummary> =>
  copy({
    source: stage.repository,
    target: target.location,
    clusters: [{ name: stage.name, policy: KEEP_ALL }],
    workers: 2,
    signal,
    report,
    ...options,
  });

/** All objects but those that are each place's own. */
async function objectsOf(repository: Repository): Promise<ReadonlyMap<string, string>> {
  const objects = new Map<string, string>();
  for await (const { name } of repository.storage.list('')) {
    if (isOfOnePlace(name)) continue;
    objects.set(name, Buffer.from(await repository.storage.get(name)).toString('base64'));
  }
  return objects;
}

test('a copy is the same objects in another place, and a second run copies nothing', async () => {
  await stage.cluster.query('CREATE TABLE IF NOT EXISTS kept AS SELECT generate_series(1, 5000) AS n');
  const first = await stage.backup();
  await verify({ repository: stage.repository, cluster: stage.name, level: 'data', workers: 2, signal, report });
  const place = await newPlace();
  const looked = await copyTo(place, { dryRun: true });
  assert.deepEqual((await readdir(folderOf(place.location))).length, 0);
  const made = await copyTo(place);
  assert.equal(made.made, true);
  assert.deepEqual(made.clusters[0]?.backups, [
    { id: first.id, outcome: 'copied', reasons: ['no retention is configured', 'newest', 'last proven'] },
  ]);
  assert.deepEqual(made.clusters[0]?.damage, []);
  const { packs, pack_bytes, wal_objects, wal_bytes, evidence } = made.clusters[0];
  assert.ok(packs > 0 && wal_objects > 0);
  assert.equal(evidence, 1);
  assert.deepEqual(looked.clusters, [{ ...made.clusters[0], packs, pack_bytes, wal_objects, wal_bytes }]);
  assert.deepEqual(await objectsOf(place), await objectsOf(stage.repository));
  const again = await copyTo(place);
  assert.deepEqual(again.clusters, [
    {
      cluster: stage.name,
      backups: [{ id: first.id, outcome: 'there', reasons: [] }],
      dumps: [],
      packs: 0,
      pack_bytes: 0,
      packs_there: 0,
      wal_objects: 0,
      wal_bytes: 0,
      evidence: 0,
      damage: [],
    },
  ]);
});

test('the newest canary goes along, so that a restore from the copy knows of the same loss', async () => {
  const place = await newPlace();
  const newest = async (of: Repository): Promise<unknown> =>
    (await readCanaryRecord(of, stage.name))?.acknowledged.sequence;
  const names = async (of: Repository): Promise<readonly string[]> =>
    Array.fromAsync(of.storage.list(canaryName(stage.name, '')), ({ name }) => name);
  const write = (to: Repository, sequence: number): Promise<void> => {
    const at = new Date(Date.UTC(2026, 10, 28, 12, 0, sequence)).toISOString();
    const acknowledged = { sequence, written_at: at, acknowledged_at: at, timeline: 1, lsn: '0/1' };
    return writeCanaryRecord(to, stage.name, { acknowledged, interval_seconds: 5 });
  };
  await copyTo(place);
  assert.equal(await newest(place), undefined);
  await write(stage.repository, 7);
  await copyTo(place, { dryRun: true });
  assert.equal(await newest(place), undefined);
  await copyTo(place);
  assert.equal(await newest(place), 7);
  await write(stage.repository, 8);
  const { clusters } = await copyTo(place);
  assert.deepEqual([await newest(place), clusters[0]?.damage], [8, []]);
  assert.deepEqual(await names(place), await names(stage.repository));
  // The receiver was faster.
  await write(place, 9);
  await copyTo(place);
  assert.deepEqual([await newest(place), (await names(place)).length], [9, 1]);
  // One that is damaged is no harm to the copy.
  await write(stage.repository, 10);
  const [name = ''] = await names(stage.repository);
  await truncate(join(folderOf(stage.repository.location), name), 20);
  assert.deepEqual((await copyTo(place)).clusters[0]?.damage, []);
  assert.equal(await newest(place), 9);
  await rm(join(folderOf(stage.repository.location), name));
});

test('the copy alone is enough to restore from, and what came since is brought along', async () => {
  const place = await newPlace();
  await copyTo(place);
  await stage.cluster.query('INSERT INTO kept SELECT generate_series(5001, 6000)');
  const second = await stage.backup({ type: 'incremental' });
  const { clusters } = await copyTo(place);
  assert.equal(clusters[0]?.backups.find(({ id }) => id === second.id)?.outcome, 'copied');
  const first = stage.repository;
  await rename(folderOf(first.location), `${folderOf(first.location)}.gone`);
  try {
    stage.repository = place;
    const { cluster } = await stage.restore({ backupId: second.id });
    assert.deepEqual(await cluster.query('SELECT count(*)::int AS n FROM kept'), [{ n: 6000 }]);
    const verified = await verify({
      repository: place,
      cluster: stage.name,
      all: true,
      level: 'data',
      workers: 2,
      signal,
      report,
    });
    assert.deepEqual([verified.result, verified.notices], ['passed', []]);
  } finally {
    stage.repository = first;
    await rename(`${folderOf(first.location)}.gone`, folderOf(first.location));
  }
});

test('a copy that is killed at any call goes on, and ends as one that was not', async (t) => {
  const whole = await objectsOf(stage.repository);
  const order = { source: stage.repository.handle, cluster: stage.name };
  const fault = { verbs: ['put', 'remove'], what: 'kill' } as const;
  const counted = await copyElsewhere({
    ...order,
    target: (await newPlace()).handle.location,
    fault: { ...fault, call: 1e6 },
  });
  assert.equal(counted?.error, undefined);
  const calls = counted?.calls ?? 0;
  t.diagnostic(`${calls} calls`);
  assert.ok(calls > 20);
  for (let call = 1; call <= calls; call += Math.ceil(calls / 11)) {
    const place = await newPlace();
    const end = await copyElsewhere({ ...order, target: place.handle.location, fault: { ...fault, call } });
    assert.equal(end, undefined, `not killed at call ${call}`);
    const there = await objectsOf(place);
    for (const [name, bytes] of there) assert.equal(bytes, whole.get(name), `${name} after call ${call}`);
    const { clusters } = await copyTo(place);
    assert.deepEqual(clusters[0]?.damage, []);
    assert.deepEqual(await objectsOf(place), whole, `after call ${call}`);
  }
});

test('a place that is full, does not answer, takes nothing or is another repository is told as that', async () => {
  const order = { source: stage.repository.handle, cluster: stage.name };
  for (const [what, code] of [
    ['full', 'SPW_STORAGE_FULL'],
    ['unreachable', 'SPW_STORAGE_UNREACHABLE'],
  ] as const) {
    const place = await newPlace();
    const verbs = ['put'] as const;
    const end = await copyElsewhere({ ...order, target: place.handle.location, fault: { verbs, what, call: 9 } });
    assert.equal(end?.error, code);
    assert.deepEqual((await copyTo(place)).clusters[0]?.damage, []);
    assert.deepEqual(await objectsOf(place), await objectsOf(stage.repository));
  }
  const missing = { kind: 'filesystem', path: join(stage.folder, 'not-mounted') } as const;
  await assert.rejects(copyTo(new Repository({ ...stage.repository.handle, location: missing })), {
    code: 'SPW_STORAGE_UNREACHABLE',
  });
  const other = await newPlace();
  await initRepository({ location: other.location, passphrase: PASSPHRASE });
  const untouched = await objectsOf(other);
  await assert.rejects(copyTo(other), { code: 'SPW_REPOSITORY_EXISTS', why: /it holds the repository/ });
  assert.deepEqual(await objectsOf(other), untouched);
  const used = await newPlace();
  await writeFile(join(folderOf(used.location), 'letters'), '');
  await assert.rejects(copyTo(used), { code: 'SPW_REPOSITORY_EXISTS', why: /letters lies there already/ });
});

test('a copy takes the data keys along that came after it was made, and is enough by itself', async () => {
  const place = await newPlace();
  await stage.backup();
  await copyTo(place);
  const open = (location: StorageLocation): Promise<Repository> =>
    openRepository({ location, secret: { kind: 'passphrase', passphrase: PASSPHRASE } });
  await rotateDataKey({
    repository: await open(stage.repository.location),
    secrets: [{ kind: 'passphrase', passphrase: PASSPHRASE }],
    signal,
  });
  // Who runs meanwhile has the older ring; who begins now seals with the new key.
  const older = stage.repository;
  stage.repository = await open(older.location);
  assert.equal(stage.repository.keys.dataKeys.length, older.keys.dataKeys.length + 1);
  await stage.cluster.query('CREATE TABLE sealed_anew AS SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n');
  const newest = await stage.backup();
  const copied = await copyTo(place, { source: older });
  assert.ok(copied.clusters[0]?.backups.some(({ id }) => id === newest.id));
  const alone = await open(place.location);
  assert.equal(alone.keys.dataKeys.length, stage.repository.keys.dataKeys.length);
  const verified = await verify({
    repository: alone,
    cluster: stage.name,
    level: 'data',
    all: true,
    workers: 2,
    signal,
    report,
  });
  assert.deepEqual([verified.result, verified.findings], ['passed', []]);
});

test('what is damaged at the source is not copied, and what is damaged at the place is left; both are told', async () => {
  const source = await newPlace();
  await copyTo(source);
  const names = [...(await objectsOf(source)).keys()].filter((name) => name.startsWith('packs/'));
  const lengths = await Promise.all(names.map(async (name) => (await source.storage.stat(name))?.bytes ?? 0));
  const name = names[lengths.indexOf(Math.max(...lengths))] ?? '';
  const path = join(folderOf(source.location), name);
  const good = await readFile(path);
  await chmod(path, 0o600);
  await writeFile(path, good.with(good.length >> 1, (good.at(good.length >> 1) ?? 0) ^ 1));
  const place = await newPlace();
  const hurt = await copyTo(place, { source });
  const outcomes = hurt.clusters[0]?.backups.map(({ outcome }) => outcome);
  assert.ok(outcomes?.every((outcome) => outcome === 'failed'));
  assert.deepEqual(
    hurt.clusters[0]?.damage.map(({ place: at, object }) => [at, object]),
    [['source', name]],
  );
  assert.match(hurt.clusters[0].damage[0]?.problem ?? '', /does not authenticate/);
  assert.equal(await place.storage.stat(name), undefined);
  assert.deepEqual((await copyTo(place)).clusters[0]?.damage, []);

  const own = join(folderOf(place.location), name);
  await chmod(own, 0o600);
  await truncate(own, 100);
  const newer = await stage.backup({ type: 'full' });
  const left = await copyTo(place);
  assert.deepEqual(left.clusters[0]?.damage, [
    { place: 'target', object: name, problem: `it has 100 bytes, and ${good.length} at the source` },
  ]);
  assert.equal(left.clusters[0].backups.find(({ id }) => id === newer.id)?.outcome, 'failed');
});

test('a place keeps what its own retention says, and packs it had condemned are needed again', async () => {
  const place = await newPlace();
  const policy = { keepCount: 1, minimumProven: 1 };
  const mine = { clusters: [{ name: stage.name, policy }] };
  const first = await copyTo(place, mine);
  const kept = first.clusters[0]?.backups.filter(({ outcome }) => outcome === 'copied').map(({ id }) => id) ?? [];
  const left = first.clusters[0]?.backups.filter(({ outcome }) => outcome === 'left') ?? [];
  assert.ok(kept.length < (first.clusters[0]?.backups.length ?? 0) && left.length > 0);
  const expiry = {
    repository: place,
    cluster: stage.name,
    policy,
    graceMs: 0,
    repackBelow: 0,
    repackBytesMax: 0,
    signal,
    report,
  };
  const nothing = await expire({ ...expiry, graceMs: 3_600_000 });
  assert.deepEqual(
    [nothing.removed_backups, nothing.removed_wal_objects, nothing.collected?.packs_waiting],
    [[], 0, 0],
  );

  const id = left[0]?.id ?? '';
  const named = await copyTo(place, { ...mine, named: [id] });
  assert.equal(named.clusters[0]?.backups.find((each) => each.id === id)?.outcome, 'copied');
  const gone = await expire({ ...expiry, graceMs: 3_600_000 });
  assert.deepEqual(gone.removed_backups, [id]);
  assert.ok((gone.collected?.packs_waiting ?? 0) > 0);
  const again = await copyTo(place, { ...mine, named: [id] });
  assert.equal(again.clusters[0]?.packs, 0);
  assert.ok(again.clusters[0].packs_there > 0);
  const collected = await expire({ ...expiry, policy: KEEP_ALL });
  assert.equal(collected.collected?.packs_removed, 0);
  const verified = await verify({
    repository: place,
    cluster: stage.name,
    all: true,
    level: 'data',
    workers: 2,
    signal,
    report,
  });
  assert.equal(verified.result, 'passed');
});

test('a key slot that was added is brought along, one that was removed is only named', async () => {
  const place = await newPlace();
  await copyTo(place);
  const slots: string[] = [];
  for await (const { name } of readKeySlots(stage.repository.storage, stage.repository.id)) slots.push(name);
  const { slot } = await addKeySlot({ repository: stage.repository, passphrase: `${PASSPHRASE} anew` });
  assert.deepEqual((await copyTo(place)).key_slots, { added: [slot.id], left: [], foreign: [] });
  const secret = { kind: 'passphrase', passphrase: PASSPHRASE } as const;
  await removeKeySlot({ repository: stage.repository, secret, id: slot.id });
  assert.deepEqual((await copyTo(place)).key_slots, { added: [], left: [], foreign: [slot.id] });
  await openRepository({ location: place.location, secret: { kind: 'passphrase', passphrase: `${PASSPHRASE} anew` } });
  assert.equal(slots.length, 2);
  const back = await copy({
    source: place,
    target: stage.repository.location,
    clusters: [],
    keySlots: 'name',
    workers: 1,
    signal,
    report,
  });
  assert.deepEqual(back.key_slots, { added: [], left: [slot.id], foreign: [] });
});

/** The repository read from `first`, and from `others` for what turns out to be wrong there. */
const reading = (first: Repository, ...others: readonly Repository[]): Repository =>
  new Repository({ ...first.handle, location: { ...first.location, others: others.map(({ location }) => location) } });

async function flip(repository: Repository, name: string): Promise<void> {
  const path = join(folderOf(repository.location), name);
  const good = await readFile(path);
  await chmod(path, 0o600);
  await writeFile(path, good.with(good.length >> 1, (good.at(good.length >> 1) ?? 0) ^ 1));
}

test('a restore reads elsewhere what is damaged, missing or cut short, and says what', async () => {
  const { id } = await stage.backup();
  const [first, second] = [await newPlace(), await newPlace()];
  for (const place of [first, second]) await copyTo(place, { named: [id] });
  const names = [...(await objectsOf(first)).keys()];
  const packs = names.filter((name) => name.startsWith('packs/'));
  const segment = names.find((name) => /\/wal\/.*\/[0-9A-F]{24}$/.test(name)) ?? '';
  const [flipped = '', cut = '', gone = ''] = packs;
  const manifest = names.find((name) => name.endsWith(id)) ?? '';
  for (const name of [flipped, segment, manifest]) await flip(first, name);
  await chmod(join(folderOf(first.location), cut), 0o600);
  await truncate(join(folderOf(first.location), cut), 50);
  await rm(join(folderOf(first.location), gone));
  const own = stage.repository;
  try {
    stage.repository = reading(first, second);
    const { planned } = await stage.restore({ backupId: id });
    assert.equal(planned.plan.backup.id, id);
    const found = new Map<string, string>();
    const target = stage.place();
    // Each thing is told once.
    stage.repository = reading(first, second);
    const again = await stage.plan({ backupId: id, targetDirectory: target });
    const done = await restore({
      repository: stage.repository,
      planned: again,
      workers: 2,
      restoreCommand: 'false',
      signal,
      report,
    });
    for (const { object, problem, place, instead } of done.detours) {
      assert.deepEqual([place, instead], [folderOf(first.location), folderOf(second.location)]);
      found.set(object, problem);
    }
    assert.equal(done.source, folderOf(first.location));
    const expected = [flipped, cut, gone].filter((name) => found.has(name));
    // All of them, unless a pack holds no chunk of the files.
    assert.ok(expected.length >= 2, JSON.stringify([...found]));
    assert.equal(found.get(manifest), 'damaged');
    if (found.has(gone)) assert.equal(found.get(gone), 'missing');
    // With the second place gone too nobody has it.
    stage.repository = reading(first, await newPlace());
    await assert.rejects(stage.plan({ backupId: id }), {
      code: /SPW_(?:OBJECT_DAMAGED|OBJECT_MISSING|BACKUP_UNKNOWN)/,
    });
  } finally {
    stage.repository = own;
  }

  const mend = (others: readonly Repository[], more: Partial<RepairOptions> = {}): Promise<RepairSummary> =>
    repair({
      repository: first,
      others: others.map((repository, at) => ({ name: `place ${at}`, repository })),
      workers: 2,
      signal,
      report,
      ...more,
    });
  const all = [flipped, segment, manifest, cut, gone].toSorted();
  const alone = await mend([await newPlace()]);
  assert.deepEqual(
    alone.objects.map(({ object, outcome }) => `${outcome} ${object}`).toSorted(),
    all.map((name) => `lost ${name}`),
  );
  assert.deepEqual(alone.hurt, [id]);
  const looked = await mend([second], { dryRun: true });
  assert.ok(looked.objects.every(({ outcome, from }) => outcome === 'mended' && from === 'place 0'));
  assert.deepEqual(
    (await mend([second], { objects: [cut] })).objects,
    [{ object: cut, problem: 'it is shorter than the trailer of a pack', outcome: 'mended', from: 'place 0' }].map(
      (each) => ({ ...each, problem: looked.objects.find(({ object }) => object === cut)?.problem ?? '' }),
    ),
  );
  const mended = await mend([second]);
  assert.deepEqual(
    mended.objects.map(({ object }) => object).toSorted(),
    all.filter((name) => name !== cut),
  );
  assert.deepEqual((await mend([second])).objects, []);
  assert.deepEqual(await objectsOf(first), await objectsOf(second));
  assert.equal((await readdir(join(folderOf(first.location), '.damaged'))).length, 4);
  const verified = await verify({
    repository: first,
    cluster: stage.name,
    all: true,
    level: 'data',
    workers: 2,
    signal,
    report,
  });
  assert.equal(verified.result, 'passed');
  // Each place numbers its evidence by itself: what another has under that number is no help, and must not be put there.
  const [record] = (await listEvidence(first, stage.name)).records;
  assert.ok(record !== undefined);
  const evidence = evidenceObjectName(record);
  await writeEvidence(second, { ...record, finished_at: new Date().toISOString() });
  const bytes = await first.storage.get(evidence);
  await writeFile(join(folderOf(first.location), evidence), bytes.subarray(0, -1));
  const { objects } = await mend([second], { objects: [evidence] });
  assert.deepEqual(
    objects.map(({ object, outcome }) => `${outcome} ${object}`),
    [`lost ${evidence}`],
  );
  await writeFile(join(folderOf(first.location), evidence), bytes);
});

test('a backup goes to several places at once, and what one of them missed is brought along by the next', async () => {
  const [good, full] = [await newPlace(), await newPlace()];
  const nowhere = { kind: 'filesystem', path: join(stage.folder, 'nowhere') } as const;
  const through = (fault: Pick<StorageLocation, 'fault'>): ReturnType<typeof throughPlaces<BackupSummary>> =>
    throughPlaces(
      {
        repository: stage.repository,
        cluster: stage.name,
        places: [
          { name: 'good', location: good.location, policy: { keepCount: 1, minimumProven: 1 } },
          { name: 'full', location: { ...full.location, ...fault }, policy: KEEP_ALL },
          { name: 'nowhere', location: nowhere, policy: KEEP_ALL },
        ],
        workers: 2,
        signal,
        report,
      },
      (repository) => stage.backup({ repository }),
    );
  // Brought up to date first, so that only the tee is seen.
  await copyTo(good);
  const { made, places } = await through({ fault: { seed: 1, capacityBytes: 20_000 } });
  assert.deepEqual(
    places.map(({ place, failure }) => [place, failure === undefined]),
    [
      ['good', true],
      ['full', false],
      ['nowhere', false],
    ],
  );
  assert.match(places[1]?.failure ?? '', /no space left/);
  assert.deepEqual(await objectsOf(good), await objectsOf(stage.repository));
  const [summary] = (await copyTo(good, { named: [made.id] })).clusters;
  assert.deepEqual([summary?.packs, summary?.packs_there], [0, 0]);
  const later = await through({});
  assert.deepEqual(
    later.places.map(({ failure }) => failure === undefined),
    [true, true, false],
  );
  assert.deepEqual(await objectsOf(full), await objectsOf(stage.repository));
  // Nothing is read a second time for a place that took the packs as they were written.
  const phases = new Set<string>();
  const alone = await throughPlaces(
    {
      repository: stage.repository,
      cluster: stage.name,
      places: [{ name: 'good', location: good.location, policy: KEEP_ALL }],
      workers: 2,
      signal,
      report: (event) => void (event.type === 'progress' && phases.add(event.phase)),
    },
    (repository) => stage.backup({ repository }),
  );
  assert.equal(alone.places[0]?.failure, undefined);
  assert.ok(phases.has('looking at what is missing') && !phases.has('copying packs'), [...phases].join());
});

const walOf = async (repository: Repository): Promise<readonly string[]> =>
  [...(await objectsOf(repository)).keys()].filter((name) => name.includes('/wal/'));

async function slotPosition(): Promise<bigint> {
  const [row] = await stage.cluster.query<{ lsn: string }>(
    `SELECT restart_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = '${stage.slot}'`,
  );
  return parseLsn(row?.lsn ?? '') ?? 0n;
}

test('WAL goes to every place, the server waits for what the policy says, and a place that was away catches up', async () => {
  await stage.rest();
  const near = await newPlace();
  const away = join(stage.folder, 'away');
  const far = new Repository({ ...stage.repository.handle, location: { kind: 'filesystem', path: away } });
  const places = [
    { name: 'near', location: near.location, required: true, retention: KEEP_ALL },
    { name: 'far', location: far.location, required: true, retention: KEEP_ALL },
  ];
  const strict = stage.receive({ places, copyPolicy: 'all' });
  await waitFor('the slot', async () => (await slotPosition()) > 0n);
  const held = await slotPosition();
  // A piece, which the segment replaces afterwards at every place.
  await stage.cluster.query('INSERT INTO kept VALUES (0)');
  await stage.caughtUp(strict);
  await waitFor('the near place to have it', async () =>
    isDeepStrictEqual(await walOf(near), await walOf(stage.repository)),
  );
  await stage.cluster.query('INSERT INTO kept SELECT generate_series(1, 20000)');
  await stage.cluster.query('SELECT pg_switch_wal()');
  await stage.cluster.query('INSERT INTO kept VALUES (1)');
  await stage.caughtUp(strict);
  await waitFor('the near place to have it', async () =>
    isDeepStrictEqual(await walOf(near), await walOf(stage.repository)),
  );
  // The first has all of it, and the server keeps it for the one that is away.
  assert.equal(await slotPosition(), held);
  const told = strict.events.filter((event) => event.type === 'notice').map(({ message }) => message);
  assert.equal(told.filter((message) => message.startsWith('The place far is behind')).length, 1, told.join('\n'));
  await mkdir(away);
  await waitFor('the server to be let go on', async () => {
    const durable = parseLsn(strict.position()?.durable_lsn ?? '') ?? 0n;
    return (await slotPosition()) >= durable;
  });
  await strict.stop();
  for (const place of [near, far]) {
    assert.deepEqual(await walOf(place), await walOf(stage.repository));
    const { gaps } = await checkWal({ repository: place, cluster: stage.name });
    assert.deepEqual(gaps, []);
  }
  assert.ok(
    strict.events.some((event) => event.type === 'notice' && event.message.endsWith('goes to the place far again.')),
  );

  await rename(away, `${away}-again`);
  const best = stage.receive({ places, copyPolicy: 'best-effort' });
  await stage.cluster.query('INSERT INTO kept VALUES (2)');
  const reached = parseLsn(await stage.caughtUp(best)) ?? 0n;
  await waitFor('the server not to wait', async () => (await slotPosition()) >= reached);
  await best.stop();
  assert.ok(best.events.some((event) => event.type === 'notice' && event.message.startsWith('The place far lacks')));
});

test('a file is pushed to every place before the push is a success', async () => {
  const near = await newPlace();
  const away = { kind: 'filesystem', path: join(stage.folder, 'not-there') } as const;
  const places = [
    { name: 'near', location: near.location, required: true },
    { name: 'away', location: away, required: true },
  ];
  const [row] = await stage.cluster.query<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
  const path = join(stage.cluster.dataDirectory, 'pg_wal', row?.name ?? '');
  const told: string[] = [];
  const push = (copyPolicy: 'all' | 'quorum' | 'best-effort'): Promise<PushSummary> =>
    pushToPlaces({
      repository: stage.repository,
      cluster: stage.name,
      path,
      dataDirectory: stage.cluster.dataDirectory,
      ahead: 0,
      places,
      copyPolicy,
      report: (event) => void (event.type === 'notice' && told.push(event.message)),
    });
  await assert.rejects(push('all'), { code: 'SPW_STORAGE_UNREACHABLE', why: /^away: / });
  assert.equal((await push('quorum')).outcome, 'there');
  assert.match(told.join(), /is not at every place: away: /);
  const names = (await walOf(near)).filter((name) => name.endsWith(row?.name ?? ''));
  assert.equal(names.length, 1);
  const [all, there] = [await objectsOf(stage.repository), await objectsOf(near)];
  for (const [name, bytes] of there) assert.equal(bytes, all.get(name), name);
  await mkdir(away.path);
  await push('all');
  assert.deepEqual(await walOf(new Repository({ ...near.handle, location: away })), names);
});
