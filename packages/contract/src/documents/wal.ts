// WAL and the recovery window: `wal receive`, `wal push`, `wal fetch` and `wal check`.

import * as z from 'zod';
import { count, type Immutable, lsn, time } from './form.ts';

export const walGapDocument = z.object({ timeline: z.int().positive(), from_lsn: lsn, to_lsn: lsn });

export const recoveryWindowDocument = z.object({
  earliest_at: time.nullable(),
  latest_at: time.nullable(),
  earliest_lsn: lsn.nullable(),
  latest_lsn: lsn.nullable(),
  latest_timeline: z.int().positive().nullable(),
  gaps: z.array(walGapDocument),
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

/** `wal push`, when the file is durable. */
export const walPushDocument = z.object({
  file: z.string(),
  /** By this call; before it, with the same content; pushed ahead by an earlier call; or, with --behind, left to its own. */
  outcome: z.enum(['stored', 'there', 'pushed-ahead', 'left']),
  /** Files that were pushed beyond it. */
  ahead: count,
  /** What the server waited to archive when it called. */
  waiting_files: count,
  waiting_bytes: count,
  waiting_seconds: count,
});

/** A gap, and why it is there as far as that is known. */
export const explainedGapDocument = walGapDocument.extend({
  cause: z.enum(['slot-lost', 'slot-dropped', 'wal-removed', 'promoted-before-received', 'object-missing', 'unknown']),
  details: z.string(),
  /** When it was seen to come about; null where nobody was there. */
  at: time.nullable(),
});

/** What reading every byte of WAL found. */
export const walDataDocument = z.object({
  objects: count,
  bytes: count,
  records: count,
  damaged: z.array(z.object({ object: z.string(), why: z.string() })),
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
  gaps: z.array(explainedGapDocument),
  backups_without_wal: z.array(z.string()),
  /** With --data; null without. */
  data: walDataDocument.nullable(),
});

/** `wal fetch`, when the file was fetched. */
export const walFetchDocument = z.object({ file: z.string(), destination: z.string() });

export type WalGap = Immutable<z.infer<typeof walGapDocument>>;
export type RecoveryWindow = Immutable<z.infer<typeof recoveryWindowDocument>>;
export type ReceiveSummary = Immutable<z.infer<typeof receiveDocument>>;
export type WalReport = Immutable<z.infer<typeof walReportDocument>>;
export type WalPushDocument = Immutable<z.infer<typeof walPushDocument>>;
export type ExplainedGap = Immutable<z.infer<typeof explainedGapDocument>>;
export type WalFetchDocument = Immutable<z.infer<typeof walFetchDocument>>;
