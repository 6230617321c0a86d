import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatLsn, lsn, type Lsn, segmentSize, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import type { WalCatalog, WalObject } from '../wal/archive.ts';
import { findWay } from '../wal/coverage.ts';
import { judgeBackups } from './policy.ts';
import { expiredOn } from './record.ts';
import { planWal } from './wal.ts';
import { isOn, type Lineage, type PlacedBackup, positionOf, windowBases } from './window.ts';

const SIZE = segmentSize(1 << 20);
const HOUR_MS = 3_600_000;
const EPOCH = Date.parse('2026-11-01T00:00:00Z');
/** A segment an hour: position and time are one. */
const at = (segments: number): Lsn => lsn(BigInt(Math.round(segments * SIZE)));
const timeAt = (segments: number): Date => new Date(EPOCH + segments * HOUR_MS);
const [ONE, TWO] = [timelineId(1), timelineId(2)];

const segment = (timeline: TimelineId, n: number): WalObject => ({
  name: `${timeline}/${n}`,
  kind: 'segment',
  timeline,
  start: at(n),
  end: at(n + 1),
  storedBytes: 1,
});

interface World {
  readonly length: number;
  /** Where the second timeline leaves the first, and how long the first goes on beside it. */
  readonly fork: number | undefined;
  readonly goesOn: number;
  readonly missing: ReadonlySet<number>;
  readonly backups: readonly PlacedBackup[];
}

function lineageOf({ length, fork, goesOn, missing }: World): Lineage {
  const objects = new Map<TimelineId, WalObject[]>();
  const range = (timeline: TimelineId, from: number, to: number): void => {
    const all = Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n).filter((n) => !missing.has(n));
    if (all.length > 0)
      objects.set(
        timeline,
        all.map((n) => segment(timeline, n)),
      );
  };
  range(ONE, 0, fork === undefined ? length : fork + goesOn);
  if (fork !== undefined) range(TWO, fork, length);
  const ways = new Map<TimelineId, Ancestry>([[ONE, [{ timeline: ONE, begin: at(0), end: undefined }]]]);
  if (fork !== undefined) {
    ways.set(TWO, [
      { timeline: ONE, begin: at(0), end: at(fork + 0.5) },
      { timeline: TWO, begin: at(fork + 0.5), end: undefined },
    ]);
  }
  const lastAt = new Map(
    [...objects].map(([timeline, all]) => [timeline, timeAt(Number(all.at(-1)?.end ?? 0n) / SIZE)] as const),
  );
  return { systemIdentifier: '1', segmentSize: SIZE, catalog: { objects, histories: new Set() }, ways, lastAt };
}

const backupAt = (id: string, timeline: TimelineId, start: number): PlacedBackup => ({
  id,
  system_identifier: '1',
  timeline,
  start_lsn: formatLsn(at(start)),
  stop_lsn: formatLsn(at(start + 0.3)),
  finished_at: timeAt(start + 0.3).toISOString(),
});

const world: fc.Arbitrary<World> = fc
  .record({
    length: fc.integer({ min: 10, max: 60 }),
    forks: fc.boolean(),
    forkAt: fc.nat(),
    goesOn: fc.integer({ min: 1, max: 8 }),
    missing: fc.array(fc.nat(60), { maxLength: 3 }),
    starts: fc.array(fc.record({ place: fc.nat(), onOld: fc.boolean() }), { minLength: 1, maxLength: 10 }),
  })
  .map(({ length, forks, forkAt, goesOn, missing, starts }) => {
    const fork = forks ? 2 + (forkAt % (length - 4)) : undefined;
    const backups = starts
      .map(({ place, onOld }) => {
        const tenths = place % ((length - 1) * 10);
        const n = tenths / 10;
        if (fork === undefined || n + 0.3 <= fork + 0.5) return { n, timeline: ONE };
        return { n, timeline: onOld && n + 0.3 < fork + goesOn ? ONE : n > fork + 0.5 ? TWO : ONE };
      })
      .filter(({ n, timeline }) => timeline === TWO || fork === undefined || n + 0.3 < fork + goesOn)
      .toSorted((a, b) => a.n - b.n)
      .map(({ n, timeline }, index) => backupAt(`b${index}`, timeline, n));
    return { length, fork, goesOn, missing: new Set(missing), backups };
  });

const without = (catalog: WalCatalog, expired: readonly WalObject[]): WalCatalog => {
  const gone = new Set(expired.map(({ name }) => name));
  return {
    ...catalog,
    objects: new Map(
      [...catalog.objects].map(([timeline, all]) => [timeline, all.filter(({ name }) => !gone.has(name))]),
    ),
  };
};

/** Whether a restore to the position on the way can begin with one of the backups. */
const reaches = (catalog: WalCatalog, way: Ancestry, position: Lsn, backups: readonly PlacedBackup[]): boolean =>
  backups.some(
    (each) =>
      isOn(way, each) &&
      positionOf(each.stop_lsn) <= position &&
      findWay(catalog, way, positionOf(each.start_lsn), SIZE).end >= position,
  );

const isUsable = ({ catalog, ways }: Lineage, each: PlacedBackup): boolean =>
  [...ways.values()].some(
    (way) =>
      isOn(way, each) && findWay(catalog, way, positionOf(each.start_lsn), SIZE).end >= positionOf(each.stop_lsn),
  );

interface Outcome {
  readonly kept: readonly PlacedBackup[];
  readonly catalog: WalCatalog;
  readonly upTo: ReadonlyMap<TimelineId, Lsn>;
}

function expireIn(
  lineage: Lineage,
  backups: readonly PlacedBackup[],
  now: Date,
  hours: number,
  keepCount: number,
): Outcome {
  const usable = backups.filter((each) => isUsable(lineage, each));
  const begin = new Date(now.getTime() - hours * HOUR_MS);
  const bases = windowBases(lineage, usable, begin);
  const facts = backups.map((each) => ({
    summary: { ...each, started_at: each.finished_at },
    usable: usable.includes(each),
    proven: false,
  }));
  const policy = { minimumProven: 1, keepCount, pointInTimeMs: hours * HOUR_MS };
  const judged = judgeBackups(facts, policy, bases, now);
  const kept = backups.filter((_, n) => judged[n]?.keep);
  const newest = kept.findLast((each) => usable.includes(each)) ?? kept.at(-1);
  const onward = (each: PlacedBackup): boolean =>
    bases.has(each.id) || each === newest || each === kept.at(-1) || Date.parse(each.finished_at) > begin.getTime();
  const plan = planWal(
    lineage,
    kept.filter(onward),
    kept.filter((each) => !onward(each)),
  );
  return { kept, catalog: without(lineage.catalog, plan.expired), upTo: plan.upTo };
}

const anyCase = fc.record({ world, hours: fc.integer({ min: 0, max: 70 }), keepCount: fc.integer({ min: 1, max: 4 }) });

test('every moment of the window that could be reached before can be reached afterwards, over gaps and timelines', () => {
  let moments = 0;
  fc.assert(
    fc.property(anyCase, ({ world: of, hours, keepCount }) => {
      const lineage = lineageOf(of);
      const now = timeAt(of.length);
      const after = expireIn(lineage, of.backups, now, hours, keepCount);
      for (const [timeline, way] of lineage.ways) {
        for (let n = Math.max(0, of.length - hours); n < of.length; n += 0.25) {
          if (timeAt(n) > (lineage.lastAt.get(timeline) ?? now)) continue;
          if (!reaches(lineage.catalog, way, at(n), of.backups)) continue;
          moments += 1;
          assert.ok(reaches(after.catalog, way, at(n), after.kept), `hour ${n} of timeline ${timeline}`);
        }
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(moments > 1000, `${moments} moments`);
});

test('every backup that is kept and could be restored can be restored afterwards', () => {
  fc.assert(
    fc.property(anyCase, ({ world: of, hours, keepCount }) => {
      const lineage = lineageOf(of);
      const after = expireIn(lineage, of.backups, timeAt(of.length), hours, keepCount);
      const left = { ...lineage, catalog: after.catalog };
      for (const each of after.kept) if (isUsable(lineage, each)) assert.ok(isUsable(left, each), each.id);
    }),
    { numRuns: 400 },
  );
});

test('expired again, nothing more goes', () => {
  fc.assert(
    fc.property(anyCase, ({ world: of, hours, keepCount }) => {
      const lineage = lineageOf(of);
      const now = timeAt(of.length);
      const once = expireIn(lineage, of.backups, now, hours, keepCount);
      const twice = expireIn({ ...lineage, catalog: once.catalog }, once.kept, now, hours, keepCount);
      assert.deepEqual([twice.kept, twice.catalog], [once.kept, once.catalog]);
    }),
    { numRuns: 300 },
  );
});

test('what was expired on purpose is told apart from a gap', () => {
  fc.assert(
    fc.property(anyCase, ({ world: of, hours, keepCount }) => {
      const lineage = lineageOf({ ...of, missing: new Set() });
      const { kept, catalog, upTo } = expireIn(lineage, of.backups, timeAt(of.length), hours, keepCount);
      for (const way of lineage.ways.values()) {
        const expired = expiredOn(way, upTo) ?? 0n;
        for (const each of kept.filter((one) => isOn(way, one) && positionOf(one.start_lsn) >= expired)) {
          assert.equal(findWay(catalog, way, positionOf(each.start_lsn), SIZE).resumesAt, undefined, each.id);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('long-term backups keep only the WAL from their start to their stop', () => {
  const of: World = {
    length: 100,
    fork: undefined,
    goesOn: 0,
    missing: new Set(),
    backups: [backupAt('a', ONE, 5.2), backupAt('b', ONE, 50), backupAt('c', ONE, 85.8), backupAt('d', ONE, 95)],
  };
  const { kept, catalog } = expireIn(lineageOf(of), of.backups, timeAt(100), 10, 4);
  assert.deepEqual(
    kept.map(({ id }) => id),
    ['a', 'b', 'c', 'd'],
  );
  assert.deepEqual(
    (catalog.objects.get(ONE) ?? []).map(({ start }) => Number(start) / SIZE),
    [5, 50, ...Array.from({ length: 15 }, (_, n) => 85 + n)],
  );
});

test('WAL of a timeline that is newer than every backup stays: a backup on it may be running', () => {
  const of: World = { length: 40, fork: 10, goesOn: 20, missing: new Set(), backups: [backupAt('a', ONE, 25)] };
  const lineage = lineageOf(of);
  const [a] = of.backups;
  assert.ok(a !== undefined);
  const { expired } = planWal(lineage, [a], []);
  assert.deepEqual(new Set(expired.map(({ timeline }) => timeline)), new Set([ONE]));
});
