import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileEntry } from '../../format/entry.ts';
import type { ManifestHead } from '../../format/manifest.ts';
import { databaseOf, EVERYTHING, selectDatabases } from './selection.ts';

const HEAD = {
  summary: { id: 'x' },
  databases: [
    { oid: 1, name: 'template1' },
    { oid: 5, name: 'renamed' },
    { oid: 16_384, name: 'water' },
    { oid: 16_385, name: 'Billing' },
    // Dropped and made again: it has a number like any other.
    { oid: 16_500, name: 'postgres' },
  ],
} as unknown as ManifestHead;
const file = (path: string, tablespace?: number): FileEntry =>
  ({ kind: 'file', path, ...(tablespace === undefined ? {} : { tablespace }) }) as FileEntry;

const paths: readonly (readonly [entry: FileEntry, oid: number | undefined])[] = [
  [file('base/16384/1259'), 16_384],
  [file('base/16384/1259_fsm'), 16_384],
  [file('global/1262'), undefined],
  [file('base/pgsql_tmp/16384/1'), undefined],
  [file('PG_15_202209061/16385/2', 7), 16_385],
  [file('PG_15_202209061/16385/2'), undefined],
  [file('base/16384/1', 7), undefined],
];
for (const [entry, oid] of paths) {
  test(`the database of ${entry.path}${entry.tablespace === undefined ? '' : ' in a tablespace'}`, () => {
    assert.equal(databaseOf(entry), oid);
  });
}

test('only files of databases that were not asked for are shells, and not their PG_VERSION', () => {
  const selection = selectDatabases(HEAD, ['water']);
  const { restored, leftEmpty } = selection;
  assert.deepEqual(restored, ['template1', 'renamed', 'water', 'postgres']);
  assert.deepEqual(leftEmpty, ['Billing']);
  const shells = [
    'base/1/1',
    'base/5/1',
    'base/16384/1',
    'base/16385/1',
    'base/16385/PG_VERSION',
    'base/16500/1',
    'base/17000/1',
  ];
  assert.deepEqual(
    shells.filter((path) => selection.isShell(file(path))),
    ['base/16385/1'],
  );
});

test('nothing said is everything; a name that is not there is refused, and an old backup that has no names', () => {
  assert.equal(selectDatabases(HEAD, undefined), EVERYTHING);
  assert.throws(() => selectDatabases(HEAD, ['billing']), { code: 'SPW_USAGE', why: /Billing/ });
  const { databases: _, ...old } = HEAD;
  assert.throws(() => selectDatabases(old, ['water']), {
    code: 'SPW_USAGE',
    why: /before backups kept/,
  });
});
