// Restoring: the plan, what was laid down, and the recovery.

import * as z from 'zod';
import { backupDocument } from './backup.ts';
import { count, type Immutable, lsn, seconds, time } from './form.ts';
import { lossDocument } from './status.ts';

/** `restore --dry-run`, and `plan` in the document of `restore`. */
export const restorePlanDocument = z.object({
  cluster: z.string(),
  /** Laid anew, a data directory compared and mended (--delta), or an unfinished restore gone on with. */
  mode: z.enum(['fresh', 'delta', 'resume']),
  backup: backupDocument,
  target: z.object({
    kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']),
    value: z.string().nullable(),
  }),
  /** Whether it stops just before the target. */
  exclusive: z.boolean(),
  /** What the server does at the target. */
  action: z.enum(['promote', 'pause', 'shutdown']),
  standby: z.boolean(),
  timeline: z.int().positive(),
  directory: z.string(),
  tablespaces: z.array(
    z.object({
      oid: z.int().positive(),
      /** Null for backups that did not keep it. */
      name: z.string().nullable(),
      old_path: z.string(),
      path: z.string(),
      bytes: count,
      free_bytes: count,
    }),
  ),
  /** Where pg_wal stands instead of inside the data directory. */
  wal_directory: z.string().nullable(),
  /** With --database: whose files are fetched, and whose are left as empty shells. */
  databases: z.object({ restored: z.array(z.string()), left_empty: z.array(z.string()) }).nullable(),
  files: count,
  bytes: count,
  /** At most so much where files are yet to be compared. */
  fetch_bytes: count,
  /** Of a folder that holds files already. */
  changes: z
    .object({
      kept_files: count,
      new_files: count,
      /** Files, folders and links that go, each folder counted once. */
      removed: count,
      /** With --dry-run the files that stay are compared; else that is done when the restore begins. */
      compared: z.boolean(),
      different_bytes: count.nullable(),
    })
    .nullable(),
  wal_segments: count,
  wal_bytes: count,
  wal_from_lsn: lsn,
  wal_to_lsn: lsn,
  free_bytes: count,
  needed_bytes: count,
  expected_seconds: seconds.nullable(),
  /** Where that number comes from. */
  expected_from: z.string().nullable(),
  recovers_to: z.string().nullable(),
  signal_file: z.string(),
  /** Written to postgresql.auto.conf, and taken out again when the recovery is over. */
  settings: z.record(z.string(), z.string()),
  /** Written there to stay. */
  lasting_settings: z.record(z.string(), z.string()),
  /** Settings of the backed up postgresql.auto.conf that are left out. */
  dropped_settings: z.array(z.string()),
  notes: z.array(z.string()),
});

export const restoreSummaryDocument = z.object({
  directory: z.string(),
  /** The place of the repository that was read. */
  source: z.string(),
  /** Objects that this place could not give, and the one that did. */
  detours: z.array(
    z.object({
      object: z.string(),
      problem: z.enum(['missing', 'damaged', 'unreachable']),
      place: z.string(),
      instead: z.string(),
    }),
  ),
  backup: z.string(),
  files: count,
  bytes: count,
  fetched_bytes: count,
  written_bytes: count,
  duration_seconds: seconds,
  bytes_per_second: z.number().nonnegative(),
});

export const recoverySummaryDocument = z.object({
  /** `running` takes writes; `paused` and `shut down` at the target; `standby` follows its primary. */
  state: z.enum(['running', 'paused', 'shut down', 'standby']),
  /** For a standby: whether it receives WAL from its primary. */
  streaming: z.boolean().nullable(),
  started_at: time,
  finished_at: time,
  recovery_seconds: seconds,
  recovered_to_lsn: lsn.nullable(),
  /** Commit time of the last transaction replayed; null where none was. */
  recovered_to_time: z.string().nullable(),
  timeline: z.int().positive(),
  port: z.int().positive(),
  /** Null where it has shut down. */
  pid: z.int().positive().nullable(),
  host: z.string(),
  log_file: z.string(),
});

/** `restore`. `recovery` is null unless --start was given. */
export const restoreDocument = z.object({
  plan: restorePlanDocument,
  restore: restoreSummaryDocument,
  recovery: recoverySummaryDocument.nullable(),
  /** What was lost; null unless --start was given. */
  loss: lossDocument.nullable(),
  total_seconds: seconds,
});

export type RestorePlan = Immutable<z.infer<typeof restorePlanDocument>>;
export type RestoreSummary = Immutable<z.infer<typeof restoreSummaryDocument>>;
export type RecoverySummary = Immutable<z.infer<typeof recoverySummaryDocument>>;
export type RestoreDocument = Immutable<z.infer<typeof restoreDocument>>;
