// `investigate`: what the WAL did between two moments.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

/** A relation as far as it is known: by name and oid, or else by the number of its file. */
export const relationLabelDocument = z.object({
  database: z.string().nullable(),
  database_oid: count,
  schema: z.string().nullable(),
  name: z.string().nullable(),
  kind: z
    .enum(['table', 'partitioned table', 'materialized view', 'foreign table', 'view', 'sequence', 'index'])
    .nullable(),
  oid: count.nullable(),
  file: count.nullable(),
});

/** An update that moved a row to another partition counts as an update of the one it left and an insert into the other. */
const tableRowsDocument = relationLabelDocument.extend({
  inserts: z.int(),
  updates: z.int(),
  deletes: z.int(),
});

const lostRelationDocument = relationLabelDocument.extend({
  /** As far as VACUUM and ANALYZE knew; null where neither ran. */
  rows_before: count.nullable(),
});

export const foundTransactionDocument = z.object({
  /** The lower 32 bits, as in the WAL and as `restore --xid` takes it. */
  xid: z.string().regex(/^\d+$/),
  committed_at: time,
  /** Where its commit record begins: `restore --lsn … --exclusive` stops there. */
  commit_lsn: lsn,
  end_lsn: lsn,
  /** False where it may have begun before what was read: then it did at least this. */
  whole: z.boolean(),
  /** Ended by COMMIT PREPARED. */
  prepared: z.boolean(),
  inserts: z.int(),
  updates: z.int(),
  deletes: z.int(),
  tables: z.array(tableRowsDocument),
  dropped: z.array(lostRelationDocument),
  truncated: z.array(lostRelationDocument),
  /** VACUUM FULL, CLUSTER, REFRESH, or ALTER TABLE that writes the table anew: no row is lost. */
  rewritten: z.array(relationLabelDocument),
  /** Their files were removed, and nothing tells whether they were dropped, truncated or rewritten. */
  removed_files: z.array(relationLabelDocument),
  created: z.array(relationLabelDocument),
  altered: z.array(relationLabelDocument),
  databases_dropped: z.array(z.string()),
  databases_created: z.array(z.string()),
  /** It changed catalogs, and no relation: a function, a type, a role. */
  other_definitions: z.boolean(),
});

export const investigationDocument = z.object({
  cluster: z.string(),
  system_identifier: z.string().regex(/^\d+$/),
  timeline: z.int().positive(),
  from: time,
  /** Null for the end of the WAL. */
  to: time.nullable(),
  read: z.object({
    from_lsn: lsn,
    to_lsn: lsn,
    bytes: count,
    records: count,
    seconds,
    /** Records that are not what their heads say, such as an extension's own: passed over. */
    undecoded: count,
  }),
  /** Whether the repository has the WAL of the first moment. */
  covers_from: z.boolean(),
  /** When the server sent the last WAL there is. */
  wal_until: time.nullable(),
  /** Of all commits that were read, some before and behind the two moments. */
  first_commit_at: time.nullable(),
  last_commit_at: time.nullable(),
  /** Where WAL is missing or damaged in what was read. */
  breaks: z.array(z.object({ from_lsn: lsn, to_lsn: lsn.nullable(), why: z.string() })),
  names: z.object({
    /** Whose catalogs the names are from, as the WAL changed them; null where there is no backup. */
    backup: z.string().nullable(),
    /** WAL before the stretch that was gone through for names. */
    searched_bytes: count,
    /** Files that have no name even so. */
    unknown: count,
  }),
  transactions: z.object({
    committed: count,
    /** Transactions and savepoints. */
    rolled_back: count,
    /** They wrote, and their end is not in what was read. */
    unfinished: count,
    told: count,
    /** They fit what was asked, and are less destructive than those told. */
    left_out: count,
  }),
  /** Of all transactions between the two moments, whatever was asked; a thousand tables at most. */
  tables: z.array(tableRowsDocument.extend({ transactions: count })),
  /** The most destructive first. */
  found: z.array(foundTransactionDocument),
});

export type InvestigationDocument = Immutable<z.infer<typeof investigationDocument>>;
export type FoundTransaction = Immutable<z.infer<typeof foundTransactionDocument>>;
export type RelationLabelDocument = Immutable<z.infer<typeof relationLabelDocument>>;
