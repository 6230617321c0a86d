import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { findTable } from './find.ts';
import { parseTableName } from './name.ts';
import type { FoundName } from './relation.ts';

const named = (text: string, oid: number, kind = 'r'): FoundName => {
  const [schema = '', name = ''] = text.split('.');
  return { schema, name, oid: String(oid), kind };
};
const around = (moment: readonly FoundName[], live?: readonly FoundName[]) => ({
  moment,
  live,
  database: 'water',
  told: 'time 2026-11-28T14:30:00+00:00',
});
const find = (text: string, moment: readonly FoundName[], live?: readonly FoundName[]): string => {
  const found = findTable(parseTableName(text), around(moment, live));
  return `${found.moment.schema}.${found.moment.name} > ${found.live === undefined ? '-' : `${found.live.schema}.${found.live.name}`}`;
};

test('a table is found at the moment and now, also where it was renamed or moved in between', () => {
  const sensor = named('public.sensor', 1);
  assert.equal(find('sensor', [sensor], [sensor]), 'public.sensor > public.sensor');
  assert.equal(find('public.sensor', [sensor], []), 'public.sensor > -');
  assert.equal(find('sensor', [sensor]), 'public.sensor > -');
  assert.equal(find('sensor', [sensor], [named('public.sensors', 1)]), 'public.sensor > public.sensors');
  assert.equal(find('sensors', [sensor], [named('public.sensors', 1)]), 'public.sensor > public.sensors');
  assert.equal(find('attic.sensor', [sensor], [named('attic.sensor', 1)]), 'public.sensor > attic.sensor');
  // Dropped and made again: another table, of the name that was asked for.
  assert.equal(find('sensor', [sensor], [named('public.sensor', 9)]), 'public.sensor > public.sensor');
  // Another has its name now, and it has another: the name counts.
  const swapped = [named('public.sensor', 9), named('public.sensor_old', 1)];
  assert.equal(find('sensor', [sensor], swapped), 'public.sensor > public.sensor');
});

test('without a schema the one in public is meant, or the only one', () => {
  const both = [named('archive.sensor', 2), named('public.sensor', 1)];
  assert.equal(find('sensor', both), 'public.sensor > -');
  assert.equal(find('sensor', [named('archive.sensor', 2)]), 'archive.sensor > -');
  assert.throws(
    () => find('sensor', [named('archive.sensor', 2), named('attic.sensor', 3)]),
    (error) => isSpillwayError(error, 'SPW_USAGE') && /archive\.sensor, attic\.sensor/.test(error.why ?? ''),
  );
});

test('a table that was not there is told with what was, and with what is known of it', () => {
  const sensor = named('public.sensor', 1);
  const cases: readonly (readonly [text: string, moment: FoundName[], live: FoundName[] | undefined, said: RegExp])[] =
    [
      [
        'public.sensr',
        [sensor],
        [],
        /water had public\.sensor then; there is none of that name now either.*did you mean --table public\.sensor\?/,
      ],
      ['sensr', [sensor], undefined, /water had public\.sensor then \(did you mean --table public\.sensor\?/],
      ['sensor', [named('public.Sensor', 1)], [], /did you mean --table 'public\."Sensor"'\?/],
      ['other.sensor', [sensor], [], /did you mean --table public\.sensor\?/],
      [
        'pump',
        [sensor],
        [named('public.pump', 7)],
        /it is there now, so it was made after that moment \(name a later moment/,
      ],
      ['pump', [], [], /water had no tables then/],
      ['pump', Array.from({ length: 11 }, (_, index) => named(`public.t${index}`, index)), [], / and 3 more then/],
    ];
  for (const [text, moment, live, said] of cases) {
    assert.throws(
      () => find(text, moment, live),
      (error) =>
        isSpillwayError(error, 'SPW_TABLE_UNKNOWN') &&
        error.message === `there was no table ${text} at time 2026-11-28T14:30:00+00:00` &&
        said.test(`${error.why} (${error.hint})`),
      text,
    );
  }
});
