// What was found of backups: `verify`.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

const result = z.enum(['passed', 'failed']);

/** What of a backup or dump is lost; all of it where `file` is null. */
export const hurtDocument = z.object({
  backup: z.string(),
  file: z.string().nullable(),
  /** Oid; null for the data directory. */
  tablespace: z.int().positive().nullable(),
  offset: count.nullable(),
  bytes: count.nullable(),
});

export const damageDocument = z.object({
  /** From `recovery` on: found in what was restored. `archive`: a dump that pg_restore cannot list. */
  kind: z.enum([
    'manifest',
    'index',
    'pack',
    'chunk',
    'wal',
    'tampering',
    'archive',
    'recovery',
    'relation',
    'page',
    'check',
  ]),
  /** Name of the object in the repository; of what was restored the relation, the file, or the check. */
  object: z.string(),
  /** Id of the chunk, hexadecimal. */
  chunk: z.string().nullable(),
  problem: z.string(),
  /** The first hundred. */
  hurts: z.array(hurtDocument),
  hurts_total: count,
});

/** A share of everything, read on one day. */
const sampleDocument = z.object({
  window_days: count,
  /** Of how many shares; as many as the window has days. */
  of: count,
  /** Those of today, and of days that were missed. */
  shares: z.array(count),
  /** The day by which each share will have been read. */
  all_read_by: z.iso.date(),
  /** The day since when each share was read; null where one was not yet. */
  all_read_since: z.iso.date().nullable(),
  /** Id of the signed record of the day; null where it could not be written. */
  evidence: z.string().nullable(),
});

const walProofDocument = z.object({
  /** How far each backup leads without a gap. */
  chains: z.array(
    z.object({
      backup: z.string(),
      timeline: z.int().positive(),
      from_lsn: lsn,
      to_lsn: lsn,
      segments: count,
      /** The server's clock when it sent the end of it. */
      sent_at: time.nullable(),
    }),
  ),
  objects: count,
  bytes: count,
  /** Each with its checksum. */
  records: count,
});

const restoreProofDocument = z.object({
  backup: z.string(),
  target: z.object({ kind: z.string(), value: z.string().nullable() }),
  /** Of the moment, where it was chosen at random. */
  seed: z.string().nullable(),
  /** What the moment was chosen from. */
  window: z.object({ from: time, to: time }).nullable(),
  recovered_to_lsn: lsn.nullable(),
  recovered_to_time: time.nullable(),
  timeline: z.int().positive(),
  phases: z.array(
    z.object({
      name: z.enum(['plan', 'lay', 'start-and-recover']),
      started_at: time,
      finished_at: time,
      seconds,
      bytes: count.nullable(),
    }),
  ),
  /** Null where the server did not come up, or pg_amcheck or its extension is not here. */
  amcheck: z.object({ version: z.string(), relations: count, seconds }).nullable(),
  /** Null where the server did not come up, or the cluster has no page checksums. */
  pages: z.object({ by: z.enum(['pg_checksums', 'spillway']), pages: count, seconds }).nullable(),
  tables: count,
  rows: count,
  /** The first thousand. */
  counted: z.array(z.object({ table: z.string(), rows: count })),
  checks: z.array(z.object({ sql: z.string(), result, found: z.string(), seconds })),
});

/** `verify`. */
export const verifyDocument = z.object({
  cluster: z.string(),
  level: z.enum(['structure', 'data', 'wal', 'dump', 'restore']),
  result,
  /** Dumps too, where they were looked at. */
  backups: z.array(
    z.object({
      id: z.string(),
      result,
      files: count,
      bytes: count,
      faults: count,
      /** Id of the signed record; null where it could not be written, or where a sample proves nothing of it yet. */
      evidence: z.string().nullable(),
    }),
  ),
  /** Distinct ones, each looked at once. */
  chunks: count,
  /** Of these chunks, before compression; 0 at level structure. */
  bytes: count,
  fetched_bytes: count,
  wal_objects: count,
  packs: count,
  /** The first thousand. */
  findings: z.array(damageDocument),
  findings_total: count,
  notices: z.array(z.string()),
  /** The newest backup that passed now or, where none did, that was proven before. */
  next_good: z.string().nullable(),
  /** With `--sample`. */
  sample: sampleDocument.nullable(),
  /** At level wal. */
  wal: walProofDocument.nullable(),
  /** At level dump. */
  dumps: z
    .array(
      z.object({
        dump: z.string(),
        databases: z.array(z.object({ name: z.string(), entries: count, tables_with_data: count })),
      }),
    )
    .nullable(),
  /** At level restore. */
  restore: restoreProofDocument.nullable(),
  started_at: time,
  finished_at: time,
  duration_seconds: seconds,
});

export type VerifyDocument = Immutable<z.infer<typeof verifyDocument>>;
export type DamageDocument = Immutable<z.infer<typeof damageDocument>>;
