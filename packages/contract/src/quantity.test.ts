import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDurationSetting, parseByteSize, parseDuration, type Milliseconds } from './quantity.ts';

test('durations are read with their units', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['5s', 5000],
    ['250ms', 250],
    ['10min', 600_000],
    ['1h 30min', 5_400_000],
    ['1h30min', 5_400_000],
    [' 2 d ', 172_800_000],
    ['1.5s', 1500],
    ['0s', 0],
    ['5', undefined],
    ['5m', undefined],
    ['5S', undefined],
    ['', undefined],
    ['s', undefined],
    ['-5s', undefined],
    ['5s 1h', undefined],
    ['1h 1h', undefined],
    ['5s,', undefined],
    ['0.0001s', undefined],
    ['1e3s', undefined],
    ['99999999999999d', undefined],
    ['5 constructor', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});

test('sizes are read with their units, and PostgreSQL’s units mean 1024', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['512 KiB', 524_288],
    ['512kB', 524_288],
    ['16MB', 16_777_216],
    ['1.5 GiB', 1_610_612_736],
    ['7B', 7],
    ['1TiB', 2 ** 40],
    ['512', undefined],
    ['512k', undefined],
    ['0.3B', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseByteSize(text), expected, text);
});

test('a duration that is written out is read back as itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (value) => {
      assert.equal(parseDuration(formatDurationSetting(value as Milliseconds)), value);
    }),
  );
});

test('whatever is read is a whole number from 0, or nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,4}\.?\d{0,3} ?(ms|s|min|h|d|KiB|MB)?$/)), (text) => {
      for (const value of [parseDuration(text), parseByteSize(text)]) {
        assert.ok(value === undefined || (Number.isSafeInteger(value) && value >= 0));
      }
    }),
  );
});
