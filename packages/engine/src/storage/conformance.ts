// What every store must do, as tests. A store's own test file calls this with a way to make an empty one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import type { Storage } from './port.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (data: Uint8Array): string => Buffer.from(data).toString();

async function names(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const object of storage.list(prefix)) found.push(object.name);
  return found;
}

/** Registers the suite; `make` gives an empty store and is called once a test. */
export function testConformance(kind: string, make: () => Promise<Storage>): void {
  test(`${kind}: an object is read back as it was put, whole and in ranges`, async () => {
    const storage = await make();
    assert.equal(await storage.put('packs/ab/abcd', [bytes('hello '), bytes(''), bytes('world')]), 'created');
    assert.equal(text(await storage.get('packs/ab/abcd')), 'hello world');
    assert.equal(text(await storage.get('packs/ab/abcd', { range: { offset: 6, bytes: 3 } })), 'wor');
    assert.equal(text(await storage.get('packs/ab/abcd', { range: { offset: 6, bytes: 100 } })), 'world');
    assert.equal(text(await storage.get('packs/ab/abcd', { range: { offset: 60, bytes: 5 } })), '');
    assert.deepEqual(await storage.stat('packs/ab/abcd'), { name: 'packs/ab/abcd', bytes: 11 });
  });

  test(`${kind}: an empty object is an object`, async () => {
    const storage = await make();
    assert.equal(await storage.put('index/empty', []), 'created');
    assert.equal((await storage.get('index/empty')).byteLength, 0);
    assert.deepEqual(await storage.stat('index/empty'), { name: 'index/empty', bytes: 0 });
  });

  test(`${kind}: a second put of a name changes nothing and says so`, async () => {
    const storage = await make();
    await storage.put('locks/a/1', [bytes('first')]);
    assert.equal(await storage.put('locks/a/1', [bytes('second')]), 'exists');
    assert.equal(text(await storage.get('locks/a/1')), 'first');
  });

  test(`${kind}: of sixteen racing puts exactly one creates the object`, async () => {
    const storage = await make();
    const results = await Promise.all(
      Array.from({ length: 16 }, (_, i) => storage.put('locks/race/1', [bytes(`writer ${i}`)])),
    );
    assert.equal(results.filter((result) => result === 'created').length, 1);
    assert.equal(text(await storage.get('locks/race/1')), `writer ${results.indexOf('created')}`);
  });

  test(`${kind}: a missing object is missing, not a failure of the store`, async () => {
    const storage = await make();
    assert.equal(await storage.stat('packs/no/none'), undefined);
    await assert.rejects(storage.get('packs/no/none'), (error) => isSpillwayError(error, 'SPW_OBJECT_MISSING'));
    await storage.remove('packs/no/none');
    assert.deepEqual(await names(storage, 'packs/'), []);
  });

  test(`${kind}: a list is ordered by name and takes any prefix`, async () => {
    const storage = await make();
    const all = ['a/b/1', 'a/b/2', 'a/b-c/1', 'a/ba', 'a/c', 'b'];
    for (const name of all) await storage.put(name, [bytes(name)]);
    assert.deepEqual(await names(storage, ''), all.toSorted());
    assert.deepEqual(await names(storage, 'a/b'), ['a/b-c/1', 'a/b/1', 'a/b/2', 'a/ba']);
    assert.deepEqual(await names(storage, 'a/b/'), ['a/b/1', 'a/b/2']);
    assert.deepEqual(await names(storage, 'nothing/'), []);
  });

  test(`${kind}: a removed object is gone`, async () => {
    const storage = await make();
    await storage.put('a/b', [bytes('x')]);
    await storage.remove('a/b');
    assert.equal(await storage.stat('a/b'), undefined);
    assert.equal(await storage.put('a/b', [bytes('y')]), 'created');
    assert.equal(text(await storage.get('a/b')), 'y');
  });

  test(`${kind}: an object that is replaced has its name and its new bytes, and the old one is no object any more`, async () => {
    const storage = await make();
    await storage.put('packs/ab/abcd', [bytes('damaged')]);
    for (const name of ['packs/ab/abcd', 'packs/ab/missing']) {
      await storage.replace?.(name, [bytes('good '), bytes('again')]);
      assert.equal(text(await storage.get(name)), 'good again');
    }
    assert.deepEqual(await names(storage, ''), ['packs/ab/abcd', 'packs/ab/missing']);
  });

  test(`${kind}: an aborted call fails and does nothing`, async () => {
    const storage = await make();
    const signal = AbortSignal.abort(new Error('stop'));
    await assert.rejects(storage.put('a/b', [bytes('x')], { signal }), /stop/);
    assert.equal(await storage.stat('a/b'), undefined);
  });

  test(`${kind}: names that could leave the store are refused`, async () => {
    const storage = await make();
    for (const name of ['../x', '/x', 'a//b', 'a/../b', '.hidden', 'a/.b', '', 'a b']) {
      await assert.rejects(storage.put(name, [bytes('x')]), (error) => isSpillwayError(error, 'SPW_INTERNAL'), name);
    }
  });
}
