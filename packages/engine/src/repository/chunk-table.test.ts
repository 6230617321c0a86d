import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import { type ChunkPlace, ChunkTable, NO_PACK, tableBytes } from './chunk-table.ts';
import { PACK_BYTES } from './pack-writer.ts';

const THREADS = 4;
const IDS = 20_000;
/** Of an id the table keeps 96 bits. */
const LAST_WORD = 8;

/** Ids that share their first word, so that they meet in one slot, and differ in the last word that counts. */
const id = (hash: number, n: number): Uint8Array => {
  const bytes = Buffer.alloc(CHUNK_ID_BYTES);
  bytes.writeUInt32LE(hash, 0);
  bytes.writeUInt32LE(n, LAST_WORD);
  return bytes;
};
const upTo = (max: number): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, max), fc.integer({ min: 0, max }));
const length = upTo(2 ** 19 - 1);
const place: fc.Arbitrary<ChunkPlace> = fc.record(
  { pack: upTo(NO_PACK - 3), offset: upTo(2 ** 26 - 1), storedBytes: length, plainBytes: length },
  { noNullPrototype: true },
);

test('the table answers as a map does in which the first word stands', () => {
  const step = fc.record({
    hash: fc.constantFrom(0, 1, 63, 0x7fffffff, 0xffffffff),
    n: fc.nat(4),
    place,
    claim: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(64), (steps, padding) => {
      const table = ChunkTable.create(40);
      const model = new Map<string, ChunkPlace>();
      for (const each of steps) {
        const key = `${each.hash} ${each.n}`;
        // Somewhere in a run of ids, as callers have them.
        const ids = Buffer.concat([Buffer.alloc(padding, 0xaa), id(each.hash, each.n)]);
        assert.equal(table.has(ids, padding), model.has(key));
        if (each.claim) assert.equal(table.claim(ids, padding), !model.has(key));
        else table.insert(ids, padding, each.place);
        if (!model.has(key)) {
          model.set(key, each.claim ? { pack: NO_PACK, offset: 0, storedBytes: 0, plainBytes: 0 } : each.place);
        }
        assert.deepEqual(table.find(ids, padding), model.get(key));
      }
      for (const [key, expected] of model) {
        const [hash, n] = key.split(' ').map(Number);
        assert.deepEqual(ChunkTable.attach(table.shared).find(id(hash ?? 0, n ?? 0), 0), expected);
      }
      assert.equal(table.find(id(5, 5), 0), undefined);
    }),
  );
});

test('a table holds what it was made for, and a full one is an error and not an endless search', () => {
  const table = ChunkTable.create(64);
  let held = 0;
  assert.throws(
    () => {
      for (; ; held++) table.claim(id(7, held), 0);
    },
    (error) => isSpillwayError(error, 'SPW_INTERNAL'),
  );
  assert.ok(held >= 64);
  assert.equal(table.claim(id(7, 0), 0), false);
  assert.equal(table.find(id(7, held), 0), undefined);
});

test('a place that does not fit a slot is refused, and the largest pack and chunk fit', () => {
  const table = ChunkTable.create(1);
  const fits: ChunkPlace = { pack: 0, offset: PACK_BYTES, storedBytes: CHUNK_BYTES + 24, plainBytes: CHUNK_BYTES };
  for (const wrong of [{ pack: NO_PACK - 2 }, { offset: 2 ** 26 }, { storedBytes: 2 ** 19 }, { plainBytes: 2 ** 19 }]) {
    assert.throws(
      () => table.insert(id(1, 1), 0, { ...fits, ...wrong }),
      (error) => isSpillwayError(error, 'SPW_OBJECT_DAMAGED'),
    );
  }
  assert.equal(table.has(id(1, 1), 0), false);
  table.insert(id(1, 1), 0, fits);
  assert.deepEqual(table.placeIn(table.slotOf(id(1, 1), 0)), fits);
});

test('memory is under 40 bytes a chunk, and does not double at any number of them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 50_000_000 }), (chunks) => {
      assert.ok(tableBytes(chunks) / chunks < 40);
    }),
  );
  assert.equal(ChunkTable.create(12_345).shared.byteLength, tableBytes(12_345));
});

test('of several threads that claim the same ids at once, each id has exactly one winner', async () => {
  const table = ChunkTable.create(IDS);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  // Few distinct first words, so that threads meet while they probe; each thread begins elsewhere in the same ids.
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { ChunkTable } from ${JSON.stringify(new URL('chunk-table.ts', import.meta.url).href)};
    const { shared, gate, first, count } = workerData;
    const table = ChunkTable.attach(shared);
    const id = Buffer.alloc(${CHUNK_ID_BYTES});
    const won = [];
    parentPort.postMessage('ready');
    Atomics.wait(gate, 0, 0);
    for (let i = 0; i < count; i++) {
      const n = (first + i) % count;
      id.writeUInt32LE(Math.imul(n >> 3, 2654435761) >>> 0, 0);
      id.writeUInt32LE(n, ${LAST_WORD});
      if (table.claim(id, 0)) won.push(n);
    }
    parentPort.postMessage(won);
  `;
  const workers = Array.from({ length: THREADS }, (_, thread) => {
    const workerData = { shared: table.shared, gate, first: thread * 7, count: IDS };
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const results = workers.map(async (worker) => ((await once(worker, 'message')) as [readonly number[]])[0]);
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const won = (await Promise.all(results)).flat();
  assert.deepEqual(
    won.toSorted((a, b) => a - b),
    Array.from({ length: IDS }, (_, n) => n),
  );
});
