// Where the timeline puts gaps, and what it says of a moment; the strip of days; the forecast.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupsDocument, JobState } from '@spillway/contract';
import { forecastOf, growthOf } from '../src/forecast.ts';
import { daysOf, stripInWords } from '../src/strip.ts';
import { lsnOf, reachOf, ticksOf, timelineOf } from '../src/timeline/model.ts';

const NOON = Date.parse('2026-11-28T12:00:00Z');
const MINUTE = 60_000;
const DAY = 86_400_000;
const iso = (minutes: number): string => new Date(NOON + minutes * MINUTE).toISOString();

type Backup = BackupsDocument['backups'][number];

const backup = (id: string, minutes: number, lsn: string, of: Partial<Backup> = {}): Backup =>
  ({
    id,
    system_identifier: '7',
    started_at: iso(minutes - 1),
    finished_at: iso(minutes),
    start_lsn: lsn,
    stop_lsn: lsn,
    wal_complete: true,
    verification: null,
    ...of,
  }) as Backup;

const timeline = (backups: readonly Backup[], gaps: readonly (readonly [string, string])[] = []) =>
  timelineOf(
    {
      cluster: 'water',
      backups,
      recovery_window: {
        earliest_at: iso(0),
        latest_at: iso(100),
        earliest_lsn: '0/1000',
        latest_lsn: '0/B000',
        latest_timeline: 1,
        gaps: gaps.map(([from, to]) => ({ timeline: 1, from_lsn: from, to_lsn: to })),
      },
    },
    [],
  );

test('a gap stands where the backups around it say, in proportion to its LSN', () => {
  const { gaps } = timeline([backup('a', 0, '0/1000')], [['0/6000', '0/8000']]);
  const [gap] = gaps;
  assert.equal(((gap?.from ?? 0) - NOON) / MINUTE, 50);
  assert.equal(((gap?.to ?? 0) - NOON) / MINUTE, 70);
  assert.equal(lsnOf('1/0'), 2 ** 32);
});

test('a backup of a timeline that was left bends no gap out of its place', () => {
  const left = backup('left', 20, 'A/0');
  const { gaps } = timeline([backup('a', 0, '0/1000'), left, backup('b', 100, '0/B000')], [['0/6000', '0/8000']]);
  const at = ((gaps[0]?.from ?? 0) - NOON) / MINUTE;
  assert.ok(at > 45 && at < 55, String(at));
});

test('a moment is had from the newest backup before it, unless a gap lies between', () => {
  const backups = [
    backup('a', 0, '0/1000'),
    backup('torn', 10, '0/2000', { wal_complete: false }),
    backup('bad', 20, '0/3000', { verification: 'failed' }),
    backup('b', 80, '0/9000'),
  ];
  const picture = timeline(backups, [['0/6000', '0/8000']]);
  const told = (minutes: number): string => {
    const reach = reachOf(picture, NOON + minutes * MINUTE);
    return reach.kind === 'reached' ? reach.backup.id : reach.kind;
  };
  assert.deepEqual(
    [-1, 0, 30, 49, 60, 79, 80, 100, 101].map((minutes) => told(minutes)),
    ['outside', 'a', 'a', 'a', 'gap', 'gap', 'b', 'b', 'outside'],
  );
});

test('ticks stand at round moments of the viewer’s clock, no more than fit', () => {
  const ticks = ticksOf({ from: NOON + 7 * MINUTE, to: NOON + 187 * MINUTE }, 6, 30 * MINUTE);
  assert.deepEqual(
    ticks.map((at) => new Date(at + 30 * MINUTE).toISOString().slice(11, 16)),
    ['13:00', '13:30', '14:00', '14:30', '15:00', '15:30'],
  );
  for (const span of [1000, MINUTE, DAY, 400 * DAY]) {
    const count = ticksOf({ from: NOON, to: NOON + span }, 8, 0).length;
    assert.ok(count >= 1 && count <= 9, `${span}: ${count}`);
  }
});

test('a day is as bad as the worst of its jobs, in the viewer’s days', () => {
  const job = (minutes: number, state: JobState, missed = 0) =>
    ({ id: String(minutes), command: 'backup', schedule: 'full', state, at: iso(minutes), missed }) as const;
  const days = daysOf(
    [
      job(-2 * 1440, 'succeeded'),
      job(-1440, 'failed'),
      job(-1440, 'succeeded'),
      job(-10, 'succeeded', 2),
      job(0, 'warned'),
    ],
    NOON,
    'utc',
    5,
  );
  assert.deepEqual(
    days.map(({ state }) => state),
    ['none', 'none', 'ok', 'failed', 'missed'],
  );
  assert.deepEqual(days.at(-1), { day: '2026-11-28', state: 'missed', jobs: 2, failed: 0 });
  assert.equal(stripInWords(days), '5 days: 1 good, 1 failed (27 Nov), 1 missed (28 Nov), 2 without a job');
});

test('a forecast wants three backups over an hour; steady growth fills what is free when it must', () => {
  const stored = [0, 1, 2, 3].map((day) => ({ at: NOON + day * DAY, bytes: 10 }));
  assert.equal(forecastOf(growthOf(stored.slice(0, 2)), 100, NOON + DAY), undefined);
  const forecast = forecastOf(growthOf(stored), 100, NOON + 3 * DAY);
  assert.equal(Math.round(forecast?.bytesPerDay ?? 0), 10);
  assert.equal(Math.round(((forecast?.fullAt ?? 0) - NOON) / DAY), 13);
  assert.equal(forecastOf(growthOf(stored), null, NOON + 3 * DAY)?.fullAt, undefined);
});
