import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyRing } from '../codec/keys.ts';
import { packName } from '../format/names.ts';
import type { ObjectLock, ObjectName, Storage } from '../storage/port.ts';
import { Repository } from './repository.ts';
import { extendLocks } from './retention.ts';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-24T00:00:00Z');
const names = Array.from({ length: 20 }, (_, n) => packName(n.toString(16).padStart(32, '0')));

/** A store in memory that counts what it is asked about locks. */
function scene(): {
  readonly repository: Repository;
  readonly locked: Map<ObjectName, number>;
  readonly counted: { asked: number; extended: number };
  readonly objects: Map<ObjectName, Buffer>;
} {
  const objects = new Map<ObjectName, Buffer>();
  const locked = new Map<ObjectName, number>();
  const counted = { asked: 0, extended: 0 };
  const lock: ObjectLock = {
    forMs: 30 * DAY_MS,
    putForMs: 40 * DAY_MS,
    until: async (name) => {
      counted.asked += 1;
      const at = locked.get(name);
      return at === undefined ? undefined : new Date(at);
    },
    extend: async (name, until) => {
      counted.extended += 1;
      locked.set(name, Math.max(locked.get(name) ?? 0, until.getTime()));
    },
  };
  const storage: Storage = {
    description: 'memory',
    lock,
    get: async (name) => objects.get(name) ?? Buffer.alloc(0),
    put: async (name, parts) => {
      if (objects.has(name)) return 'exists';
      objects.set(name, Buffer.concat(parts));
      return 'created';
    },
    async *list(prefix) {
      for (const name of [...objects.keys()].toSorted()) {
        if (name.startsWith(prefix)) yield { name, bytes: objects.get(name)?.byteLength ?? 0 };
      }
    },
    stat: async (name) => ({ name, bytes: objects.get(name)?.byteLength ?? 0 }),
    remove: async (name) => void objects.delete(name),
  };
  const handle = { id: 'r', location: { kind: 'filesystem' as const, path: '/nowhere' }, keys: newKeyRing() };
  return { repository: new Repository(handle, storage), locked, counted, objects };
}

test('what is needed is always locked for as long as is promised, and few requests do it', async () => {
  const { repository, locked, counted, objects } = scene();
  for (const name of names) locked.set(name, NOW + 40 * DAY_MS);
  for (let day = 0; day < 120; day += 0.25) {
    const now = new Date(NOW + day * DAY_MS);
    await extendLocks(repository, names, { now });
    for (const name of names)
      assert.ok((locked.get(name) ?? 0) >= now.getTime() + 30 * DAY_MS, `${name} on day ${day}`);
  }
  // 480 backups of 20 packs: each pack is asked for and extended once in ten days.
  assert.ok(counted.extended <= 20 * 12, String(counted.extended));
  assert.ok(counted.asked <= 20 * 13, String(counted.asked));
  assert.equal([...objects.keys()].filter((name) => name.startsWith('retained/')).length, 1);
});

test('what was just put is not asked for, and what a place keeps for itself is never locked', async () => {
  const { repository, counted } = scene();
  const own = ['locks/a/1', 'index/x', 'condemned/1', 'retained/000000000001'];
  const piece = 'clusters/main/wal/1/00000001/000000010000000000000001.00000000-00001000';
  const told = await extendLocks(repository, [...names, ...own, piece], { now: new Date(NOW), fresh: new Set(names) });
  assert.deepEqual(told, { needed: names.length, asked: 0, extended: 0 });
  assert.deepEqual(counted, { asked: 0, extended: 0 });
});

test('a note that cannot be read only makes the store be asked again', async () => {
  const { repository, counted, objects } = scene();
  await extendLocks(repository, names, { now: new Date(NOW) });
  assert.deepEqual(counted, { asked: 20, extended: 20 });
  const [name] = [...objects.keys()];
  objects.set(name ?? '', Buffer.from('nonsense'));
  await extendLocks(repository, names, { now: new Date(NOW + DAY_MS) });
  assert.deepEqual(counted, { asked: 40, extended: 20 });
  await extendLocks(repository, names, { now: new Date(NOW + DAY_MS) });
  assert.deepEqual(counted, { asked: 40, extended: 20 });
});
