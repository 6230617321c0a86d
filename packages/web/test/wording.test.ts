// How times and sizes are told, as tables.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, dayOf, duration, jobName, moment, relative } from '../src/wording.ts';

test('durations have two units at most, and sizes one', () => {
  for (const [seconds, told] of [
    [0, '0 s'],
    [0.004, '0.01 s'],
    [0.5, '0.50 s'],
    [4.25, '4.3 s'],
    [59.6, '1 min'],
    [252, '4 min 12 s'],
    [3600, '1 h'],
    [3840, '1 h 04 min'],
    [86_400, '1 d'],
    [266_400, '3 d 2 h'],
  ] as const) {
    assert.equal(duration(seconds), told);
  }
  for (const [count, told] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [150 * 1024, '150 KiB'],
    [5.5 * 2 ** 30, '5.5 GiB'],
  ] as const) {
    assert.equal(bytes(count), told);
  }
});

test('a moment of today is a time alone, in the zone that was chosen', () => {
  const now = Date.parse('2026-11-28T23:30:00Z');
  assert.equal(moment(now - 60_000, now, 'utc'), '23:29:00');
  assert.equal(moment(now - 86_400_000, now, 'utc'), '27 Nov 2026, 23:30:00');
  assert.equal(dayOf(now, 'utc'), '2026-11-28');
  assert.deepEqual(
    [0, 41_000, 3_600_000, -90_000, -90_000_000].map((ago) => relative(now - ago, now)),
    ['just now', '41 s ago', '1 h ago', 'in 1 min', 'in 1 d'],
  );
});

test('a job is called by its schedule, or by what was asked for', () => {
  const of = (command: string, request: object = {}, schedule: string | null = null): string =>
    jobName({ command, schedule, request: { ...request } });
  assert.equal(of('backup', { type: 'full' }), 'full backup');
  assert.equal(of('backup', { source: 'schema' }), 'dump of the schema');
  assert.equal(of('backup', {}, 'incremental'), 'incremental backup');
  assert.equal(of('restore', { dry_run: true }), 'plan of a restore');
  assert.equal(of('verify', { level: 'restore' }), 'verification of restore');
  assert.equal(of('key check'), 'key check');
});
