// What was found of backups: `verify`.

import { z } from 'zod';
import { count, type Immutable, seconds, time } from './form.ts';

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
  kind: z.enum(['manifest', 'index', 'pack', 'chunk', 'wal', 'tampering']),
  /** Name of the object in the repository. */
  object: z.string(),
  /** Id of the chunk, hexadecimal. */
  chunk: z.string().nullable(),
  problem: z.string(),
  /** The first hundred. */
  hurts: z.array(hurtDocument),
  hurts_total: count,
});

/** `verify`. */
export const verifyDocument = z.object({
  cluster: z.string(),
  level: z.enum(['structure', 'data']),
  result,
  /** Dumps too, where they were looked at. */
  backups: z.array(
    z.object({
      id: z.string(),
      result,
      files: count,
      bytes: count,
      faults: count,
      /** Id of the signed record; null where it could not be written. */
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
  started_at: time,
  finished_at: time,
  duration_seconds: seconds,
});

export type VerifyDocument = Immutable<z.infer<typeof verifyDocument>>;
export type DamageDocument = Immutable<z.infer<typeof damageDocument>>;
