// Copies of a repository in other places: whole, resumed after every kind of end, and enough to restore from alone.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, truncate, writeFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { type CopyOptions, type CopySummary, copy, expire, initRepository, openRepository, Repository, verify } from '../src/index.ts';
import { makeStage, type Stage } from './operation-stage.ts';

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

let places = 0;
async function newPlace(): Promise<Repository> {
  const path = join(stage.folder, `place-${++places}`);
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
    if (/^(locks|index|condemned)\//.test(name) || name.includes('/expired/')) continue;
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
  assert.deepEqual((await readdir(place.location.path)).length, 0);
  const made = await copyTo(place);
  assert.equal(made.made, true);
  assert.deepEqual(made.clusters[0]?.backups, [{ id: first.id, outcome: 'copied', reasons: ['no retention is configured', 'newest', 'last proven'] }]);
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
  void [rename, readFile, truncate, writeFile, chmod, isSpillwayError, expire];
});
