// Signed records of verifications, restores and checks of keys: `evidence list` and `evidence export`.

import { z } from 'zod';
import { type Immutable, time } from './form.ts';

export const evidenceRecordDocument = z.object({
  id: z.string(),
  kind: z.enum(['verification', 'restore', 'key-check', 'drill', 'table-restore', 'action']),
  cluster: z.string(),
  /** Backup or dump that it is about; null where it is about none. */
  backup: z.string().nullable(),
  level: z.enum(['structure', 'data', 'wal', 'dump', 'restore', 'keys', 'action']),
  result: z.enum(['passed', 'failed']),
  started_at: time,
  finished_at: time,
  /** What was counted; differs by kind and level. */
  details: z.record(z.string(), z.unknown()),
});

/** `evidence list`. */
export const evidenceListDocument = z.object({
  cluster: z.string(),
  /** Oldest first; all their signatures verify. */
  records: z.array(evidenceRecordDocument),
  /** Objects that are no records of this repository: damaged, forged, or of another place than their name says. */
  unreadable: z.array(z.object({ name: z.string(), why: z.string() })),
});

/** `evidence export`: what is checked with `evidence_public_key` of `spillway.json` alone. */
export const evidenceExportDocument = z.object({
  /** The text that was signed, as UTF-8. */
  signed: z.string(),
  /** Ed25519 over the bytes of `signed`, base64. */
  signature: z.string(),
});

export type EvidenceListDocument = Immutable<z.infer<typeof evidenceListDocument>>;
export type EvidenceExportDocument = Immutable<z.infer<typeof evidenceExportDocument>>;
