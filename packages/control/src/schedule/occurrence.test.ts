import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from '@spillway/contract/schemas';
import fc from 'fast-check';
import { occurrencesOf } from './occurrence.ts';

const between = (pattern: string, zone: string, from: string, to: string): string[] => {
  const occurrences = occurrencesOf(pattern, zone);
  const found: string[] = [];
  for (let at = occurrences.after(Date.parse(from) - 1); at !== undefined && at <= Date.parse(to); ) {
    found.push(new Date(at).toISOString().slice(0, 16));
    at = occurrences.after(at);
  }
  return found;
};

test('a day that lacks the hour runs once after the gap, a day that has it twice runs once', () => {
  // Berlin, 29 March 2026: 02:00 is 03:00. 25 October 2026: 03:00 is 02:00 again.
  assert.deepEqual(between('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', '2026-03-31T00:00Z'), [
    '2026-03-28T01:30',
    '2026-03-29T01:00',
    '2026-03-30T00:30',
  ]);
  assert.deepEqual(between('30 2 * * *', 'Europe/Berlin', '2026-10-24T00:00Z', '2026-10-27T00:00Z'), [
    '2026-10-24T00:30',
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ]);
  // Lord Howe moves by half an hour, Sao Paulo has no such days any more.
  assert.equal(between('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T12:00Z', '2026-10-05T12:00Z').length, 3);
  assert.deepEqual(between('0 0 * * *', 'America/Sao_Paulo', '2026-10-31T00:00Z', '2026-11-02T00:00Z'), [
    '2026-10-31T03:00',
    '2026-11-01T03:00',
  ]);
});

test('what runs every hour runs as often as hours pass, also on the days with 23 and 25 of them', () => {
  const runs = (from: string, to: string): number => between('0 * * * *', 'Europe/Berlin', from, to).length;
  assert.equal(runs('2026-03-28T23:00Z', '2026-03-29T21:59Z'), 23);
  assert.equal(runs('2026-10-24T22:00Z', '2026-10-25T22:59Z'), 25);
});

test('the plan’s schedules come when the plan says, where it says', () => {
  const zone = 'Africa/Johannesburg';
  const pattern = (text: string): string => parseSchedule(text) ?? '';
  assert.deepEqual(between(pattern('daily'), zone, '2026-11-01T00:00Z', '2026-11-01T23:59Z'), ['2026-11-01T00:00']);
  assert.equal(between('0 */4 * * *', zone, '2026-11-01T00:00Z', '2026-11-01T23:59Z').length, 6);
  assert.deepEqual(between(pattern('first Monday 06:00'), zone, '2026-11-01T00:00Z', '2027-02-01T12:00Z'), [
    '2026-11-02T04:00',
    '2026-12-07T04:00',
    '2027-01-04T04:00',
    '2027-02-01T04:00',
  ]);
  assert.deepEqual(between('0 3 29 2 *', 'UTC', '2026-01-01T00:00Z', '2033-01-01T00:00Z'), [
    '2028-02-29T03:00',
    '2032-02-29T03:00',
  ]);
});

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Johannesburg',
];
const number = (least: number, most: number) => fc.integer({ min: least, max: most });
const pattern = fc
  .tuple(
    fc.oneof(number(0, 59).map(String), fc.constantFrom('*/5', '*/20', '0,30')),
    fc.oneof(number(0, 23).map(String), fc.constantFrom('*', '*/4', '1-3')),
    fc.constantFrom('*', '1', '15', '28'),
    fc.constantFrom('*', '3', '10', 'jan-jun'),
    fc.constantFrom('*', '0', '1#1', 'mon-fri', '5#l'),
  )
  .map((fields) => fields.join(' '));
const instant = fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2028-01-01') });

test('a daily time comes once on every local day, in every zone', () => {
  fc.assert(
    fc.property(number(0, 59), number(0, 23), fc.constantFrom(...zones), instant, (minute, hour, zone, from) => {
      const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
      const occurrences = occurrencesOf(`${minute} ${hour} * * *`, zone);
      let at = from;
      let before = '';
      for (let run = 0; run < 40; run++) {
        const next = occurrences.after(at);
        assert.ok(next !== undefined && next > at);
        const date = day.format(next);
        assert.notEqual(date, before);
        if (run > 0)
          assert.ok(next - at <= 25 * 3_600_000, `${new Date(at).toISOString()} ${new Date(next).toISOString()}`);
        [at, before] = [next, date];
      }
    }),
    { numRuns: 60 },
  );
});

test('looking back finds what looking forward gives, and counts the same moments', () => {
  fc.assert(
    fc.property(pattern, fc.constantFrom(...zones), instant, number(0, 90 * 24), (text, zone, now, hours) => {
      assert.equal(parseSchedule(text), text);
      const occurrences = occurrencesOf(text, zone);
      const from = now - hours * 3_600_000;
      const all: number[] = [];
      for (
        let at = occurrences.after(from);
        at !== undefined && at <= now && all.length < 2000;
        at = occurrences.after(at)
      ) {
        all.push(at);
      }
      const newest = occurrences.newest(now, from + 1);
      if (all.length < 2000) assert.equal(newest, all.at(-1));
      else {
        // Too many to walk over: it is a moment, and the next one has not come.
        assert.ok(newest !== undefined && newest <= now);
        assert.equal(occurrences.after(newest - 1), newest);
        assert.ok((occurrences.after(newest) ?? Number.POSITIVE_INFINITY) > now);
      }
      assert.equal(occurrences.count(from, now), Math.min(all.length, 1000));
    }),
    { numRuns: 60 },
  );
});

test('what never comes is never due', () => {
  const occurrences = occurrencesOf('0 0 30 2 *', 'UTC');
  assert.equal(occurrences.after(Date.parse('2026-01-01')), undefined);
  assert.equal(occurrences.newest(Date.parse('2026-01-01'), 0), undefined);
});
