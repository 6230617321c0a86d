import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatLsn,
  historyName,
  lsn,
  parseHistoryName,
  parseLsn,
  parseSegmentName,
  segmentEnd,
  segmentName,
  segmentSize,
  segmentStart,
  timelineId,
} from './lsn.ts';

const positions = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }).map(lsn);
const sizes = fc.integer({ min: 20, max: 30 }).map((power) => segmentSize(2 ** power));
const mebibytes = (count: number) => segmentSize(count * 1024 * 1024);
const timelines = fc.integer({ min: 1, max: 0xffffffff }).map(timelineId);

test('positions are written as PostgreSQL writes them and read back', () => {
  assert.equal(formatLsn(lsn(0x16_b374d848n)), '16/B374D848');
  assert.equal(formatLsn(lsn(0n)), '0/0');
  assert.equal(parseLsn('16/b374d848'), 0x16_b374d848n);
  fc.assert(fc.property(positions, (position) => assert.equal(parseLsn(formatLsn(position)), position)));
  for (const wrong of ['', '1', '1/', '/1', '1/2/3', '123456789/0', '0/123456789', '0/G', ' 0/1']) {
    assert.equal(parseLsn(wrong), undefined, wrong);
  }
});

test('names of segments are those of PostgreSQL, at the border of the middle part too', () => {
  const cases = [
    [1, 0x3000000n, 16, '000000010000000000000003'],
    [1, 0xffffffffn, 16, '0000000100000000000000FF'],
    [1, 0x100000000n, 16, '000000010000000100000000'],
    [0x1a, 0x100000000n, 1024, '0000001A0000000100000000'],
    [2, 0xffffffffn, 1, '000000020000000000000FFF'],
  ] as const;
  for (const [timeline, position, size, name] of cases) {
    assert.equal(segmentName(timelineId(timeline), lsn(position), mebibytes(size)), name);
  }
  assert.equal(parseSegmentName('000000010000000000000100', mebibytes(16)), undefined, 'there is no such segment');
  for (const wrong of ['00000001000000000000000', '00000001000000000000000g', '000000010000000000000003.partial']) {
    assert.equal(parseSegmentName(wrong, mebibytes(16)), undefined, wrong);
  }
});

test('a name gives the timeline and the start of the segment back, and a position lies in its segment', () => {
  fc.assert(
    fc.property(timelines, positions, sizes, (timeline, position, size) => {
      const start = segmentStart(position, size);
      assert.deepEqual(parseSegmentName(segmentName(timeline, position, size), size), { timeline, start });
      assert.ok(start <= position && position < segmentEnd(position, size));
      assert.equal(segmentEnd(position, size) - start, BigInt(size));
    }),
  );
});

test('names of history files', () => {
  assert.equal(historyName(timelineId(0x1f)), '0000001F.history');
  assert.equal(parseHistoryName('0000001F.history'), 0x1f);
  for (const wrong of ['1F.history', '0000001F.history.gz', '0000001f.history']) {
    assert.equal(parseHistoryName(wrong), undefined, wrong);
  }
});
