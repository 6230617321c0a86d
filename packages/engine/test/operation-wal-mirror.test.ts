// WAL passed on to further places, without a server: what the receiver would do is done by hand.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { type MirrorOptions, WalMirror } from '../src/operation/wal/mirror.ts';
import { lsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { repair } from '../src/operation/repair/run.ts';
import { rotateDataKey } from '../src/repository/data-key.ts';
import { openRepository, Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { HEAD_PASSPHRASE, putHead } from './place-head.ts';
import { waitFor } from './throwaway.ts';

const SIZE = segmentSize(1024 * 1024);
const TIMELINE = timelineId(1);
const SYSTEM = '7000000000000000001';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-mirror-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function scene(
  name: string,
  options: Partial<MirrorOptions> = {},
): Promise<{
  readonly first: Repository;
  readonly place: Repository;
  readonly path: string;
  readonly mirror: WalMirror;
  readonly archive: WalArchive;
  readonly messages: string[];
}> {
  const first = await makeRepository(folder);
  await putHead(first);
  await admitSystem(first, 'main', { systemIdentifier: SYSTEM, segmentBytes: SIZE });
  const path = join(folder, name);
  const location = { kind: 'filesystem', path } as const;
  const messages: string[] = [];
  const mirror = new WalMirror({
    repository: first,
    cluster: 'main',
    places: [{ name, location, required: true, retention: { minimumProven: 1 } }],
    policy: 'all',
    signal: new AbortController().signal,
    report: (event) => void (event.type === 'notice' && messages.push(event.message)),
    ...options,
  });
  const place = new Repository({ ...first.handle, location });
  return { first, place, path, mirror, archive: new WalArchive(mirror.repository, 'main', SYSTEM, SIZE), messages };
}

/** Stores bytes [from, to) of the first segment, all of one kind. */
async function store({ archive, mirror }: Awaited<ReturnType<typeof scene>>, from: number, to: number): Promise<void> {
  const { object } = await archive.write(TIMELINE, lsn(BigInt(from)), Buffer.alloc(to - from, 7), new Date(0));
  mirror.mark(object.end);
}

async function walOf(repository: Repository): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list('clusters/main/wal/'))
    names.push(name.slice(name.lastIndexOf('/') + 1));
  return names;
}

test('nothing is confirmed while a required place is away, and all when it has caught up', async () => {
  const all = await scene('away');
  const { mirror, messages, place, path, first } = all;
  mirror.begin(lsn(0n));
  for (const at of [0, 1000, 2000, 3000]) await store(all, at, at + 1000);
  await waitFor('the place to be told as behind', () => messages.length > 0);
  assert.equal(mirror.confirmed, undefined);
  await mkdir(path);
  await waitFor('it to catch up', () => mirror.confirmed === 4000n);
  assert.deepEqual(await walOf(place), await walOf(first));
  await mirror[Symbol.asyncDispose]();
  assert.equal(messages.filter((message) => message.includes('is behind')).length, 1);
  assert.equal(messages.filter((message) => message.includes('lacks')).length, 0);
});

test('where more waits than may, the place takes what it lacks as at the beginning', async () => {
  const all = await scene('far', { waitingMax: 2 });
  const { mirror, place, path, first, messages } = all;
  await mkdir(path);
  mirror.begin(lsn(0n));
  await store(all, 0, 1000);
  await waitFor('it to be in step', () => mirror.confirmed === 1000n);
  await rm(path, { recursive: true });
  for (const at of [1000, 2000, 3000, 4000, 5000]) await store(all, at, at + 1000);
  await waitFor('the place to be told as behind', () => messages.some((message) => message.includes('is behind')));
  assert.equal(mirror.confirmed, 1000n);
  await mkdir(path);
  await waitFor('it to catch up', () => mirror.confirmed === 6000n);
  assert.deepEqual(await walOf(place), await walOf(first));
  await mirror[Symbol.asyncDispose]();
});

test('pieces go at the place when their segment is there, also where a copy was broken off in between', async () => {
  const all = await scene('near');
  const { mirror, place, path, first, archive } = all;
  await mkdir(path);
  mirror.begin(lsn(0n));
  await store(all, 0, 1000);
  await waitFor('it to be in step', () => mirror.confirmed === 1000n);
  const pieces = await archive.find(TIMELINE, lsn(0n));
  await store(all, 0, SIZE);
  await archive.remove(pieces);
  await waitFor('the segment to replace the piece', async () => (await walOf(place)).length === 1);
  await mirror[Symbol.asyncDispose]();
  // As after a copy that was killed between the segment and its pieces.
  const own = new WalArchive(place, 'main', SYSTEM, SIZE);
  await own.write(TIMELINE, lsn(0n), Buffer.alloc(1000, 7), new Date(0));
  assert.equal((await walOf(place)).length, 2);
  const again = new WalMirror({
    repository: first,
    cluster: 'main',
    places: [{ name: 'near', location: place.location, required: true, retention: { minimumProven: 1 } }],
    policy: 'all',
    signal: new AbortController().signal,
    report: () => undefined,
  });
  await waitFor('the piece to go', async () => (await walOf(place)).length === 1);
  await again[Symbol.asyncDispose]();
});

test('a data key that is made while WAL goes to a place is there before what it sealed, and repair brings a lost one', async () => {
  const all = await scene('rotated');
  const { mirror, place, path, first } = all;
  await mkdir(path);
  mirror.begin(lsn(0n));
  await store(all, 0, 1000);
  await waitFor('it to be in step', () => mirror.confirmed === 1000n);
  const secret = { kind: 'passphrase', passphrase: HEAD_PASSPHRASE } as const;
  await rotateDataKey({ repository: first, secrets: [secret] });
  await mirror.repository.refreshKeys();
  await store(all, 1000, 2000);
  await waitFor('what the new key sealed to be there', () => mirror.confirmed === 2000n);
  await mirror[Symbol.asyncDispose]();
  const alone = async (): Promise<Repository> => openRepository({ location: place.location, secret });
  assert.equal((await alone()).keys.dataKeys.length, 2);

  const [ring] = await readdir(join(path, 'ring'));
  for (const hurt of ['lost', 'damaged']) {
    const file = join(path, 'ring', ring ?? '');
    const good = await readFile(file);
    await rm(file);
    if (hurt === 'damaged') await writeFile(file, good.with(good.length - 1, 255 ^ (good.at(-1) ?? 0)));
    const repository = await alone();
    assert.equal(repository.keys.dataKeys.length, 1, hurt);
    const summary = await repair({
      repository,
      others: [{ name: 'first', repository: first }],
      workers: 1,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    assert.deepEqual(
      summary.objects.map(({ object, outcome, from }) => [object, outcome, from]),
      [[`ring/${ring}`, 'mended', 'first']],
      hurt,
    );
    assert.equal((await alone()).keys.dataKeys.length, 2, hurt);
  }
});
