// Backups: `backup`, `backups` and `show`.

import * as z from 'zod';
import { placesDocument } from './copy.ts';
import { count, type Immutable, lsn, seconds, time } from './form.ts';
import { recoveryWindowDocument } from './wal.ts';

/** A backup; with more fields `backup`, `show` and each element of `backups`. */
export const backupDocument = z.object({
  /** Time and random: `20261123T181500Z-1a2b3c4d`. */
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  cluster: z.string(),
  type: z.enum(['full', 'incremental']),
  /** Read beside the data directory, or over the replication protocol. */
  source: z.enum(['local', 'stream']),
  taken_from: z.enum(['primary', 'standby']),
  /** How what was not read was known to be unchanged; null where everything was read. */
  unchanged_by: z.enum(['wal-summaries', 'times']).nullable(),
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
  /** Taken over from the backup before without being read; null in the first backups, which did not count them. */
  unchanged_chunks: count.nullable(),
  /** The first thousand. */
  damaged_pages: z.array(z.object({ file: z.string(), block: count })),
  damaged_page_count: count,
  tablespaces: z.array(z.object({ oid: z.int().positive(), path: z.string(), bytes: count })),
});

/** `backup`. */
export const madeBackupDocument = backupDocument.extend({ places: placesDocument });

/** What the evidence in the repository says of a backup, and whether it is on hold. */
const provenance = {
  legal_hold: z.string().nullable().describe('why it is on legal hold; null where it is not'),
  /** When it was last shown that all its data can be had; null where it never was, or something failed since. */
  proven_at: time.nullable(),
  /** The newest result; null where there is none. */
  verification: z.enum(['passed', 'failed']).nullable(),
};

/** `show`. */
export const shownBackupDocument = backupDocument.extend(provenance);

/** `backups`. */
export const backupsDocument = z.object({
  cluster: z.string(),
  recovery_window: recoveryWindowDocument,
  /** Oldest first. `wal_complete` is false where WAL that the backup needs is missing: it cannot be restored. */
  backups: z.array(backupDocument.extend({ wal_complete: z.boolean(), ...provenance })),
});

export type BackupSummary = Immutable<z.infer<typeof backupDocument>>;
export type MadeBackup = Immutable<z.infer<typeof madeBackupDocument>>;
export type ShownBackup = Immutable<z.infer<typeof shownBackupDocument>>;
export type BackupsDocument = Immutable<z.infer<typeof backupsDocument>>;
