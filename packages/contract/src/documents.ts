// The documents that commands print with --json: a contract with programs.
//
// 1. Keys are snake_case; units stand at the end (`_seconds`, `_bytes`); times are RFC 3339 in UTC; sizes are numbers.
// 2. New fields may be added; what is there keeps its name, type and meaning.
// 3. LSNs and transaction ids are text, because they do not fit a JSON number.

import { z } from 'zod';

const time = z.iso.datetime();
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

/** `backup`, `show`, and each element of `backups`. */
export const backupDocument = z.object({
  /** Time and random: `20261123T181500Z-1a2b3c4d`. */
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  cluster: z.string(),
  type: z.enum(['full', 'incremental']),
  source: z.enum(['local']),
  started_at: time,
  finished_at: time,
  duration_seconds: seconds,
  system_identifier: z.string().regex(/^\d+$/),
  /** `server_version_num`. */
  postgres_version: z.int().positive(),
  timeline: z.int().positive(),
  start_lsn: lsn,
  stop_lsn: lsn,
  wal_segment_bytes: count,
  block_bytes: count,
  catalog_version: count,
  checksums: z.boolean(),
  files: count,
  /** Logical size of the backup. */
  bytes: count,
  /** What was read from the cluster. */
  read_bytes: count,
  /** Logical bytes in chunks that the repository did not hold yet. */
  new_bytes: count,
  /** What was written to the repository, compressed and encrypted. */
  stored_bytes: count,
  chunks: count,
  new_chunks: count,
  damaged_pages: z.array(z.object({ file: z.string(), block: count })),
  tablespaces: z.array(z.object({ oid: z.int().positive(), path: z.string(), bytes: count })),
});

export const walGapDocument = z.object({ timeline: z.int().positive(), from_lsn: lsn, to_lsn: lsn });

export const recoveryWindowDocument = z.object({
  earliest_at: time.nullable(),
  latest_at: time.nullable(),
  earliest_lsn: lsn.nullable(),
  latest_lsn: lsn.nullable(),
  latest_timeline: z.int().positive().nullable(),
  gaps: z.array(walGapDocument),
});

/** `backups`. */
export const backupsDocument = z.object({
  cluster: z.string(),
  recovery_window: recoveryWindowDocument,
  /** Oldest first. `wal_complete` is false where WAL that the backup needs is missing: it cannot be restored. */
  backups: z.array(backupDocument.extend({ wal_complete: z.boolean() })),
});

/** `wal receive`, when it was stopped. */
export const receiveDocument = z.object({
  timeline: z.int().positive(),
  durable_lsn: lsn,
  segments: count,
  pieces: count,
  bytes: count,
  stored_bytes: count,
});

/** `wal check`. */
export const walReportDocument = z.object({
  timelines: z.array(
    z.object({
      system_identifier: z.string().regex(/^\d+$/),
      timeline: z.int().positive(),
      first_lsn: lsn,
      last_lsn: lsn,
      segments: count,
      pieces: count,
      stored_bytes: count,
      last_at: time.nullable(),
    }),
  ),
  gaps: z.array(walGapDocument),
  backups_without_wal: z.array(z.string()),
});

/** `wal fetch`, when the file was fetched. */
export const walFetchDocument = z.object({ file: z.string(), destination: z.string() });

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

/** `init`: the only place where the recovery key is ever shown. */
export const initDocument = z.object({
  repository_id: z.string(),
  path: z.string(),
  recovery_key: z.string(),
});

const probeStatus = z.enum(['ok', 'warning', 'failed']);

export const probeDocument = z.object({
  name: z.string(),
  status: probeStatus,
  message: z.string(),
  hint: z.string().optional(),
});

/** `check`. `status` is the worst of the probes'. */
export const checkDocument = z.object({ status: probeStatus, probes: z.array(probeDocument) });

/** `explain`. */
export const explainDocument = z.object({
  code: z.string(),
  meaning: z.string(),
  hint: z.string(),
  exit_code: count,
  retryable: z.boolean(),
});

/** `config check`. */
export const configCheckDocument = z.object({
  file: z.string().nullable(),
  valid: z.literal(true),
  clusters: z.array(z.string()),
});

/** `config show`: every setting in force and where it came from. Secrets appear as their sources alone. */
export const configShowDocument = z.object({
  file: z.string().nullable(),
  settings: z.array(
    z.object({
      path: z.string(),
      value: z.union([z.string(), z.number()]),
      /** `default`, a file and line, a variable's name, or a flag. */
      origin: z.string(),
    }),
  ),
});

/** What any command prints with --json when it fails. */
export const errorDocument = z.object({
  type: z.literal('error'),
  code: z.string().regex(/^SPW_[A-Z_]+$/),
  message: z.string(),
  why: z.string().nullable(),
  hint: z.string(),
  exit_code: z.int().positive(),
});

type Immutable<T> = T extends readonly (infer Element)[]
  ? readonly Immutable<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

export type BackupSummary = Immutable<z.infer<typeof backupDocument>>;
export type WalGap = Immutable<z.infer<typeof walGapDocument>>;
export type RecoveryWindow = Immutable<z.infer<typeof recoveryWindowDocument>>;
export type ReceiveSummary = Immutable<z.infer<typeof receiveDocument>>;
export type WalReport = Immutable<z.infer<typeof walReportDocument>>;
export type RestorePlan = Immutable<z.infer<typeof restorePlanDocument>>;
export type RestoreSummary = Immutable<z.infer<typeof restoreSummaryDocument>>;
export type RecoverySummary = Immutable<z.infer<typeof recoverySummaryDocument>>;
export type Probe = Immutable<z.infer<typeof probeDocument>>;

export type BackupsDocument = Immutable<z.infer<typeof backupsDocument>>;
export type RestoreDocument = Immutable<z.infer<typeof restoreDocument>>;
export type InitDocument = Immutable<z.infer<typeof initDocument>>;
export type CheckDocument = Immutable<z.infer<typeof checkDocument>>;
export type ExplainDocument = Immutable<z.infer<typeof explainDocument>>;
export type ConfigCheckDocument = Immutable<z.infer<typeof configCheckDocument>>;
export type ConfigShowDocument = Immutable<z.infer<typeof configShowDocument>>;
export type WalFetchDocument = Immutable<z.infer<typeof walFetchDocument>>;
export type ErrorDocument = Immutable<z.infer<typeof errorDocument>>;
