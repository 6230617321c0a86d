// The repository against a model of it: a map of what was said to be stored.
//
// Any sequence of backups, removals, legal holds, collections, rotations of the data key and losses of the index is played, and
// the process dies at any call of the store, before the call or after it did its work. After each step, opened anew:
//   1  every backup that was acknowledged, and not removed since, is listed
//   2  what is listed reads back, chunk by chunk, as it was given: those too of which nobody heard how they ended
//   3  what is on legal hold is on legal hold
//   4  at the end a few sound collections leave nothing that nothing needs

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { manifestName } from '../format/names.ts';
import type { ObjectName, Storage } from '../storage/port.ts';
import { rotateDataKey } from './data-key.ts';
import { readIndex } from './index-store.ts';
import { listManifests } from './manifest-store.ts';
import { heldByLaw, placeLegalHold, releaseLegalHold } from './legal-hold.ts';
import { reindex } from './reindex.ts';
import { Repository } from './repository.ts';
import { assertWhole, collectIn, count, keys, nextId, range, Writer } from '../../test/sample-backups.ts';

const CLUSTER = 'main';
const HOUR_MS = 3_600_000;
const RUNS = Number(process.env['SPILLWAY_MODEL_RUNS'] ?? 60);
const SURE: Death = { call: Number.POSITIVE_INFINITY, after: false };
const signal = new AbortController().signal;

/** Objects in a map: as durable as this process. */
class MemoryStorage implements Storage {
  readonly description = 'memory';
  readonly objects = new Map<ObjectName, Buffer>();

  async get(name: ObjectName, { range: part }: Parameters<Storage['get']>[1] = {}): Promise<Uint8Array> {
    const bytes = this.objects.get(name);
    if (bytes === undefined) throw new SpillwayError('SPW_OBJECT_MISSING', `${name} is not there`);
    return Buffer.from(part === undefined ? bytes : bytes.subarray(part.offset, part.offset + part.bytes));
  }

  async put(name: ObjectName, parts: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    if (this.objects.has(name)) return 'exists';
    this.objects.set(name, Buffer.concat(parts));
    return 'created';
  }

  async *list(prefix: string): ReturnType<Storage['list']> {
    const names = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).toSorted(byName);
    for (const name of names) yield { name, bytes: this.objects.get(name)?.byteLength ?? 0 };
  }

  async stat(name: ObjectName): ReturnType<Storage['stat']> {
    const bytes = this.objects.get(name)?.byteLength;
    return bytes === undefined ? undefined : { name, bytes };
  }

  async remove(name: ObjectName): Promise<void> {
    this.objects.delete(name);
  }
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

/** When the process dies: at that call of the store, before or after the store does it. */
interface Death {
  readonly call: number;
  readonly after: boolean;
}

function dying(inner: Storage, { call, after }: Death): { readonly storage: Storage; readonly died: () => boolean } {
  let calls = 0;
  const died = (): boolean => calls >= call;
  const dead = (): SpillwayError => new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the process died here');
  const at = async <Result>(act: () => Promise<Result>): Promise<Result> => {
    if (died()) throw dead();
    calls += 1;
    if (died() && !after) throw dead();
    const result = await act();
    if (died()) throw dead();
    return result;
  };
  const storage: Storage = {
    description: inner.description,
    get: (...words) => at(() => inner.get(...words)),
    put: (...words) => at(() => inner.put(...words)),
    stat: (...words) => at(() => inner.stat(...words)),
    remove: (...words) => at(() => inner.remove(...words)),
    async *list(...words) {
      yield* await at(() => Array.fromAsync(inner.list(...words)));
    },
  };
  return { storage, died };
}

type Step = { readonly death: Death } & (
  | { readonly what: 'backup'; readonly from: number; readonly length: number }
  | { readonly what: 'remove' | 'hold' | 'release'; readonly which: number }
  | { readonly what: 'collect'; readonly repack: boolean; readonly hours: number }
  | { readonly what: 'rotate' | 'lose-index' }
);

const death = fc.oneof(
  { weight: 2, arbitrary: fc.constant(SURE) },
  { weight: 3, arbitrary: fc.record({ call: fc.integer({ min: 1, max: 40 }), after: fc.boolean() }) },
);
const which = fc.nat(9);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('backup' as const),
      from: fc.nat(15),
      length: fc.integer({ min: 1, max: 9 }),
      death,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('remove' as const, 'remove' as const, 'hold' as const, 'release' as const),
      which,
      death,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('collect' as const),
      repack: fc.boolean(),
      hours: fc.constantFrom(0, 2, 30),
      death,
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('rotate' as const, 'lose-index' as const), death }) },
);

interface Model {
  /** Acknowledged. */
  readonly there: Set<string>;
  /** Asked to go, and nobody heard that they did. */
  readonly perhaps: Set<string>;
  /** Acknowledged, and not asked to be let go. */
  readonly held: Set<string>;
}

/** Whether the process died. */
async function play(each: Step, opened: Repository, inner: MemoryStorage, model: Model, now: number): Promise<boolean> {
  const { storage, died } = dying(inner, each.death);
  const repository = new Repository({ ...opened.handle, keys: opened.keys }, storage);
  try {
    switch (each.what) {
      case 'backup': {
        const writer = new Writer(repository, CLUSTER, nextId(), range(each.from, each.from + each.length));
        try {
          await writer.run();
        } finally {
          await writer.end();
        }
        model.there.add(writer.id);
        break;
      }
      case 'remove': {
        const law = await heldByLaw(repository, CLUSTER, signal);
        const id = [...model.there].filter((one) => !law.has(one))[each.which];
        if (id === undefined) break;
        model.there.delete(id);
        model.perhaps.add(id);
        await storage.remove(manifestName(CLUSTER, id));
        model.perhaps.delete(id);
        break;
      }
      case 'hold': {
        const backup = [...model.there][each.which];
        if (backup === undefined) break;
        await placeLegalHold(repository, { cluster: CLUSTER, backup, reason: 'a case', by: 'test' });
        model.held.add(backup);
        break;
      }
      case 'release': {
        const backup = [...model.held][each.which];
        if (backup === undefined) break;
        model.held.delete(backup);
        await releaseLegalHold(repository, { cluster: CLUSTER, backup, reason: 'closed', by: 'test' });
        break;
      }
      case 'collect': {
        const options = { repackBelow: each.repack ? 0.9 : 0, graceMs: HOUR_MS, now: () => new Date(now) };
        await collectIn(repository, options).catch((error: unknown) => {
          // The index was lost, and whoever wrote it again died: then nobody knows what may go, and nothing does.
          if (!isSpillwayError(error, 'SPW_OBJECT_MISSING') || error.message !== 'no packs were collected') throw error;
        });
        break;
      }
      case 'rotate':
        await rotateDataKey({ repository, secrets: [] });
        break;
      case 'lose-index':
        for (const name of inner.objects.keys()) if (name.startsWith('index/')) inner.objects.delete(name);
        await reindex(repository, { dryRun: false, signal });
    }
  } catch (error) {
    if (!died() || !isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_LOCK_LOST')) throw error;
  }
  return died();
}

/** By a process that knows nothing of those before it. */
const reopen = (inner: MemoryStorage): Repository =>
  new Repository({ id: 'test', location: { kind: 'filesystem', path: '/nowhere' }, keys }, inner);

async function check(inner: MemoryStorage, model: Model): Promise<void> {
  const repository = reopen(inner);
  const { heads, unreadable } = await listManifests(repository, CLUSTER);
  assert.deepEqual(unreadable, []);
  const listed = new Set(heads.map(({ summary }) => summary.id));
  for (const id of model.there) assert.ok(listed.has(id), `backup ${id} was acknowledged, and is not listed`);
  // As a restore reads.
  await assertWhole(repository, { unnamed: true });
  const law = await heldByLaw(repository, CLUSTER, signal);
  for (const id of model.held) assert.ok(law.has(id), `backup ${id} is not on legal hold any more`);
}

test('what was stored is what is there, wherever a process died', async (t) => {
  let [steps, deaths] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (all) => {
      const inner = new MemoryStorage();
      const model: Model = { there: new Set(), perhaps: new Set(), held: new Set() };
      let now = Date.now();
      for (const each of all) {
        if (each.what === 'collect') now += each.hours * HOUR_MS;
        steps += 1;
        if (await play(each, reopen(inner), inner, model, now)) deaths += 1;
        await check(inner, model);
      }
      await reindex(reopen(inner), { dryRun: false, signal });
      for (let runs = 0; runs < 3 && (runs === 0 || (await count(reopen(inner), 'condemned/')) > 0); runs++) {
        await collectIn(reopen(inner), { now: () => new Date(now + 2 * HOUR_MS), graceMs: 0 });
      }
      await check(inner, model);
      const { unnamedPacks, packs } = await readIndex(reopen(inner));
      assert.deepEqual([unnamedPacks, await count(reopen(inner), 'condemned/')], [[], 0]);
      assert.equal(packs.length, await count(reopen(inner), 'packs/'));
    }),
    { numRuns: RUNS },
  );
  assert.ok(deaths > steps / 10);
  t.diagnostic(`${RUNS} runs, ${steps} steps, ${deaths} deaths`);
});
