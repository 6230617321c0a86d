import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { LostRelation, TransactionFound } from './describe.ts';
import { byHarm, isWanted, type Wanted, Worst } from './rank.ts';

const label = (name: string) => ({
  database: 'water',
  database_oid: 5,
  schema: 'public',
  name,
  kind: 'table' as const,
  oid: 1,
  file: null,
});

const lost = (name: string, rows: number | null): LostRelation => ({ ...label(name), rows_before: rows });

const found = (xid: number, what: Partial<TransactionFound> = {}): TransactionFound => ({
  xid: String(xid),
  committed_at: `2026-11-23T14:00:0${xid % 10}.000000Z`,
  commit_lsn: '0/1',
  end_lsn: '0/2',
  whole: true,
  prepared: false,
  inserts: 0,
  updates: 0,
  deletes: 0,
  tables: [],
  dropped: [],
  truncated: [],
  rewritten: [],
  removed_files: [],
  created: [],
  altered: [],
  databases_dropped: [],
  databases_created: [],
  other_definitions: false,
  ...what,
});

const rowsOf = (name: string, inserts: number, updates: number, deletes: number): Partial<TransactionFound> => ({
  inserts,
  updates,
  deletes,
  tables: [{ ...label(name), inserts, updates, deletes }],
});

test('the most destructive comes first: what may be everything, then rows that are gone, then rows changed', () => {
  const order = [
    found(1, { databases_dropped: ['water'] }),
    found(2, { truncated: [lost('never counted', null)] }),
    found(3, { ...rowsOf('sensor', 0, 0, 10), dropped: [lost('counted', 500)] }),
    found(4, rowsOf('sensor', 0, 0, 300)),
    found(5, { truncated: [lost('empty', 0)] }),
    found(6, rowsOf('sensor', 0, 9000, 0)),
    found(7, rowsOf('sensor', 100, 0, 0)),
    found(8, rowsOf('sensor', 5, 0, 0)),
    found(9, rowsOf('sensor', 5, 0, 0)),
  ];
  assert.deepEqual(
    order
      .toReversed()
      .toSorted(byHarm)
      .map(({ xid }) => xid),
    order.map(({ xid }) => xid),
  );
});

test('of many the worst are kept, and the others counted', () => {
  const worst = new Worst(3);
  for (let n = 1; n <= 100; n++) worst.add(found(n, rowsOf('sensor', 0, 0, (n * 37) % 101)));
  assert.deepEqual(
    worst.take().map(({ deletes }) => deletes),
    [100, 99, 98],
  );
  assert.equal(worst.leftOut, 97);
});

suite('a transaction is wanted', () => {
  const deleted = found(1, rowsOf('sensor', 3, 0, 40));
  const cases: readonly (readonly [what: string, transaction: TransactionFound, wanted: Wanted, is: boolean])[] = [
    ['where nothing is asked, when it did anything', deleted, {}, true],
    ['never when it did nothing', found(2), {}, false],
    ['by a kind that it did', deleted, { kinds: ['delete'] }, true],
    ['not by one that it did not', deleted, { kinds: ['truncate', 'update'] }, false],
    ['by enough rows', deleted, { minimumRows: 40 }, true],
    ['not by too few', deleted, { minimumRows: 41 }, false],
    ['not by too few of the kind that is asked for', deleted, { kinds: ['insert'], minimumRows: 4 }, false],
    ['by its table', deleted, { table: 'public.sensor' }, true],
    ['by the name of its table alone', deleted, { table: 'sensor' }, true],
    ['not by another table', deleted, { table: 'public.pump' }, false],
    [
      'by rows of the table alone',
      found(3, { ...rowsOf('sensor', 0, 0, 5), deletes: 500 }),
      { table: 'sensor', minimumRows: 6 },
      false,
    ],
    [
      'by a dropped table that nobody counted, whatever its rows',
      found(4, { dropped: [lost('pump', null)] }),
      { minimumRows: 1e9 },
      true,
    ],
    [
      'by a truncated table with enough rows',
      found(5, { truncated: [lost('pump', 70)] }),
      { kinds: ['truncate'], minimumRows: 70 },
      true,
    ],
    ['not by a truncated table with too few', found(5, { truncated: [lost('pump', 70)] }), { minimumRows: 71 }, false],
    ['by a dropped database', found(6, { databases_dropped: ['water'] }), { kinds: ['drop'], minimumRows: 5 }, true],
    [
      'not by a dropped database where a table is asked for',
      found(6, { databases_dropped: ['water'] }),
      { table: 'sensor' },
      false,
    ],
    [
      'by a file that has no name, by its number',
      found(7, { removed_files: [{ ...label(''), name: null, oid: null, file: 16400 }] }),
      { table: '16400', kinds: ['drop'] },
      true,
    ],
    ['by another definition', found(8, { other_definitions: true }), { kinds: ['alter'] }, true],
  ];
  for (const [what, transaction, wanted, is] of cases) {
    test(what, () => assert.equal(isWanted(transaction, wanted), is));
  }
});
