// One table back, or several: what was there, what differs, and where the rows are now.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

const tableName = z.object({ schema: z.string(), name: z.string() });

/** How the live rows differ from those of the moment. */
export const tableDifferenceDocument = z.object({
  /** Columns by which rows were matched; empty where whole rows were compared. */
  key: z.array(z.string()),
  /** Rows of the moment. */
  moment: count,
  same: count,
  /** In the live table and not in that of the moment. */
  added: count,
  changed: count,
  /** In that of the moment and not in the live table. */
  missing: count,
  /** In how many of the changed rows each column differs. */
  changed_columns: z.array(z.object({ name: z.string(), rows: count })),
  /** A few of each, by their keys, or as wholes. */
  samples: z.object({ added: z.array(z.string()), changed: z.array(z.string()), missing: z.array(z.string()) }),
});

export const restoredTableDocument = z.object({
  schema: z.string(),
  name: z.string(),
  /** As SQL writes it, with quotes where it needs them. */
  shown: z.string(),
  /** Like the live table; defined anew as it is gone; the live table's contents exchanged; into a file. */
  way: z.enum(['like', 'define', 'contents', 'file']),
  /** Whether it is in the live database; null where that was not asked. */
  is_live: z.boolean().nullable(),
  /** Rows of the moment; null where they were not counted. */
  rows: count.nullable(),
  /** How they travelled. */
  format: z.enum(['binary', 'text']).nullable(),
  /** Where they are now; null for a file. */
  into: tableName.nullable(),
  /** Where the rows are that a swap took away; null where it took none. */
  kept: tableName.extend({ rows: count }).nullable(),
  difference: tableDifferenceDocument.nullable(),
  /** What stands or falls with the table. */
  depends: z.array(
    z.object({
      kind: z.enum([
        'view',
        'materialized view',
        'partition',
        'partition of',
        'child',
        'parent',
        'publication',
        'policy',
        'trigger',
        'sequence',
        'foreign key',
      ]),
      name: z.string(),
      definition: z.string().nullable(),
    }),
  ),
  notes: z.array(z.string()),
});

/** `restore --table`. With --dry-run nothing was put anywhere, and `difference` tells what would be. */
export const tableRestoreDocument = z.object({
  cluster: z.string(),
  database: z.string(),
  how: z.enum(['beside', 'swap', 'file']),
  dry_run: z.boolean(),
  target: z.object({
    kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']),
    value: z.string().nullable(),
  }),
  recovered_to_lsn: lsn.nullable(),
  recovered_to_time: z.string().nullable(),
  backup: z.string(),
  /** In the order in which they were done: those that others point at first. */
  tables: z.array(restoredTableDocument),
  file: z.object({ path: z.string(), format: z.enum(['csv', 'sql', 'custom']), bytes: count }).nullable(),
  phases: z.array(
    z.object({
      name: z.string(),
      started_at: time,
      finished_at: time,
      seconds,
      rows: count.nullable(),
      bytes: count.nullable(),
    }),
  ),
  total_seconds: seconds,
  /** The id of its record; null where none was left. */
  evidence: z.string().nullable(),
});

export type RestoredTable = Immutable<z.infer<typeof restoredTableDocument>>;
export type TableDifference = Immutable<z.infer<typeof tableDifferenceDocument>>;
export type TableRestoreDocument = Immutable<z.infer<typeof tableRestoreDocument>>;
