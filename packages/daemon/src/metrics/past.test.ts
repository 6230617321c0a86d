import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Availability,
  downShare,
  type Room,
  type RoomPoint,
  roomAt,
  takeAvailability,
  takeRooms,
} from './past.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-28T12:00:00Z');

const seen = (availableBytes: number | null, place = 'repository') => [{ place, availableBytes }];

test('room is kept once in five minutes for a day, of places that have an end and are still there', () => {
  let rooms: readonly Room[] = [];
  for (let at = 0; at <= 30 * HOUR; at += MINUTE) rooms = takeRooms(rooms, at, seen(at));
  const [room, ...more] = rooms;
  assert.deepEqual(more, []);
  assert.equal(room?.points.length, 289);
  assert.deepEqual([room?.points.at(0), room?.points.at(-1)?.at], [{ at: 6 * HOUR, bytes: 6 * HOUR }, 30 * HOUR]);
  assert.deepEqual(takeRooms(rooms, 30 * HOUR, seen(null)), []);
  assert.deepEqual(
    takeRooms(rooms, 30 * HOUR, seen(1, 'other')).map(({ place, points }) => [place, points.length]),
    [['other', 1]],
  );
  // A clock that was set back: what lies ahead is not known yet.
  assert.equal(
    takeRooms(rooms, 20 * HOUR, seen(7))
      .at(0)
      ?.points.at(-1)?.bytes,
    7,
  );
});

test('room is foretold by the line that fits best', () => {
  const cases: readonly (readonly [points: readonly (readonly [hours: number, bytes: number])[], expected: unknown])[] =
    [
      [[], undefined],
      [[[0, 9]], undefined],
      [
        [
          [0, 9],
          [0, 5],
        ],
        undefined,
      ],
      [
        [
          [-2, 100],
          [-1, 100],
        ],
        100,
      ],
      [
        [
          [-2, 100],
          [-1, 99],
        ],
        97,
      ],
      // 70.5 in the middle of them, and 20.2 less each hour.
      [
        [
          [-3, 100],
          [-2, 81],
          [-1, 62],
          [0, 39],
        ],
        20,
      ],
    ];
  for (const [points, expected] of cases) {
    const at = points.map(([hours, bytes]): RoomPoint => ({ at: NOW + hours * HOUR, bytes }));
    const found = roomAt(at, NOW + HOUR);
    assert.equal(found === undefined ? undefined : Math.round(found * 1000) / 1000, expected);
  }
});

test('whatever falls evenly is foretold exactly', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 44 }),
      fc.integer({ min: -(2 ** 30), max: 2 ** 30 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 287 }), { minLength: 2 }),
      (bytes, perStep, steps) => {
        const points = steps
          .toSorted((a, b) => a - b)
          .map((n) => ({ at: NOW + n * 300_000, bytes: bytes + n * perStep }));
        const found = roomAt(points, NOW + 1440 * 300_000) ?? Number.NaN;
        assert.ok(Math.abs(found - (bytes + 1440 * perStep)) < 1024, String(found));
      },
    ),
  );
});

/** One reading in ten seconds: `#` down, `.` up, ` ` none. */
const looked = (readings: string, reachMs = 20 * SECOND): Availability | undefined => {
  let past: Availability | undefined;
  for (const [n, each] of readings.split('').entries()) {
    if (each !== ' ') past = takeAvailability(past, n * 10 * SECOND, each === '.', reachMs);
  }
  return past;
};

test('an outage is the time since the reading before, and no longer than was agreed', () => {
  const cases: readonly (readonly [readings: string, outages: readonly (readonly [from: number, to: number])[]])[] = [
    ['....', []],
    ['.#..', [[0, 10]]],
    [
      '.##..#',
      [
        [0, 20],
        [40, 50],
      ],
    ],
    // Nobody looked before the first, and in a hole nobody did either.
    ['#', []],
    ['##.', [[0, 10]]],
    [
      '.#     #',
      [
        [0, 10],
        [50, 70],
      ],
    ],
    ['.     .#', [[60, 70]]],
  ];
  for (const [readings, outages] of cases) {
    const found = looked(readings)?.outages.map(({ from, to }) => [from / SECOND, to / SECOND]);
    assert.deepEqual(found, outages, readings);
  }
});

test('what is down is a share of the whole window, and what lies before it is forgotten', () => {
  const past = looked(`${'.'.repeat(10)}${'#'.repeat(18)}${'.'.repeat(180)}`);
  assert.ok(past !== undefined);
  const ended = 270 * SECOND;
  const cases: readonly (readonly [now: number, minutes: number, share: number])[] = [
    [ended, 30, 180 / 1800],
    [ended, 360, 180 / 21_600],
    [ended + 29 * MINUTE, 30, 60 / 1800],
    [ended + 30 * MINUTE, 30, 0],
  ];
  for (const [now, minutes, share] of cases) assert.equal(downShare(past, now, minutes * MINUTE), share);
  assert.deepEqual(takeAvailability(past, ended + 6 * HOUR, true, 20 * SECOND).outages, []);
});

test('however it flaps, there is a most of outages', () => {
  const past = looked('.#'.repeat(5000));
  assert.equal(past?.outages.length, 1000);
  assert.equal(past.outages.at(-1)?.to, 9999 * 10 * SECOND);
});
