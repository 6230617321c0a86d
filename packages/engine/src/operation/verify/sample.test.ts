// The shares of a sample: whatever days are missed, each share is read on its turn, and none is passed over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EvidenceRecord } from '../../repository/evidence.ts';
import { coverageOf, dateOf, dayOf, dueShares, nextTurn, readDays, shareOfChunk, shareOfName } from './sample.ts';

const FIRST_DAY = 20_000;
const window = fc.integer({ min: 1, max: 30 });
/** How many days pass before each run. */
const pauses = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 });

const record = (day: number, of: number, shares: readonly number[]): EvidenceRecord => ({
  id: String(day),
  kind: 'verification',
  cluster: 'main',
  backup: null,
  level: 'data',
  result: 'passed',
  started_at: `${dateOf(day)}T23:59:59.999Z`,
  finished_at: `${dateOf(day + 1)}T00:10:00.000Z`,
  details: { sample: { of, shares } },
});

test('run every day, each share is read once a window, on its day', () => {
  fc.assert(
    fc.property(window, (of) => {
      const records: EvidenceRecord[] = [];
      for (let day = FIRST_DAY; day < FIRST_DAY + 3 * of; day++) {
        const due = dueShares(readDays(records, of), day, of);
        assert.deepEqual(due, [day % of]);
        records.push(record(day, of, due));
      }
      const days = readDays(records, of);
      assert.equal(days.last.size, of);
      const { allReadSince } = coverageOf(days, [], FIRST_DAY + 3 * of, of);
      assert.equal(allReadSince, FIRST_DAY + 2 * of);
    }),
  );
});

test('where days are missed, the next run reads what was due on them, and nothing waits longer than a window and that', () => {
  fc.assert(
    fc.property(window, pauses, (of, gaps) => {
      const records: EvidenceRecord[] = [];
      let day = FIRST_DAY;
      for (const gap of [0, ...gaps]) {
        day += gap;
        const before = readDays(records, of);
        const due = dueShares(before, day, of);
        assert.ok(due.includes(day % of), 'that of today');
        for (let share = 0; share < of; share++) {
          const since = before.last.get(share) ?? FIRST_DAY - 1;
          const turns = Array.from({ length: day - since }, (_, n) => since + 1 + n).filter((at) => at % of === share);
          assert.equal(due.includes(share), turns.length > 0, `share ${share} of ${of} on ${day}`);
        }
        records.push(record(day, of, due));
      }
      const { last } = readDays(records, of);
      for (const [share, at] of last) assert.ok(day - at < of, `share ${share} was read ${day - at} days ago`);
      if (day - FIRST_DAY >= of - 1) assert.equal(last.size, of);
    }),
  );
});

test('by when all will have been read is a turn of the last share, and is kept', () => {
  fc.assert(
    fc.property(window, fc.nat(60), (of, ran) => {
      const records: EvidenceRecord[] = [];
      const today = FIRST_DAY + ran;
      for (let day = FIRST_DAY; day < today; day++) records.push(record(day, of, [day % of]));
      const before = readDays(records, of);
      const { allReadBy, allReadSince } = coverageOf(before, dueShares(before, today, of), today, of);
      assert.equal(allReadBy, Math.max(today, FIRST_DAY + of - 1));
      assert.equal(allReadSince, ran < of - 1 ? undefined : today - of + 1);
    }),
  );
});

test('records of another window, of other kinds, or that say nonsense do not count', () => {
  const good = record(FIRST_DAY, 7, [3]);
  const others: readonly EvidenceRecord[] = [
    record(FIRST_DAY, 14, [4]),
    { ...record(FIRST_DAY, 7, [4]), kind: 'drill' },
    { ...good, details: {} },
    { ...good, details: { sample: { of: 7, shares: ['4'] } } },
    { ...good, details: { sample: null } },
  ];
  assert.deepEqual([...readDays([...others, good], 7).last], [[3, FIRST_DAY]]);
});

test('shares of chunks and names are the same on every host, and even', () => {
  assert.equal(shareOfChunk(Buffer.from('00ffffffff00', 'hex'), 1, 7), 0xff_ff_ff_ff % 7);
  assert.equal(shareOfName('packs/ab/cd', 7), 2);
  const counts = Array.from({ length: 7 }, () => 0);
  for (let n = 0; n < 7000; n++) {
    const share = shareOfName(`packs/${n}`, 7);
    counts[share] = (counts[share] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join(' '));
});

test('days are those of UTC', () => {
  assert.equal(dateOf(dayOf(new Date('2026-11-28T23:59:59.999Z'))), '2026-11-28');
  assert.equal(dateOf(dayOf(new Date('2026-11-29T00:00:00+02:00'))), '2026-11-28');
  assert.equal(nextTurn(3, 10, 7), 17);
  assert.equal(nextTurn(4, 10, 7), 11);
});
