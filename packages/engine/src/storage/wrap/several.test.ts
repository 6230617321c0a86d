import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import type { Storage } from '../port.ts';
import { SeveralStorage } from './several.ts';

const PACK = 'packs/aa/aa01';
const WAL = 'clusters/main/wal/7/00000001/000000010000000000000001';

/** Objects in memory; `dead` answers nothing. */
function place(
  description: string,
  objects: Record<string, string>,
  state: { dead?: boolean; asked?: number } = {},
): Storage {
  const answer = (): void => {
    state.asked = (state.asked ?? 0) + 1;
    if (state.dead === true) throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `${description} does not answer`);
  };
  return {
    description,
    async get(name) {
      answer();
      const text = objects[name];
      if (text === undefined) throw new SpillwayError('SPW_OBJECT_MISSING', `${name} is not at ${description}`);
      return Buffer.from(text);
    },
    async stat(name) {
      answer();
      const text = objects[name];
      return text === undefined ? undefined : { name, bytes: text.length };
    },
    async *list(prefix) {
      answer();
      for (const name of Object.keys(objects).toSorted()) {
        if (name.startsWith(prefix)) yield { name, bytes: objects[name]?.length ?? 0 };
      }
    },
    put: async () => 'created',
    remove: async () => undefined,
  };
}

const read = async (storage: Storage, name: string): Promise<string> => Buffer.from(await storage.get(name)).toString();

test('a pack that the first place lacks or holds too short comes from another, and is told once', async () => {
  const cut = 'packs/bb/bb01';
  const storage = new SeveralStorage([place('a', { [cut]: 'sho' }), place('b', { [PACK]: 'whole', [cut]: 'short' })]);
  assert.deepEqual(await Array.fromAsync(storage.list('packs/')), [
    { name: PACK, bytes: 5 },
    { name: cut, bytes: 5 },
  ]);
  assert.deepEqual(
    [await read(storage, PACK), await read(storage, cut), await read(storage, PACK)],
    ['whole', 'short', 'whole'],
  );
  const found = storage.takeDetours().map(({ object, problem, place: at, instead }) => [object, problem, at, instead]);
  assert.deepEqual(found, [
    [PACK, 'missing', 'a', 'b'],
    [cut, 'damaged', 'a', 'b'],
  ]);
  await read(storage, PACK);
  assert.deepEqual(storage.takeDetours(), []);
});

test('what is called damaged is given from the next place, as long as there is one', async () => {
  const storage = new SeveralStorage([
    place('a', { [WAL]: 'bad' }),
    place('b', { [WAL]: 'bad too' }),
    place('c', { [WAL]: 'good' }),
  ]);
  assert.equal(await read(storage, WAL), 'bad');
  assert.ok(storage.avoid(WAL));
  assert.equal(await read(storage, WAL), 'bad too');
  assert.ok(storage.avoid(WAL));
  assert.equal(await read(storage, WAL), 'good');
  assert.deepEqual(await storage.stat(WAL), { name: WAL, bytes: 4 });
  assert.ok(!storage.avoid(WAL));
});

test('the first place alone tells what there is: nothing it lacks but packs is looked for elsewhere', async () => {
  const storage = new SeveralStorage([place('a', {}), place('b', { [WAL]: 'b', 'locks/x/1': 'b', 'index/1': 'b' })]);
  for (const name of [WAL, 'locks/x/1', 'index/1']) {
    await assert.rejects(storage.get(name), { code: 'SPW_OBJECT_MISSING' });
    assert.equal(await storage.stat(name), undefined);
    assert.ok(name === WAL || !storage.avoid(name));
  }
  assert.deepEqual(await Array.fromAsync(storage.list('')), []);
});

test('a first place that falls silent is asked no more, and nothing is called missing because of it', async () => {
  const first = { dead: false, asked: 0 };
  const storage = new SeveralStorage([
    place('a', { [WAL]: 'a' }, first),
    place('b', { [PACK]: 'whole' }),
    place('c', {}, { dead: true }),
  ]);
  assert.equal(await read(storage, WAL), 'a');
  first.dead = true;
  assert.equal(await read(storage, PACK), 'whole');
  await assert.rejects(storage.get(WAL), { code: 'SPW_STORAGE_UNREACHABLE' });
  const { asked } = first;
  await read(storage, PACK);
  assert.equal(first.asked, asked);
  assert.deepEqual(
    storage.takeDetours().map(({ problem }) => problem),
    ['unreachable'],
  );
  await assert.rejects(Array.fromAsync(storage.list('clusters/')), { code: 'SPW_STORAGE_UNREACHABLE' });
});

test('another place that does not answer harms nothing', async () => {
  const storage = new SeveralStorage([place('a', { [PACK]: 'own' }), place('b', {}, { dead: true })]);
  assert.deepEqual(await Array.fromAsync(storage.list('packs/')), [{ name: PACK, bytes: 3 }]);
  assert.equal(await read(storage, PACK), 'own');
  await assert.rejects(storage.get('packs/cc/cc'), { code: 'SPW_OBJECT_MISSING' });
  assert.ok(!storage.avoid(PACK));
});
