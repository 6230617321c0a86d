import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RestoredTable, TableRestoreDocument } from '@spillway/contract';
import { renderDifferences, renderTableRestore } from './restore-table.ts';

const none = { added: [], changed: [], missing: [] };
const sensor: RestoredTable = {
  schema: 'public',
  name: 'sensor',
  shown: 'public.sensor',
  way: 'contents',
  is_live: true,
  rows: 2000,
  format: 'binary',
  into: { schema: 'public', name: 'sensor' },
  kept: null,
  difference: {
    key: ['id'],
    moment: 2000,
    same: 1990,
    added: 1,
    changed: 7,
    missing: 3,
    changed_columns: [
      { name: 'state', rows: 7 },
      { name: 'note', rows: 2 },
    ],
    samples: { added: ['2001'], changed: ['1', '2', '3', '4', '5'], missing: ['8', '9', '10'] },
  },
  depends: [{ kind: 'view', name: 'public.open_sensor', definition: null }],
  notes: ['Column note was renamed to remark since.'],
};
const done: TableRestoreDocument = {
  cluster: 'water',
  database: 'water',
  how: 'swap',
  dry_run: false,
  target: { kind: 'immediate', value: null },
  recovered_to_lsn: '0/3000110',
  recovered_to_time: null,
  backup: '20261128T143000Z-1a2b3c4d',
  tables: [sensor],
  file: null,
  phases: [
    {
      name: 'compare',
      started_at: '2026-11-28T14:30:00.000Z',
      finished_at: '2026-11-28T14:30:01.500Z',
      seconds: 1.5,
      rows: null,
      bytes: null,
    },
  ],
  total_seconds: 8.2,
  evidence: '20261128T143009000Z-00112233',
};

test('a difference tells how many rows of which kind, where, and a few of them', () => {
  assert.equal(
    renderDifferences([sensor]),
    `public.sensor: 2 000 rows at that moment, 1 990 of them the same now (matched by id)
                 ROWS  WHICH
  added since       1  2001
  changed since     7  state in 7, note in 2: 1 | 2 | 3 | 4 | 5 | …
  missing now       3  8 | 9 | 10
  view public.open_sensor
note: Column note was renamed to remark since.`,
  );
});

test('a table that is gone, one without a key, and one that is as it was say so', () => {
  const gone = { ...sensor, way: 'define', is_live: false, difference: null, depends: [], notes: [] } as const;
  assert.equal(renderDifferences([gone]), 'public.sensor: 2 000 rows at that moment; it is not in the live database');
  const same = {
    ...sensor,
    depends: [],
    notes: [],
    difference: { key: [], moment: 1, same: 1, added: 0, changed: 0, missing: 0, changed_columns: [], samples: none },
  };
  assert.match(
    renderDifferences([same]),
    /1 of them the same now \(whole rows were compared, as there is no key\)\n {2}nothing differs/,
  );
});

test('what was done says where the rows are, and what is to be done next', () => {
  const kept = { schema: 'public', name: 'sensor_before_20261128t1430', rows: 8 };
  const swapped = renderTableRestore({ ...done, tables: [{ ...sensor, kept }] });
  assert.match(
    swapped,
    /has its 2.000 rows of that moment again; 8 rows that it had instead are kept in public\.sensor_before_/,
  );
  assert.match(swapped, /DROP TABLE public\.sensor_before_20261128t1430/);
  assert.match(swapped, /On record as 20261128T143009000Z-00112233/);
  assert.match(renderTableRestore(done), /has its 2.000 rows of that moment again\n/);
  const same = { ...sensor, difference: { ...(sensor.difference ?? assert.fail()), added: 0, changed: 0, missing: 0 } };
  assert.match(
    renderTableRestore({ ...done, tables: [same] }),
    /nothing differed, nothing was done[^]*Next: spillway backup/,
  );
  const odd = { ...sensor, way: 'like', into: { schema: 'public', name: 'My Table' } } as const;
  const beside = renderTableRestore({ ...done, how: 'beside', tables: [odd] });
  assert.match(beside, /are in public\."My Table"; the live table is as it was[^]*DROP TABLE public\."My Table"/);
  const back = { ...sensor, way: 'define', is_live: false, difference: null } as const;
  const swappedBack = renderTableRestore({ ...done, tables: [back] });
  assert.match(
    swappedBack,
    /was gone; 2.000 rows and its definition are back as public\.sensor[^]*Next: spillway backup/,
  );
  assert.doesNotMatch(swappedBack, /DROP/);
  const asOther = { ...back, into: { schema: 'public', name: 'sensor_then' } };
  const besideGone = renderTableRestore({ ...done, how: 'beside', tables: [asOther] });
  assert.match(besideGone, /ALTER TABLE public\.sensor_then RENAME TO sensor;/);
  const file = { path: '/srv/sensor.csv', format: 'csv', bytes: 2048 } as const;
  const written = renderTableRestore({ ...done, how: 'file', file, tables: [{ ...sensor, way: 'file', into: null }] });
  assert.match(written, /2.000 rows in \/srv\/sensor\.csv, 2 KiB[^]*Next: head \/srv\/sensor\.csv/);
  assert.match(renderTableRestore({ ...done, dry_run: true }), /changed since[^]*Nothing was done \(--dry-run\)/);
});
