import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatLsn, lsn, timelineId, type TimelineId } from './lsn.ts';
import { ancestry, contains, formatHistory, parseHistory, timelineAt, type HistoryEntry } from './timeline.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const t = timelineId;

/** Histories as promotions make them: rising timelines with rising switch points. */
const histories: fc.Arbitrary<readonly HistoryEntry[]> = fc
  .array(
    fc.record({
      step: fc.integer({ min: 1, max: 3 }),
      length: fc.bigInt({ min: 0n, max: 1n << 40n }),
      reason: fc.stringMatching(/^[a-z][a-z0-9 "':+.-]{0,30}$/),
    }),
    { maxLength: 6 },
  )
  .map((steps) => {
    let timeline = 0;
    let switchpoint = 0n;
    return steps.map(({ step, length, reason }) => {
      timeline += step;
      switchpoint += length;
      return { timeline: t(timeline), switchpoint: lsn(switchpoint), reason };
    });
  });

const targetOf = (entries: readonly HistoryEntry[]): TimelineId => t((entries.at(-1)?.timeline ?? 0) + 1);

test('what is written is read back', () => {
  fc.assert(
    fc.property(histories, (entries) => {
      assert.deepEqual(parseHistory(formatHistory(entries), targetOf(entries)), entries);
    }),
  );
});

test('the stretches lie end to end, and each position is on exactly one timeline of the way', () => {
  fc.assert(
    fc.property(histories, fc.bigInt({ min: 0n, max: 1n << 43n }), (entries, position) => {
      const way = ancestry(new Map([[targetOf(entries), formatHistory(entries)]]), targetOf(entries));
      assert.equal(way[0]?.begin, 0n);
      for (const [index, stretch] of way.entries()) assert.equal(stretch.end, way[index + 1]?.begin);
      const at = timelineAt(way, lsn(position));
      const within = way.filter(({ begin, end }) => position >= begin && (end === undefined || position < end));
      assert.deepEqual(
        within.map(({ timeline }) => timeline),
        [at],
      );
      assert.ok(contains(way, at, lsn(position)));
    }),
  );
});

test('a file of PostgreSQL is read, with its blank lines, comments and reasons', () => {
  const content = bytes(
    '1\t0/3000000\tno recovery target specified\n\n# by hand\n2\t1/A0000C8\tat restore point "before the\tmove"\n',
  );
  assert.deepEqual(parseHistory(content, t(5)), [
    { timeline: 1, switchpoint: 0x3000000n, reason: 'no recovery target specified' },
    { timeline: 2, switchpoint: 0x10a0000c8n, reason: 'at restore point "before the\tmove"' },
  ]);
});

test('a file that is no history is refused', () => {
  for (const content of [
    'hello\n',
    '1\n',
    '1\t0/XYZ\treason\n',
    '0\t0/1000000\treason\n',
    '2\t0/2000000\ta\n1\t0/3000000\tb\n',
    '1\t0/3000000\ta\n2\t0/2000000\tb\n',
    '5\t0/2000000\tits own number\n',
    '6\t0/2000000\ta younger parent\n',
  ]) {
    assert.throws(() => parseHistory(bytes(content), t(5)), { code: 'SPW_WAL_INVALID' }, content);
  }
});

test('the first timeline needs no file, any other does', () => {
  assert.deepEqual(ancestry(new Map(), t(1)), [{ timeline: 1, begin: 0n, end: undefined }]);
  assert.throws(() => ancestry(new Map(), t(2)), { code: 'SPW_WAL_ABSENT' });
});

test('a server past the place where the way left its timeline is not on the way', () => {
  const way = ancestry(new Map([[t(3), bytes('1\t0/3000000\tx\n2\t0/5000000\ty\n')]]), t(3));
  const cases = [
    [1, 0x2ffffffn, true],
    [1, 0x3000000n, true],
    [1, 0x3000001n, false],
    [2, 0x2ffffffn, false],
    [2, 0x3000000n, true],
    [2, 0x5000001n, false],
    [3, 0x4ffffffn, false],
    [3, 0x9000000n, true],
    [4, 0x9000000n, false],
  ] as const;
  for (const [timeline, position, expected] of cases) {
    assert.equal(contains(way, t(timeline), lsn(position)), expected, `${timeline} ${formatLsn(lsn(position))}`);
  }
});

test('two histories that tell different ways to one timeline are a conflict', () => {
  const child = bytes('1\t0/3000000\tx\n2\t0/5000000\ty\n');
  const agreeing = new Map([
    [t(2), bytes('1\t0/3000000\tin other words\n')],
    [t(3), child],
  ]);
  assert.equal(ancestry(agreeing, t(3)).length, 3);
  for (const other of ['1\t0/3000100\tx\n', '']) {
    const contradicting = new Map([
      [t(2), bytes(other)],
      [t(3), child],
    ]);
    assert.throws(() => ancestry(contradicting, t(3)), { code: 'SPW_WAL_CONFLICT' });
  }
});
