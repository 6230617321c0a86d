import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lsn } from '../../postgres/lsn.ts';
import type { CommitRecord } from '../wal/search.ts';
import { findCut, parseSnapshot, sees } from './cut.ts';

const commit = (xid: number, at: number): CommitRecord => ({
  lsn: lsn(BigInt(at)),
  endLsn: lsn(BigInt(at + 8)),
  xid,
  atMicros: 0n,
});
const snapshot = (text: string) => {
  const parsed = parseSnapshot(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
};

test('a snapshot is read as PostgreSQL writes it, and nothing else is', () => {
  assert.deepEqual(snapshot('10:20:10,14'), { xmax: 20n, running: new Set([10n, 14n]) });
  assert.deepEqual(snapshot('734:734:'), { xmax: 734n, running: new Set() });
  for (const wrong of ['', '1:2', '10:20:,', '10:20:a', 'x:20:']) assert.equal(parseSnapshot(wrong), undefined, wrong);
});

test('ids of the log are those nearest to the snapshot, over the wrap of their 32 bits', () => {
  const late = snapshot(`4294967290:4294967300:4294967297`);
  const cases: readonly (readonly [xid: number, seen: boolean])[] = [
    [4_294_967_295, true],
    [0, true],
    [1, false],
    [3, true],
    [4, false],
  ];
  for (const [xid, seen] of cases) assert.equal(sees(late, xid), seen, String(xid));
});

test('the cut is the last commit that is seen, and there is none where one before it is not', () => {
  const commits = [commit(10, 100), commit(11, 200), commit(12, 300)];
  const cases: readonly (readonly [taken: string, cut: bigint | undefined])[] = [
    ['13:13:', 300n],
    ['12:12:', 200n],
    ['11:13:11,12', 100n],
    ['11:13:11', undefined],
    ['10:13:10', undefined],
    ['10:10:', undefined],
  ];
  for (const [taken, cut] of cases) assert.equal(findCut(commits, snapshot(taken)), cut, taken);
});

test('whatever the order in which transactions write their commit and leave: a cut shows what the snapshot shows, and is found where there is one', () => {
  const scenario = fc.integer({ min: 1, max: 7 }).chain((count) =>
    fc.record({
      // Each transaction twice: the first time it writes its record, the second time it leaves the list.
      events: fc.shuffledSubarray(
        Array.from({ length: 2 * count }, (_, index) => index % count),
        { minLength: 2 * count },
      ),
      taken: fc.integer({ min: 0, max: 2 * count }),
    }),
  );
  fc.assert(
    fc.property(scenario, ({ events, taken }) => {
      const commits: CommitRecord[] = [];
      const left = new Set<number>();
      const written = new Set<number>();
      for (const [index, one] of events.entries()) {
        const xid = 100 + one;
        if (!written.has(xid)) {
          written.add(xid);
          commits.push(commit(xid, 1000 + index * 8));
        } else if (index < taken) left.add(xid);
      }
      const running = [...written].filter((xid) => !left.has(xid)).map(BigInt);
      const cut = findCut(commits, { xmax: 200n, running: new Set(running) });
      const upTo = (position: bigint): string =>
        commits
          .filter((each) => each.lsn <= position)
          .map(({ xid }) => xid)
          .toSorted((a, b) => a - b)
          .join();
      const shown = [...left].toSorted((a, b) => a - b).join();
      if (cut !== undefined) assert.equal(upTo(cut), shown);
      else if (shown !== '') assert.ok(!commits.some((each) => upTo(each.lsn) === shown));
    }),
  );
});
