import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { condemnedName, manifestName } from '../format/names.ts';
import { rotateDataKey } from './data-key.ts';
import { readIndex } from './index-store.ts';
import { Repository } from './repository.ts';
import {
  assertWhole,
  back,
  collectIn,
  count,
  keys,
  nextId,
  range,
  removeBackup,
  Writer,
} from '../../test/sample-backups.ts';
import { folderOf } from '../storage/port.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-collect-'));
after(() => rm(root, { recursive: true, force: true }));

const HOUR = 3_600_000;

async function newRepository(): Promise<Repository> {
  const location = { kind: 'filesystem', path: await mkdtemp(join(root, 'r-')) } as const;
  return new Repository({ id: 'test', location, keys });
}

test('what nothing needs goes, and what a backup needs stays', async () => {
  const repository = await newRepository();
  const first = await back(repository, range(0, 12));
  await back(repository, range(6, 18));
  await removeBackup(repository, first.id);
  const collected = await collectIn(repository);
  assert.deepEqual([collected.packs_removed, collected.packs_waiting], [2, 0]);
  assert.equal(await count(repository, 'packs/'), 4);
  assert.equal(await count(repository, 'condemned/'), 0);
  await assertWhole(repository);
  assert.equal((await collectIn(repository)).packs_removed, 0);
});

test('packs wait out the grace period, and a backup made meanwhile stores their chunks again', async () => {
  const repository = await newRepository();
  const began = new Date();
  const first = await back(repository, range(0, 6));
  await removeBackup(repository, first.id);
  const early = await collectIn(repository, { graceMs: 24 * HOUR });
  assert.deepEqual([early.packs_removed, early.packs_waiting], [0, 2]);
  assert.match(early.waiting_for[0] ?? '', /^the grace period, which ends /);
  await back(repository, range(0, 6));
  assert.equal(await count(repository, 'packs/'), 4);
  await assertWhole(repository);
  const later = new Date(began.getTime() + 25 * HOUR);
  assert.equal((await collectIn(repository, { graceMs: 24 * HOUR, now: () => later })).packs_removed, 2);
  await assertWhole(repository);
});

test('a backup that read the index before its packs were condemned keeps them, however long it takes', async () => {
  const repository = await newRepository();
  const first = await back(repository, range(0, 6));
  const slow = new Writer(repository, 'main', nextId(), range(0, 9));
  await slow.step();
  await slow.step();
  await removeBackup(repository, first.id);
  const during = await collectIn(repository);
  assert.deepEqual([during.packs_removed, during.packs_waiting], [0, 2]);
  assert.match(during.waiting_for[0] ?? '', /^the backup on .* running already$/);
  await slow.run();
  const afterwards = await collectIn(repository);
  assert.deepEqual([afterwards.packs_removed, afterwards.packs_rescued], [0, 2]);
  assert.equal(await count(repository, 'packs/'), 3);
  assert.equal(await count(repository, 'condemned/'), 0);
  await assertWhole(repository);
});

test('packs that no index names go once nobody is at work, and not before', async () => {
  const repository = await newRepository();
  await back(repository, range(0, 3));
  const dying = new Writer(repository, 'main', nextId(), range(3, 9));
  for (let steps = 0; steps < 3; steps++) await dying.step();
  assert.equal((await collectIn(repository)).packs_waiting, 0);
  await dying.end();
  assert.equal((await collectIn(repository)).packs_removed, 2);
  assert.equal(await count(repository, 'packs/'), 1);
  await assertWhole(repository);
});

test('after a rotation of the data key repacking moves what is needed to the new key, all of it where told to', async () => {
  const repository = await newRepository();
  await back(repository, range(0, 12));
  const { number } = await rotateDataKey({ repository, secrets: [] });
  const keysOf = async (): Promise<number[]> => (await readIndex(repository)).packs.map((pack) => pack.dataKeyNumber);
  await back(repository, range(0, 13));
  assert.equal(number, 2);
  assert.deepEqual(
    (await keysOf()).toSorted((a, b) => a - b),
    [1, 1, 1, 1, 2],
  );
  assert.equal((await collectIn(repository, { repackBelow: 0.1 })).packs_repacked, 0);
  // With a bound that is not enough for all, those of the older keys come first.
  const bytes = (await readIndex(repository)).packs.map(({ packBytes }) => packBytes).toSorted((x, y) => y - x);
  await collectIn(repository, { repackBelow: 1, repackBytesMax: (bytes[0] ?? 0) + (bytes[1] ?? 0) });
  assert.equal((await keysOf()).filter((each) => each === 1).length, 2);
  await collectIn(repository, { repackBelow: 1 });
  assert.ok((await keysOf()).every((each) => each === 2));
  await assertWhole(repository);
});

test('packs of which little is needed are repacked, within the bound', async () => {
  const repository = await newRepository();
  const first = await back(repository, range(0, 12));
  await back(repository, [0, 3, 6, 7]);
  await removeBackup(repository, first.id);
  const none = await collectIn(repository, { repackBelow: 0.5, repackBytesMax: 10 });
  assert.deepEqual([none.packs_removed, none.packs_repacked], [1, 0]);
  const collected = await collectIn(repository, { repackBelow: 0.5 });
  assert.deepEqual([collected.packs_repacked, collected.packs_removed], [3, 3]);
  assert.equal(await count(repository, 'packs/'), 1);
  await assertWhole(repository);
});

test('a manifest that cannot be read, a chunk that is missing, and a damaged list each keep everything', async () => {
  for (const harm of ['manifest', 'pack', 'index', 'condemned'] as const) {
    const repository = await newRepository();
    const first = await back(repository, range(0, 6));
    const second = await back(repository, range(3, 9));
    await removeBackup(repository, first.id);
    await collectIn(repository, { graceMs: HOUR });
    const damage = async (name: string): Promise<void> => {
      await chmod(join(folderOf(repository.location) ?? '', name), 0o600);
      await writeFile(join(folderOf(repository.location) ?? '', name), 'damaged');
    };
    if (harm === 'manifest') await damage(manifestName('main', second.id));
    if (harm === 'condemned') await damage(condemnedName(1));
    if (harm === 'index') for await (const { name } of repository.storage.list('index/')) await damage(name);
    const { packs, condemnedPacks } = await readIndex(repository);
    if (harm === 'pack') {
      const one = packs.find(({ packId }) => !condemnedPacks.has(packId))?.packId ?? '';
      await damage(`packs/${one.slice(0, 2)}/${one}`);
    }
    await assert.rejects(
      collectIn(repository),
      (error) => isSpillwayError(error, 'SPW_OBJECT_DAMAGED') && error.message === 'no packs were collected',
      harm,
    );
    assert.equal(await count(repository, 'packs/'), 3, harm);
    // It keeps nobody from backing up.
    if (harm === 'condemned') await back(repository, range(0, 20));
  }
});

/** A store that takes no call any more from the `call`-th on, as for a process that was killed there. */
function dyingAt(
  repository: Repository,
  call: number,
): { readonly repository: Repository; readonly died: () => boolean } {
  const dying = new Repository(repository.handle);
  const { storage } = dying;
  let calls = 0;
  const look = (): void => {
    if (++calls >= call) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the process was killed here');
  };
  Object.defineProperty(dying, 'storage', {
    value: {
      description: storage.description,
      get: async (...words: Parameters<typeof storage.get>) => (look(), storage.get(...words)),
      put: async (...words: Parameters<typeof storage.put>) => (look(), storage.put(...words)),
      stat: async (...words: Parameters<typeof storage.stat>) => (look(), storage.stat(...words)),
      remove: async (...words: Parameters<typeof storage.remove>) => (look(), storage.remove(...words)),
      async *list(...words: Parameters<typeof storage.list>) {
        look();
        yield* storage.list(...words);
      },
    } satisfies Repository['storage'],
  });
  return { repository: dying, died: () => calls >= call };
}

test('a collection that dies at any call leaves a repository that is right, and the next one ends the work', async (t) => {
  let call = 1;
  for (; ; call++) {
    const repository = await newRepository();
    const first = await back(repository, range(0, 9));
    await back(repository, [1, 2, 3, 10, 11]);
    await removeBackup(repository, first.id);
    await collectIn(repository, { graceMs: HOUR });
    const { repository: dying, died } = dyingAt(repository, call);
    await collectIn(dying, { repackBelow: 0.9 }).catch((error: unknown) => {
      if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) throw error;
    });
    await assertWhole(repository);
    if (call % 5 === 0) await back(repository, [4, 5, 6, 20]);
    await collectIn(repository, { repackBelow: 0.9 });
    await assertWhole(repository);
    assert.equal(await count(repository, 'condemned/'), 0, `call ${call}`);
    const index = await readIndex(repository);
    assert.deepEqual([index.unnamedPacks, index.packs.length], [[], await count(repository, 'packs/')]);
    if (!died()) break;
  }
  assert.ok(call > 30, `${call} calls`);
  t.diagnostic(`${call} calls`);
});

test('whatever backups, expiry and collections do beside each other, every listed backup is whole', async () => {
  type Step =
    | { readonly what: 'begin'; readonly from: number; readonly length: number }
    | { readonly what: 'step' | 'remove' | 'die'; readonly which: number }
    | { readonly what: 'collect'; readonly hours: number; readonly repack: boolean; readonly dieAt: number };
  const which = fc.nat(7);
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant('begin' as const),
        from: fc.nat(12),
        length: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ what: fc.constant('step' as const), which }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), which }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('die' as const), which }) },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('collect' as const),
        hours: fc.constantFrom(0, 0, 2, 30),
        repack: fc.boolean(),
        dieAt: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 60 })),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const repository = await newRepository();
      const writers: Writer[] = [];
      let now = Date.now();
      for (const each of steps) {
        if (each.what === 'begin') {
          writers.push(new Writer(repository, randomUUID(), nextId(), range(each.from, each.from + each.length)));
        } else if (each.what === 'collect') {
          now += each.hours * HOUR;
          const { repository: dying } = dyingAt(repository, each.dieAt);
          const options = { repackBelow: each.repack ? 0.9 : 0, graceMs: HOUR, now: () => new Date(now) };
          await collectIn(dying, options).catch((error: unknown) => {
            if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) throw error;
          });
          await assertWhole(repository);
        } else if (each.what === 'remove') {
          const names: string[] = [];
          for await (const { name } of repository.storage.list('clusters/')) names.push(name);
          if (names.length > 0) await repository.storage.remove(names[each.which % names.length] ?? '');
        } else {
          const going = writers.filter(({ done }) => !done);
          const one = going[each.which % Math.max(1, going.length)];
          if (each.what === 'step') await one?.step();
          else await one?.end();
        }
      }
      for (const writer of writers) await writer.run();
      await assertWhole(repository);
      const end = { now: () => new Date(now + 2 * HOUR), graceMs: 0 };
      await collectIn(repository, end);
      await assertWhole(repository);
      assert.equal(await count(repository, 'condemned/'), 0);
      await rm(folderOf(repository.location) ?? '', { recursive: true });
    }),
    { numRuns: 25 },
  );
});
