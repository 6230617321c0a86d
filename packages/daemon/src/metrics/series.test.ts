import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerFigures } from '@spillway/control';
import { ratesOf, ServerSeries } from './series.ts';

const figures = (of: Partial<ServerFigures>): ServerFigures => ({
  inRecovery: false,
  timeline: 1,
  connections: 3,
  connectionsMax: 100,
  longestTransactionSeconds: 0,
  committed: 1000,
  rolledBack: 10,
  blocksHit: 500,
  blocksRead: 100,
  deadlocks: 0,
  ...of,
});

test('counters become rates; what was reset, what stood still and what did not answer says nothing', () => {
  const was = figures({});
  const cases: readonly (readonly [ServerFigures | undefined, ServerFigures | undefined, number, unknown])[] = [
    [was, figures({ committed: 1100, rolledBack: 15, blocksHit: 590, blocksRead: 110 }), 10_000, [10, 0.5, 0.9]],
    [was, figures({}), 10_000, [0, 0, null]],
    [was, figures({ committed: 5, blocksHit: 0 }), 10_000, [null, 0, null]],
    [undefined, was, 10_000, [null, null, null]],
    [was, undefined, 10_000, [null, null, null]],
    [was, was, 0, [null, null, null]],
  ];
  for (const [before, after, ms, expected] of cases) {
    const { commitsPerSecond, rollbacksPerSecond, hitRatio } = ratesOf(before, after, ms);
    assert.deepEqual([commitsPerSecond, rollbacksPerSecond, hitRatio], expected);
  }
});

test('a server that does not answer leaves a hole, and no more than the newest points are kept', () => {
  const series = new ServerSeries();
  const seen = (of: ServerFigures | undefined) => [
    { server: 'db:5432', figures: of, problem: of === undefined ? 'connection refused' : null },
  ];
  series.take(0, seen(figures({})));
  series.take(10_000, seen(undefined));
  series.take(20_000, seen(figures({ committed: 1200 })));
  series.take(30_000, seen(figures({ committed: 1300, connections: 4 })));
  assert.deepEqual(
    series.points.map(({ connections, commitsPerSecond }) => [connections, commitsPerSecond]),
    [
      [3, null],
      [null, null],
      [3, null],
      [4, 10],
    ],
  );
  for (let at = 4; at < 1000; at++) series.take(at * 10_000, seen(figures({ committed: 1300 })));
  assert.equal(series.points.length, 720);
  assert.equal(series.now?.at, 9_990_000);
});
