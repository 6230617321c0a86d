import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PackReference } from './index-store.ts';
import { stretches, type WantedChunk } from './stretches.ts';

const pack = (packId: string): PackReference => ({ packId, dataKeyNumber: 1, salt: new Uint8Array(32), packBytes: 0 });
const packs = [pack('a'), pack('b')];
const MIB = 1024 * 1024;

test('every chunk that is wanted lies in exactly one stretch, whole, and no stretch is more than a bounded piece of work', () => {
  const chunk = fc.record({
    gap: fc.oneof(fc.constant(0), fc.nat(5000), fc.nat(600_000)),
    storedBytes: fc.oneof(fc.integer({ min: 24, max: 262_168 }), fc.integer({ min: 24, max: 2000 })),
    plainBytes: fc.integer({ min: 1, max: 262_144 }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(chunk, { maxLength: 120 }), { minLength: 2, maxLength: 2 }),
      fc.nat(),
      (rows, turn) => {
        const wanted = rows.map((row, number): readonly [number, WantedChunk[]] => {
          let at = 48;
          const chunks = row.map(({ gap, storedBytes, plainBytes }) => {
            const place = { offset: at + gap, storedBytes, plainBytes };
            at = place.offset + storedBytes;
            return { place };
          });
          // In any order.
          const cut = chunks.length === 0 ? 0 : turn % chunks.length;
          return [number, [...chunks.slice(cut), ...chunks.slice(0, cut)]];
        });
        const made = [...stretches(wanted, packs)];
        const laid = made.flatMap((stretch) => stretch.chunks.map((each) => [stretch.pack.packId, each] as const));
        const expected = wanted.flatMap(([number, chunks]) =>
          chunks.map((each) => [packs[number]?.packId, each] as const),
        );
        assert.equal(laid.length, expected.length);
        assert.deepEqual(new Set(laid.map(([, each]) => each)), new Set(expected.map(([, each]) => each)));
        for (const { offset, bytes, chunks } of made) {
          let end = offset;
          for (const { place } of chunks) {
            assert.ok(place.offset >= end && place.offset - end <= 256 * 1024, 'in order, and nothing far is joined');
            end = place.offset + place.storedBytes;
          }
          assert.equal(end, offset + bytes);
          const stored = chunks.reduce((sum, { place }) => sum + place.storedBytes, 0);
          assert.ok(bytes <= 2 * stored + 4096 * chunks.length, `${bytes} are read for ${stored}`);
          const plain = chunks.reduce((sum, { place }) => sum + place.plainBytes, 0);
          assert.ok(plain < 8 * MIB + 262_144 && chunks.length <= 1024);
        }
      },
    ),
  );
});

test('neighbours are one read, and a chunk far behind them is another', () => {
  const at = (offset: number): WantedChunk => ({ place: { offset, storedBytes: 1000, plainBytes: 4000 } });
  const made = [...stretches([[1, [at(2048), at(48), at(1048), at(MIB)]]], packs)];
  assert.deepEqual(
    made.map(({ pack: of, offset, bytes, chunks }) => [of.packId, offset, bytes, chunks.length]),
    [
      ['b', 48, 3000, 3],
      ['b', MIB, 1000, 1],
    ],
  );
});

test('of a pack of small chunks only what is wanted is read, and what is wanted here and there is not joined', () => {
  const at = (number: number): WantedChunk => ({
    place: { offset: 48 + number * 8000, storedBytes: 8000, plainBytes: 32_000 },
  });
  const bytesFor = (chunks: readonly WantedChunk[]): readonly [reads: number, bytes: number] => {
    const made = [...stretches([[0, chunks]], packs)];
    return [made.length, made.reduce((sum, { bytes }) => sum + bytes, 0)];
  };
  const all = Array.from({ length: 200 }, (_, number) => at(number));
  assert.deepEqual(bytesFor(all), [1, 200 * 8000]);
  assert.deepEqual(bytesFor(all.filter((_, number) => number % 10 === 0)), [20, 20 * 8000]);
  // Every other one: reading over what lies between costs less than as many requests.
  assert.deepEqual(bytesFor(all.filter((_, number) => number % 2 === 0)), [1, 199 * 8000]);
});
