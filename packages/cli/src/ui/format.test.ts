import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRelative,
  formatTime,
  formatVersion,
  shortId,
} from './format.ts';

test('sizes are in IEC units with at most three digits', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [10_240, '10 KiB'],
    [16 * 2 ** 20, '16 MiB'],
    [1.6 * 2 ** 30, '1.6 GiB'],
    [1023 * 2 ** 20, '1 GiB'],
    [5 * 2 ** 50, '5 PiB'],
  ];
  for (const [bytes, expected] of cases) assert.equal(formatBytes(bytes), expected);
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 50 }), (bytes) => {
      assert.match(formatBytes(bytes), /^\d{1,3}(?:\.\d{1,2})? (?:B|[KMGTP]iB)$/);
    }),
  );
});

test('durations have two units at most, and never sixty of one', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [0.44, '0.4s'],
    [9.96, '10s'],
    [59.6, '1m 00s'],
    [245, '4m 05s'],
    [3599.7, '1h 00m'],
    [3840, '1h 04m'],
    [93_600, '1d 02h'],
  ];
  for (const [seconds, expected] of cases) assert.equal(formatDuration(seconds), expected);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (s) => assert.doesNotMatch(formatDuration(s), /60/)),
  );
});

test('ages are told in one unit', () => {
  const now = new Date('2026-11-23T18:00:00Z');
  const cases: readonly (readonly [string, string])[] = [
    ['2026-11-23T17:59:58Z', 'just now'],
    ['2026-11-23T17:59:19Z', '41 s ago'],
    ['2026-11-23T17:56:00Z', '4 min ago'],
    ['2026-11-22T19:00:00Z', '23 h ago'],
    ['2026-11-20T18:00:00Z', '3 days ago'],
    ['2026-11-23T20:00:00Z', 'in 2 h'],
  ];
  for (const [at, expected] of cases) assert.equal(formatRelative(new Date(at), now), expected);
});

test('a time carries its offset, so that it is the same moment again', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true }), (at) => {
      const seconds = Math.floor(at.getTime() / 1000) * 1000;
      assert.equal(new Date(formatTime(at).replace(' ', 'T').replace(' ', '')).getTime(), seconds);
    }),
  );
});

test('versions, ids and counts', () => {
  assert.equal(formatVersion(180_004), '18.4');
  assert.equal(shortId('20261123T181500Z-1a2b3c4d'), '1a2b3c4d');
  assert.equal(formatCount(1, 'file'), '1 file');
  assert.equal(formatCount(1_234_567, 'file'), '1 234 567 files');
});
