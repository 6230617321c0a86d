import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lsn, segmentSize, timelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import { explainGap } from './gap-cause.ts';
import type { GapRecord } from './gap-record.ts';

const SIZE = segmentSize(1024 * 1024);
/** Timeline 1 up to 0/780000, then timeline 2. */
const way: Ancestry = [
  { timeline: timelineId(1), begin: lsn(0n), end: lsn(0x780000n) },
  { timeline: timelineId(2), begin: lsn(0x780000n), end: undefined },
];
const record: GapRecord = {
  timeline: 1,
  from_lsn: '0/300000',
  to_lsn: '0/500000',
  cause: 'slot-lost',
  details: 'it was lost',
  at: '2026-11-23T12:00:00.000Z',
};

for (const [what, from_lsn, to_lsn, records, cause] of [
  ['a record that shares WAL with it', '0/310000', '0/500000', [record], 'slot-lost'],
  ['no record where they only touch', '0/500000', '0/600000', [record], 'object-missing'],
  ['no record of a timeline that is not on the way', '0/310000', '0/500000', [{ ...record, timeline: 3 }], 'unknown'],
  ['a promotion within it', '0/510000', '0/700000', [], 'promoted-before-received'],
  ['no promotion that comes after it', '0/510000', '0/680000', [], 'unknown'],
  ['no promotion before it', '0/810000', '0/A00000', [], 'unknown'],
  ['whole segments', '0/400000', '0/600000', [], 'object-missing'],
  ['the rest of a segment', '0/410000', '0/500000', [], 'object-missing'],
  ['nothing else', '0/410000', '0/600000', [], 'unknown'],
] as const) {
  test(`a gap from ${from_lsn} to ${to_lsn} is explained by ${what}`, () => {
    const explained = explainGap({ timeline: 2, from_lsn, to_lsn }, way, SIZE, records);
    assert.equal(explained.cause, cause);
    assert.equal(explained.at, cause === 'slot-lost' ? record.at : null);
    assert.ok(explained.details.length > 10 || cause === 'slot-lost');
  });
}
