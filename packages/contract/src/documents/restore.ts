// Restoring: the plan, what was laid down, and the recovery.

import { z } from 'zod';
import { backupDocument } from './backup.ts';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

/** `restore --dry-run`, and `plan` in the document of `restore`. */
export const restorePlanDocument = z.object({
  cluster: z.string(),
  backup: backupDocument,
  target: z.object({
    kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']),
    value: z.string().nullable(),
  }),
  /** Whether it stops just before the target. */
  exclusive: z.boolean(),
  timeline: z.int().positive(),
  directory: z.string(),
  files: count,
  bytes: count,
  fetch_bytes: count,
  wal_segments: count,
  wal_bytes: count,
  wal_from_lsn: lsn,
  wal_to_lsn: lsn,
  free_bytes: count,
  needed_bytes: count,
  expected_seconds: seconds.nullable(),
  recovers_to: z.string().nullable(),
  notes: z.array(z.string()),
});

export const restoreSummaryDocument = z.object({
  directory: z.string(),
  backup: z.string(),
  files: count,
  bytes: count,
  fetched_bytes: count,
  duration_seconds: seconds,
  bytes_per_second: z.number().nonnegative(),
});

export const recoverySummaryDocument = z.object({
  started_at: time,
  finished_at: time,
  recovery_seconds: seconds,
  recovered_to_lsn: lsn.nullable(),
  /** Commit time of the last transaction replayed; null where none was. */
  recovered_to_time: z.string().nullable(),
  timeline: z.int().positive(),
  port: z.int().positive(),
  pid: z.int().positive(),
  host: z.string(),
  log_file: z.string(),
});

/** `restore`. `recovery` is null unless --start was given. */
export const restoreDocument = z.object({
  plan: restorePlanDocument,
  restore: restoreSummaryDocument,
  recovery: recoverySummaryDocument.nullable(),
  total_seconds: seconds,
});

export type RestorePlan = Immutable<z.infer<typeof restorePlanDocument>>;
export type RestoreSummary = Immutable<z.infer<typeof restoreSummaryDocument>>;
export type RecoverySummary = Immutable<z.infer<typeof recoverySummaryDocument>>;
export type RestoreDocument = Immutable<z.infer<typeof restoreDocument>>;
