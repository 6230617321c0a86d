// WAL and the recovery window: `wal receive`, `wal fetch` and `wal check`.

import { z } from 'zod';
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

export type WalGap = Immutable<z.infer<typeof walGapDocument>>;
export type RecoveryWindow = Immutable<z.infer<typeof recoveryWindowDocument>>;
export type ReceiveSummary = Immutable<z.infer<typeof receiveDocument>>;
export type WalReport = Immutable<z.infer<typeof walReportDocument>>;
export type WalFetchDocument = Immutable<z.infer<typeof walFetchDocument>>;
