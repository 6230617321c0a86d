import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tablesBegun } from './restore.ts';

// What two processes wrote at once to one stderr, as it arrived.
const told: readonly (readonly [said: string, tables: number])[] = [
  ['pg_restore: processing data for table "public.a"\n', 1],
  ['pg_restore: launching item 3412 TABLE DATA a\npg_restore: finished item 3412 TABLE DATA a\n', 0],
  ['pg_restore: pg_restore: processing data for table "public.a"\nprocessing data for table "public.b"\n', 2],
  ['pg_restore:pg_restore:  processing data for table "public.a"\n processing data for table "public.b"\n', 2],
  ['pg_restore: processing data for table "public.processing data for table of words"\n', 1],
  ['pg_restore: creating TABLE "public.a"\n', 0],
];

for (const [said, tables] of told) {
  test(`${tables} tables are begun in ${JSON.stringify(said)}`, () => {
    const counted = said.split('\n').reduce((sum, line) => sum + tablesBegun(line), 0);
    assert.equal(counted, tables);
  });
}
