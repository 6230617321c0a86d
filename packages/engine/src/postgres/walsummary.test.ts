import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lsn, timelineId } from './lsn.ts';
import { ChangedBlocks, firstGap, readWalSummaries } from './walsummary.ts';

const summary = (start: number, end: number) => ({ start: lsn(BigInt(start)), end: lsn(BigInt(end)) });
const range = { from: lsn(10n), to: lsn(20n) };

const coverage: readonly (readonly [string, readonly ReturnType<typeof summary>[], bigint | undefined])[] = [
  ['nothing', [], 10n],
  ['exactly the range', [summary(10, 20)], undefined],
  ['more than the range', [summary(5, 30)], undefined],
  ['the range in pieces, in no order', [summary(15, 20), summary(10, 12), summary(12, 15)], undefined],
  ['pieces that overlap', [summary(8, 14), summary(11, 13), summary(12, 20)], undefined],
  ['all but the beginning', [summary(11, 20)], 10n],
  ['all but the end', [summary(10, 19)], 19n],
  ['all but a piece', [summary(10, 14), summary(15, 20)], 14n],
];
for (const [what, summaries, expected] of coverage) {
  test(`summaries of ${what} ${expected === undefined ? 'cover the range' : `leave it open at ${expected}`}`, () => {
    assert.equal(firstGap(summaries, range), expected);
  });
}

test('summaries cover a range exactly where every position of it is in one', () => {
  const piece = fc.tuple(fc.nat(30), fc.nat(8)).map(([start, length]) => summary(start, start + length));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const open = Array.from({ length: 10 }, (_, n) => BigInt(10 + n)).find(
        (position) => !pieces.some(({ start, end }) => start <= position && position < end),
      );
      assert.equal(firstGap(pieces, range), open);
    }),
  );
});

test('a changed granule is found however far out it lies, and its neighbours are not', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200_000), { minLength: 1, maxLength: 20 }), (granules) => {
      const changed = new ChangedBlocks(32);
      const fork = { tablespace: 1663, database: 5, filenode: 7, fork: 0, limit: null };
      for (const granule of granules) changed.add({ ...fork, granules: [granule] });
      const isChanged = changed.ofFile('base/5/7.3');
      for (const granule of granules) {
        for (const near of [granule - 1, granule, granule + 1]) {
          if (near >= 0) assert.equal(isChanged?.(near), granules.includes(near), `${near}`);
        }
      }
    }),
  );
});

test('a summarizer that is behind and does not move is not waited for longer than was said', async () => {
  const answers: Readonly<Record<string, readonly object[]>> = {
    summarize_wal: [{ value: 'on' }],
    summarizer_state: [{ done: '0/5', pending: '0/5' }],
  };
  const session = {
    query: async <Row>(sql: string): Promise<readonly Row[]> =>
      (Object.entries(answers).find(([word]) => sql.includes(word))?.[1] ?? []) as readonly Row[],
  };
  const asked = { timeline: timelineId(1), from: lsn(1n), to: lsn(6n) };
  const late = await readWalSummaries(session, asked, { granuleBlocks: 32, waitMs: 0 });
  assert.deepEqual(late, { why: 'the WAL summarizer is behind: it is at 0/5, and the backup starts at 0/6' });
  const reached = await readWalSummaries(session, { ...asked, to: lsn(5n) }, { granuleBlocks: 32, waitMs: 0 });
  assert.deepEqual(reached, { why: 'there is no WAL summary of what follows 0/1' });
});
