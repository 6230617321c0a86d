import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { CHUNK_ID_BYTES } from '../format/chunk.ts';
import { type ChunkPlace, ChunkTable, NO_PACK } from './chunk-table.ts';

const THREADS = 4;
const IDS = 20_000;

/** Ids that share their first word, so that they meet in one slot, and differ in the last byte that counts. */
const id = (hash: number, n: number): Uint8Array => {
  const bytes = Buffer.alloc(CHUNK_ID_BYTES);
  bytes.writeUInt32LE(hash, 0);
  bytes.writeUInt32LE(n, CHUNK_ID_BYTES - 4);
  return bytes;
};
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const size = fc.nat();
const place: fc.Arbitrary<ChunkPlace> = fc.record(
  { pack: u32, offset: u32, storedBytes: size, plainBytes: size },
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
      id.writeUInt32LE(n, ${CHUNK_ID_BYTES - 4});
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
