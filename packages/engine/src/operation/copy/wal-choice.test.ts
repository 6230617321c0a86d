import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lsn, timelineId } from '../../postgres/lsn.ts';
import type { WalObject } from '../wal/archive.ts';
import { coverage } from '../wal/interval.ts';
import { linesOf } from './line.ts';
import { chooseWal, replacedBy } from './wal-choice.ts';

const SEGMENT = 16;
const TIMELINE = timelineId(1);

const object = (start: number, end: number, storedBytes = 1): WalObject => {
  const whole = end - start === SEGMENT;
  return {
    name: whole ? `s${start}` : `s${start - (start % SEGMENT)}.${start}-${end}`,
    kind: whole ? 'segment' : 'piece',
    timeline: TIMELINE,
    start: lsn(BigInt(start)),
    end: lsn(BigInt(end)),
    storedBytes,
  };
};

const byStart = (a: WalObject, b: WalObject): number =>
  a.start === b.start ? Number(b.end - a.end) : a.start < b.start ? -1 : 1;

/** Segments and pieces that lie within one segment each. */
const archives = fc
  .uniqueArray(
    fc
      .tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 1, max: 16 }))
      .map(([segment, from, bytes]) =>
        object(segment * SEGMENT + from, segment * SEGMENT + Math.min(SEGMENT, from + bytes)),
      ),
    { selector: ({ name }) => name, maxLength: 14 },
  )
  .map((objects) => objects.toSorted(byStart));

test('after a copy the place covers what the source covers, and nothing more is wanted', () => {
  fc.assert(
    fc.property(archives, archives, (source, target) => {
      const { copy } = chooseWal(source, target, SEGMENT);
      const replaced = new Set(copy.flatMap((each) => (each.kind === 'segment' ? replacedBy(each, target) : [])));
      const after = [...target.filter((each) => !replaced.has(each)), ...copy].toSorted(byStart);
      assert.deepEqual(chooseWal(source, after, SEGMENT).copy, []);
      const reached = coverage(after);
      for (const { start, end } of coverage([...source, ...target].toSorted(byStart))) {
        assert.ok(reached.some((each) => each.start <= start && each.end >= end));
      }
    }),
    { numRuns: 500 },
  );
});

test('what each place has sealed by itself is compared where its length differs', () => {
  const [here, there] = [object(0, SEGMENT, 7), object(0, SEGMENT, 8)];
  assert.deepEqual(chooseWal([here], [there], SEGMENT), { copy: [], compare: [{ source: here, target: there }] });
  assert.deepEqual(chooseWal([here], [here], SEGMENT), { copy: [], compare: [] });
});

test('a hole is on purpose where WAL was left out or had expired, and a gap otherwise', () => {
  const target = new Map([[TIMELINE, [object(0, 16), object(48, 64)]]]);
  const at48 = new Map([[TIMELINE, lsn(48n)]]);
  assert.deepEqual(linesOf(target, [object(16, 32)], new Map()), at48);
  assert.deepEqual(linesOf(target, [], new Map([[TIMELINE, lsn(32n)]])), at48);
  assert.deepEqual(linesOf(target, [], new Map()), new Map());
  assert.deepEqual(linesOf(target, [object(64, 80)], new Map([[TIMELINE, lsn(16n)]])), new Map());
});
