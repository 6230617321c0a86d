import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { newKeyRing } from '../codec/keys.ts';
import type { Storage } from '../storage/port.ts';
import { isDead, type LockRecord, takeLock } from './lock.ts';
import { Repository } from './repository.ts';

const root = await mkdtemp(join(tmpdir(), 'spillway-locks-'));
after(() => rm(root, { recursive: true, force: true }));

const newRepository = async (): Promise<Repository> => {
  const location = { kind: 'filesystem', path: await mkdtemp(join(root, 'r-')) } as const;
  return new Repository({ id: 'test', location, keys: newKeyRing() });
};
/** The same repository over a store that does some things otherwise. */
function over(repository: Repository, change: (inner: Storage) => Partial<Storage>): Repository {
  const inner = repository.storage;
  const storage: Storage = {
    description: inner.description,
    get: (name, options) => inner.get(name, options),
    put: (name, parts, options) => inner.put(name, parts, options),
    list: (prefix, options) => inner.list(prefix, options),
    stat: (name, options) => inner.stat(name, options),
    remove: (name, options) => inner.remove(name, options),
    ...change(inner),
  };
  return Object.create(repository, { storage: { value: storage } }) as Repository;
}
async function numbers(repository: Repository): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const { name } of repository.storage.list('locks/work/')) found.push(Number(name.split('/')[2]));
  return found;
}
const isLocked = (error: unknown): boolean => isSpillwayError(error, 'SPW_LOCKED');
const isLost = (error: unknown): boolean => isSpillwayError(error, 'SPW_LOCK_LOST');
const isUnreachable = (error: unknown): boolean => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE');

const elsewhere: LockRecord = {
  state: 'held',
  token: 'theirs',
  host: 'another-host',
  machine: 'm',
  boot: 'b',
  pid_namespace: 'pid:[4026531836]',
  pid: 1,
  holder: 'backup of cluster main',
  at: '2026-11-23T18:15:00.000Z',
};
const putRecord = (repository: Repository, number: number, record: LockRecord) =>
  repository.write('lock', `locks/work/${String(number).padStart(12, '0')}`, [Buffer.from(JSON.stringify(record))]);

test('a lock is taken once, and who is refused is told who holds it', async () => {
  const repository = await newRepository();
  const lock = await takeLock(repository, 'work', { holder: 'backup of cluster main' });
  await assert.rejects(takeLock(repository, 'work', { holder: 'expiry of cluster main' }), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_LOCKED'));
    assert.equal(error.message, 'the expiry of cluster main was not started');
    assert.match(
      error.why ?? '',
      new RegExp(`^process ${process.pid} holds the lock work for the backup of cluster main`),
    );
    return true;
  });
  await using other = await takeLock(repository, 'other-work', { holder: 'x' });
  await other.assertHeld();
  await lock.assertHeld();
  await lock[Symbol.asyncDispose]();
});

test('of many that race for a lock exactly one has it', async () => {
  const repository = await newRepository();
  for (let round = 0; round < 5; round++) {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => takeLock(repository, 'work', { holder: 'x' })),
    );
    const taken = results.filter((result) => result.status === 'fulfilled');
    for (const result of results)
      if (result.status === 'rejected') assert.ok(isLocked(result.reason), String(result.reason));
    assert.equal(taken.length, 1);
    await taken[0]?.value.assertHeld();
    await taken[0]?.value[Symbol.asyncDispose]();
  }
});

test('a released lock is free at once, and only one object of it stays', async () => {
  const repository = await newRepository();
  let top = 0;
  for (let round = 0; round < 3; round++) {
    await using lock = await takeLock(repository, 'work', { holder: 'x' });
    await lock.assertHeld();
    const found = await numbers(repository);
    assert.equal(found.length, 1);
    assert.ok((found[0] ?? 0) > top, 'the numbers did not rise');
    top = found[0] ?? 0;
  }
  assert.equal((await numbers(repository)).length, 1);
});

test('a lock renews itself', async () => {
  const repository = await newRepository();
  const renewed = Promise.withResolvers<void>();
  let puts = 0;
  const watched = over(repository, (inner) => ({
    put: async (name, parts, options) => {
      if (++puts === 4) renewed.resolve();
      return await inner.put(name, parts, options);
    },
  }));
  await using lock = await takeLock(watched, 'work', { holder: 'x', renewMs: 1 });
  const keepAlive = setInterval(() => undefined, 1000);
  await renewed.promise;
  clearInterval(keepAlive);
  await lock.assertHeld();
  assert.ok((await numbers(repository)).every((number) => number >= 4));
});

test('the lock of a process that was killed is taken over at once', async () => {
  const repository = await newRepository();
  const source = `
    import { Repository } from ${JSON.stringify(new URL('repository.ts', import.meta.url).href)};
    import { takeLock } from ${JSON.stringify(new URL('lock.ts', import.meta.url).href)};
    process.once('message', async (handle) => {
      await takeLock(new Repository(handle), 'work', { holder: 'doomed' });
      process.send('held');
    });
    process.send('ready');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  await once(child, 'message');
  const held = once(child, 'message');
  child.send(repository.handle);
  await held;
  await assert.rejects(
    takeLock(repository, 'work', { holder: 'x' }),
    (error) => isSpillwayError(error, 'SPW_LOCKED') && (error.why ?? '').startsWith(`process ${child.pid} holds`),
  );
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  await using lock = await takeLock(repository, 'work', { holder: 'x' });
  await lock.assertHeld();
});

test('a holder elsewhere is told by name and host, and taken over once its number stands still', async () => {
  const repository = await newRepository();
  await putRecord(repository, 41, elsewhere);
  await assert.rejects(
    takeLock(repository, 'work', { holder: 'x' }),
    (error) =>
      isSpillwayError(error, 'SPW_LOCKED') &&
      /process 1 on another-host .* renewed 2026-11-23T18:15/.test(error.why ?? ''),
  );
  // So short a time is one in which this holder, too, may count itself as lost on a busy machine: it only ends.
  await using _ = await takeLock(repository, 'work', { holder: 'x', waitMs: 600_000, staleMs: 20 });
  assert.ok((await numbers(repository)).some((number) => number >= 42));
});

test('a holder elsewhere that renews is never taken over, however old its clock says it is', async () => {
  const repository = await newRepository();
  await putRecord(repository, 1, { ...elsewhere, at: '1970-01-01T00:00:00.000Z' });
  let number = 1;
  const renewing = over(repository, (inner) => ({
    async *list(prefix, options) {
      await putRecord(repository, ++number, elsewhere);
      yield* inner.list(prefix, options);
    },
  }));
  await assert.rejects(takeLock(renewing, 'work', { holder: 'x', waitMs: 1_000, staleMs: 20 }), isLocked);
  assert.ok(number > 2);
});

test('somebody who slept through a takeover learns it, be the numbers in between there still or not', async () => {
  for (const number of [2, 3, 100]) {
    const repository = await newRepository();
    const sleeper = await takeLock(repository, 'work', { holder: 'sleeper' });
    await putRecord(repository, number, elsewhere);
    assert.equal(sleeper.lost.aborted, false);
    await assert.rejects(sleeper.assertHeld(), isLost);
    assert.equal(sleeper.lost.aborted, true);
    assert.ok(isLost(sleeper.lost.reason));
    await assert.rejects(sleeper.assertHeld(), isLost);
    await sleeper[Symbol.asyncDispose]();
    assert.equal((await numbers(repository)).at(-1), number, 'the new holder was disturbed');
    await assert.rejects(takeLock(repository, 'work', { holder: 'x' }), isLocked);
  }
});

test('somebody who slept between looking and taking does not get a number that was used and removed', async () => {
  const repository = await newRepository();
  await (await takeLock(repository, 'work', { holder: 'first' }))[Symbol.asyncDispose]();
  let asleep = true;
  const slow = over(repository, (inner) => ({
    put: async (name, parts, options) => {
      if (asleep) {
        asleep = false;
        // Takes the number that the sleeper is about to create, renews, and so removes it again.
        const holder = await takeLock(repository, 'work', { holder: 'holder' });
        await holder.assertHeld();
        after(() => holder[Symbol.asyncDispose]());
      }
      return await inner.put(name, parts, options);
    },
  }));
  await assert.rejects(
    takeLock(slow, 'work', { holder: 'sleeper' }),
    (error) => isSpillwayError(error, 'SPW_LOCKED') && (error.why ?? '').includes('for the holder'),
  );
});

test('a create that was stored though its answer was lost does not lose the lock', async () => {
  const repository = await newRepository();
  let losesAnswer = false;
  const flaky = over(repository, (inner) => ({
    put: async (name, parts, options) => {
      const outcome = await inner.put(name, parts, options);
      if (losesAnswer) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the answer was lost');
      return outcome;
    },
  }));
  await using lock = await takeLock(flaky, 'work', { holder: 'x' });
  losesAnswer = true;
  await assert.rejects(lock.assertHeld(), isUnreachable);
  losesAnswer = false;
  await lock.assertHeld();
  assert.equal(lock.lost.aborted, false);
});

test('remains that could not be removed do not lose the lock', async () => {
  const repository = await newRepository();
  let fails = false;
  const flaky = over(repository, (inner) => ({
    remove: async (name, options) => {
      if (fails) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'not now');
      await inner.remove(name, options);
    },
  }));
  await using lock = await takeLock(flaky, 'work', { holder: 'x' });
  fails = true;
  await assert.rejects(lock.assertHeld(), isUnreachable);
  fails = false;
  await lock.assertHeld();
});

for (const [what, put] of [
  ['does not answer', () => new Promise<never>(() => undefined)],
  ['fails', () => Promise.reject(new SpillwayError('SPW_STORAGE_UNREACHABLE', 'not now'))],
] as const) {
  test(`a lock over a store that ${what} counts as lost, and nobody waits for it for ever`, async () => {
    const repository = await newRepository();
    let works = true;
    const dead = over(repository, (inner) => ({
      put: (name, parts, options) => (works ? inner.put(name, parts, options) : put()),
    }));
    const lock = await takeLock(dead, 'work', { holder: 'x', staleMs: 40 });
    works = false;
    const keepAlive = setInterval(() => undefined, 1000);
    const hangs = assert.rejects(lock.assertHeld());
    if (!lock.lost.aborted) await once(lock.lost, 'abort');
    await hangs;
    clearInterval(keepAlive);
    await assert.rejects(lock.assertHeld(), isLost);
    await lock[Symbol.asyncDispose]();
  });
}

test('a lock that could not be released, or was taken as the store failed, is free for this process, and not for others', async () => {
  const repository = await newRepository();
  let fails = false;
  const failing = over(repository, (inner) => ({
    put: (name, parts, options) => {
      if (fails) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the store is away');
      return inner.put(name, parts, options);
    },
  }));
  const lock = await takeLock(failing, 'work', { holder: 'backup of cluster main' });
  await assert.rejects(takeLock(repository, 'work', { holder: 'another' }), isLocked);
  fails = true;
  await lock[Symbol.asyncDispose]();
  const next = await takeLock(repository, 'work', { holder: 'the next' });
  await next[Symbol.asyncDispose]();

  let lists = 0;
  const goesAway = over(repository, (inner) => ({
    list: (prefix, options) => {
      if (++lists > 1) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the store is away');
      return inner.list(prefix, options);
    },
  }));
  await assert.rejects(takeLock(goesAway, 'work', { holder: 'taken, and never told' }), isUnreachable);
  await using last = await takeLock(repository, 'work', { holder: 'the last' });
  await last.assertHeld();
});

test('waiting for a lock ends with its signal', async () => {
  const repository = await newRepository();
  await putRecord(repository, 1, elsewhere);
  const abort = new AbortController();
  const waiting = takeLock(repository, 'work', { holder: 'x', waitMs: 600_000, signal: abort.signal });
  abort.abort(new Error('enough'));
  await assert.rejects(waiting, (error) => error instanceof Error && /enough|aborted/.test(error.message));
});

test('a holder counts as dead only where that is certain', () => {
  const self: LockRecord = { ...elsewhere, host: hostname(), pid: process.pid };
  const gone = 2 ** 22 + 1;
  const container = 'pid:[4026532000]';
  const cases: readonly (readonly [
    what: string,
    record: Partial<LockRecord>,
    own: Partial<LockRecord>,
    dead: boolean,
  ])[] = [
    ['this process', {}, {}, false],
    ['no such process', { pid: gone }, {}, true],
    ['no such process, on another host', { pid: gone, host: 'other' }, {}, false],
    ['no such process, in another namespace', { pid: gone, pid_namespace: container }, {}, false],
    [
      'no such process, namespace unknown',
      { pid: gone, pid_namespace: 'unknown' },
      { pid_namespace: 'unknown' },
      false,
    ],
    ['no such process, run of the host unknown', { pid: gone, boot: 'unknown' }, { boot: 'unknown' }, false],
    ['before the host started anew', { boot: 'earlier' }, {}, true],
    ['before, on another machine of one name', { boot: 'earlier', machine: 'other' }, {}, false],
    ['before, machine unknown', { boot: 'earlier', machine: 'unknown' }, { machine: 'unknown' }, false],
    ['before, in a container', { boot: 'earlier', pid_namespace: container }, { pid_namespace: container }, false],
    ['before, own namespace unknown', { boot: 'earlier' }, { pid_namespace: 'unknown' }, false],
  ];
  for (const [what, record, own, dead] of cases) {
    assert.equal(isDead({ ...self, ...record }, { ...self, ...own }), dead, what);
  }
});
