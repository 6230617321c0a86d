import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Lsn, lsn, segmentSize, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { Ancestry, Stretch } from '../../postgres/timeline.ts';
import type { WalCatalog, WalObject } from './archive.ts';
import { findWay } from './coverage.ts';
import { coverage } from './interval.ts';

/** Small enough to think of, and for a model that goes byte by byte. */
const SIZE = segmentSize(8);

type Given = readonly [timeline: number, start: number, end: number];

const at = (value: number): Lsn => lsn(BigInt(value));

function catalogOf(given: readonly Given[]): WalCatalog {
  const objects = new Map<TimelineId, WalObject[]>();
  const ordered = given.toSorted((a, b) => a[1] - b[1] || b[2] - a[2]);
  for (const [timeline, start, end] of ordered) {
    const kind = start % 8 === 0 && end - start === 8 ? 'segment' : 'piece';
    const object: WalObject = {
      name: `${timeline}:${start}-${end}`,
      kind,
      timeline: timelineId(timeline),
      start: at(start),
      end: at(end),
      storedBytes: 1,
    };
    const known = objects.get(object.timeline);
    if (known === undefined) objects.set(object.timeline, [object]);
    else known.push(object);
  }
  return { objects, histories: new Set() };
}

/** Timelines 1, 2, ... that are left at these positions; the last is open. */
function ancestryOf(...switchpoints: readonly number[]): Ancestry {
  const stretches: Stretch[] = [];
  let begin = at(0);
  for (const [index, switchpoint] of switchpoints.entries()) {
    stretches.push({ timeline: timelineId(index + 1), begin, end: at(switchpoint) });
    begin = at(switchpoint);
  }
  return [...stretches, { timeline: timelineId(switchpoints.length + 1), begin, end: undefined }];
}

const cases: readonly {
  readonly name: string;
  readonly given: readonly Given[];
  readonly switches?: readonly number[];
  readonly from: number;
  readonly end: number;
  readonly timelines: readonly number[];
  readonly resumesAt?: number;
  readonly overruns?: boolean;
}[] = [
  { name: 'nothing is stored', given: [], from: 3, end: 3, timelines: [] },
  {
    name: 'whole segments',
    given: [
      [1, 0, 8],
      [1, 8, 16],
    ],
    from: 3,
    end: 16,
    timelines: [1, 1],
  },
  {
    name: 'pieces that meet',
    given: [
      [1, 0, 8],
      [1, 8, 10],
      [1, 10, 13],
    ],
    from: 0,
    end: 13,
    timelines: [1, 1],
  },
  {
    name: 'pieces that overlap',
    given: [
      [1, 0, 5],
      [1, 3, 7],
      [1, 4, 6],
    ],
    from: 0,
    end: 7,
    timelines: [1],
  },
  {
    name: 'pieces with a hole',
    given: [
      [1, 0, 3],
      [1, 4, 7],
    ],
    from: 0,
    end: 3,
    timelines: [1],
  },
  { name: 'a segment without its begin', given: [[1, 2, 7]], from: 3, end: 3, timelines: [] },
  { name: 'less than where it begins', given: [[1, 0, 3]], from: 5, end: 5, timelines: [] },
  {
    name: 'a missing segment',
    given: [
      [1, 0, 8],
      [1, 16, 24],
    ],
    from: 0,
    end: 8,
    timelines: [1],
    resumesAt: 16,
  },
  {
    name: 'a segment cut, and others after it',
    given: [
      [1, 0, 3],
      [1, 8, 16],
    ],
    from: 0,
    end: 3,
    timelines: [1],
    resumesAt: 8,
  },
  { name: 'only later WAL', given: [[1, 16, 24]], from: 4, end: 4, timelines: [], resumesAt: 16 },
  {
    name: 'the segment of the switch on both timelines',
    given: [
      [1, 0, 8],
      [1, 8, 16],
      [2, 8, 16],
      [2, 16, 20],
    ],
    switches: [11],
    from: 0,
    end: 20,
    timelines: [1, 2, 2],
  },
  {
    name: 'old WAL past the switch is none',
    given: [
      [1, 0, 8],
      [1, 8, 16],
      [1, 16, 24],
      [1, 24, 32],
      [2, 8, 13],
    ],
    switches: [11],
    from: 0,
    end: 13,
    timelines: [1, 2],
  },
  {
    name: 'old WAL past a new segment that is whole',
    given: [
      [1, 0, 8],
      [1, 8, 16],
      [1, 16, 24],
      [2, 8, 16],
    ],
    switches: [11],
    from: 0,
    end: 16,
    timelines: [1, 2],
  },
  {
    name: 'a timeline of which nothing is stored, after the end of the old',
    given: [
      [1, 0, 8],
      [1, 8, 11],
    ],
    switches: [11],
    from: 0,
    end: 11,
    timelines: [1, 1],
  },
  {
    name: 'a timeline of which nothing is stored, in the midst of the old',
    given: [
      [1, 0, 8],
      [1, 8, 16],
      [1, 16, 24],
    ],
    switches: [11],
    from: 0,
    end: 11,
    timelines: [1, 1],
    overruns: true,
  },
  {
    name: 'a switch at the start of a segment',
    given: [
      [1, 0, 8],
      [1, 8, 16],
      [2, 8, 10],
    ],
    switches: [8],
    from: 0,
    end: 10,
    timelines: [1, 2],
  },
];

for (const { name, given, switches = [], from, end, timelines, resumesAt, overruns = false } of cases) {
  test(`the way over ${name}`, () => {
    const way = findWay(catalogOf(given), ancestryOf(...switches), at(from), SIZE);
    assert.deepEqual(
      { ...way, steps: way.steps.map(({ timeline }) => Number(timeline)) },
      { steps: timelines, end: at(end), resumesAt: resumesAt === undefined ? undefined : at(resumesAt), overruns },
    );
  });
}

test('a timeline is not asked for segments before the one it began in', () => {
  const way = findWay(
    catalogOf([
      [1, 0, 8],
      [2, 0, 8],
      [2, 8, 16],
    ]),
    ancestryOf(11),
    at(0),
    SIZE,
  );
  assert.deepEqual(
    way.steps.map(({ timeline }) => timeline),
    [1, 2],
  );
});

test('coverage is the union of the intervals', () => {
  const interval = fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 12 }), (given) => {
      const ordered = given
        .map(([start, length]) => ({ start: at(start), end: at(start + length) }))
        .toSorted((a, b) => Number(a.start - b.start));
      const merged = coverage(ordered);
      const bytes = (all: readonly { readonly start: bigint; readonly end: bigint }[]): Set<bigint> =>
        new Set(
          all.flatMap(({ start, end }) => Array.from({ length: Number(end - start) }, (_, i) => start + BigInt(i))),
        );
      assert.deepEqual([...bytes(merged)].toSorted(byValue), [...bytes(ordered)].toSorted(byValue));
      // Apart, or they would be one.
      for (const [index, each] of merged.entries())
        assert.ok(index === 0 || (merged[index - 1]?.end ?? 0n) < each.start);
    }),
  );
});

test('a way goes as far as a reader that goes byte by byte', () => {
  const piece = fc
    .tuple(fc.constantFrom(1, 2, 3), fc.nat(5), fc.nat(7), fc.integer({ min: 1, max: 8 }))
    .map(
      ([timeline, segment, offset, length]): Given => [
        timeline,
        segment * 8 + offset,
        segment * 8 + Math.min(8, offset + length),
      ],
    );
  const whole = fc
    .tuple(fc.constantFrom(1, 2, 3), fc.nat(5))
    .map(([timeline, segment]): Given => [timeline, segment * 8, segment * 8 + 8]);
  const switches = fc
    .array(fc.integer({ min: 1, max: 44 }), { maxLength: 2 })
    .map((points) => points.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, whole), { maxLength: 20 }), switches, fc.nat(40), (given, points, from) => {
      const ancestry = ancestryOf(...points);
      const way = findWay(catalogOf(given), ancestry, at(from), SIZE);
      const model = readByByte(given, points, from);
      assert.equal(way.end, at(model.end));
      assert.deepEqual(
        way.steps.map(({ timeline }) => Number(timeline)),
        model.timelines,
      );
    }),
    { numRuns: 2000 },
  );
});

/** Segment by segment: the newest timeline that has its first byte, then byte by byte until one is not there. */
function readByByte(
  given: readonly Given[],
  switches: readonly number[],
  from: number,
): { end: number; timelines: number[] } {
  const held = new Set(
    given.flatMap(([timeline, start, end]) =>
      Array.from({ length: end - start }, (_, i) => `${timeline}:${start + i}`),
    ),
  );
  const begins = [0, ...switches];
  const timelines: number[] = [];
  let reached = from;
  for (let segment = from - (from % 8); ; segment += 8) {
    let timeline = begins.length;
    for (; timeline > 0; timeline--) {
      const begin = begins[timeline - 1] ?? 0;
      const end = switches[timeline - 1] ?? Number.POSITIVE_INFINITY;
      if (begin - (begin % 8) <= segment && segment < end && held.has(`${timeline}:${segment}`)) break;
    }
    if (timeline === 0) break;
    let byte = segment;
    while (
      byte < segment + 8 &&
      held.has(`${timeline}:${byte}`) &&
      byte < (switches[timeline - 1] ?? Number.POSITIVE_INFINITY)
    )
      byte++;
    if (byte <= reached) break;
    timelines.push(timeline);
    reached = byte;
    if (byte < segment + 8) break;
  }
  return { end: reached, timelines };
}

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
