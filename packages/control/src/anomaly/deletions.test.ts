import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '@spillway/engine';
import fc from 'fast-check';
import { type DeletionLook, signsOfDeletion } from './deleted-rows.ts';
import { relationBytes, signsOfShrinking } from './shrunk-files.ts';

const MIB = 2 ** 20;
const SINCE = '2026-11-01T00:00:00.000Z';
const look = (hour: number, deleted: number, since: string | null = SINCE): DeletionLook => ({
  at: new Date(Date.UTC(2026, 10, 20) + hour * 3_600_000).toISOString(),
  deleted_rows: deleted,
  statistics_since: since,
});

test('rows deleted an hour, against the looks before', () => {
  const steady = [look(0, 0), look(24, 24_000), look(48, 50_000), look(72, 75_000)];
  const cases: readonly (readonly [name: string, looks: readonly DeletionLook[], signs: number])[] = [
    ['as usual', [...steady, look(96, 100_000)], 0],
    ['a mass deletion', [...steady, look(73, 575_000)], 1],
    [
      'few rows in an hour where there are none else',
      [look(0, 0), look(1, 0), look(2, 0), look(3, 0), look(4, 9_000)],
      0,
    ],
    ['many where there are none else', [look(0, 0), look(1, 0), look(2, 0), look(3, 0), look(4, 20_000)], 1],
    ['too few looks', [look(0, 0), look(24, 24_000), look(25, 900_000)], 0],
    ['the counters began anew', [...steady, look(73, 900_000, '2026-11-23T00:00:00.000Z')], 0],
    ['the counters were lost', [...steady, look(73, 10)], 0],
    ['one look', [look(0, 0)], 0],
  ];
  for (const [name, looks, signs] of cases) assert.equal(signsOfDeletion(looks).length, signs, name);
});

test('steady deletion raises nothing, however often it is looked at', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          hours: fc.double({ min: 0.1, max: 48, noNaN: true }),
          swing: fc.double({ min: 1, max: 5, noNaN: true }),
        }),
        {
          minLength: 2,
          maxLength: 20,
        },
      ),
      fc.integer({ min: 0, max: 1e7 }),
      (steps, rate) => {
        let [hour, deleted] = [0, 0];
        const looks = [look(0, 0)];
        for (const { hours, swing } of steps) {
          deleted += Math.round(rate * hours * swing);
          looks.push(look((hour += hours), deleted));
        }
        assert.deepEqual(signsOfDeletion(looks), []);
      },
    ),
  );
});

const file = (path: string, mebibytes: number, tablespace?: number): Entry => ({
  kind: 'file',
  path,
  ...(tablespace === undefined ? {} : { tablespace }),
  mode: 0o600,
  uid: 1,
  gid: 1,
  bytes: mebibytes * MIB,
  mtime: '0',
  ctime: '0',
  inode: '1',
});

test('the files of a database that became much smaller, whatever they are called now', () => {
  const before = [
    file('base/5/100', 60),
    file('base/5/100.1', 30),
    file('PG_18_202506291/5/7', 10, 16_400),
    file('base/6/1', 50),
    file('pg_wal/x', 900),
  ];
  const cases: readonly (readonly [name: string, after: readonly Entry[], signs: readonly string[]])[] = [
    ['nothing', before, []],
    ['rewritten under another name', [file('base/5/900', 95), file('base/6/1', 50)], []],
    ['one table of several', [file('base/5/100', 60), file('base/6/1', 50)], ['warning water 40']],
    ['nearly all', [file('base/5/100', 1), file('base/6/1', 50)], ['alarm water 99']],
    ['the database', [file('base/6/1', 50)], ['alarm water 100']],
  ];
  const names = new Map([['5', 'water']]);
  const of = (id: string, entries: readonly Entry[]) => ({ id, bytes: relationBytes(entries), names });
  for (const [name, after, signs] of cases) {
    const found = signsOfShrinking(of('a', before), of('b', after));
    assert.deepEqual(
      found.map(({ severity, message, figures }) => {
        const gone = Number(figures['bytes_before']) - Number(figures['bytes_after']);
        return `${severity} ${/water/.exec(message)?.[0]} ${gone / MIB}`;
      }),
      signs,
      name,
    );
  }
});
