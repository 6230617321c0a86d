// Signed records of verifications, restores and checks of keys, and the chain they make: `evidence list`, `export`, `head`
// and `verify`.

import * as z from 'zod';
import { count, type Immutable, time } from './form.ts';

export const evidenceRecordDocument = z.object({
  id: z.string(),
  kind: z.enum(['verification', 'restore', 'key-check', 'drill', 'table-restore', 'anomaly', 'expiry', 'action']),
  cluster: z.string(),
  /** Backup or dump that it is about; null where it is about none. */
  backup: z.string().nullable(),
  level: z.enum(['structure', 'data', 'wal', 'dump', 'restore', 'keys', 'action']),
  result: z.enum(['passed', 'failed']),
  started_at: time,
  finished_at: time,
  /** What was counted; differs by kind and level. */
  details: z.record(z.string(), z.unknown()),
  /** Number in the chain, from 1; absent in records of before the chain, and so are the members that follow. */
  sequence: z.int().positive().optional(),
  /** SHA-256 of the signed text of the record before; null in the first, and where that one could not be read. */
  previous: z.string().nullable().optional(),
  host: z.string().optional(),
  versions: z.object({ spillway: z.string(), node: z.string(), postgres: z.string().optional() }).optional(),
  /** Of a record that another place had first: which one it is there. */
  copied_from: z.object({ sequence: z.int().positive().nullable(), sha256: z.string() }).optional(),
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

/** `evidence export --all`; without --json each of `records` is a line of its own. */
export const evidenceBundleDocument = z.object({
  cluster: z.string(),
  records: z.array(evidenceExportDocument),
  unreadable: z.array(z.object({ name: z.string(), why: z.string() })),
});

/** Number and hash of the newest record: what is to be kept elsewhere. */
export const evidenceHeadForm = z.object({ sequence: z.int().positive(), sha256: z.string() });

/** `evidence head`. */
export const evidenceHeadDocument = z.object({
  cluster: z.string(),
  /** Null where there is no record in the chain. */
  head: evidenceHeadForm.nullable(),
  /** `SEQUENCE:SHA256`, as `evidence verify --head` takes it. */
  word: z.string().nullable(),
});

export const evidenceFindingForm = z.object({
  /** Name of the object, or `line 3` of a bundle; null for what is not there. */
  object: z.string().nullable(),
  sequence: z.int().positive().nullable(),
  problem: z.enum([
    'unreadable',
    'signature',
    'foreign',
    'misplaced',
    'missing',
    'altered',
    'unlinked',
    'repeated',
    'order',
    'head',
  ]),
  why: z.string(),
});

/** `evidence verify`. */
export const evidenceVerifyDocument = z.object({
  /** Null where no record tells. */
  cluster: z.string().nullable(),
  repository: z.string().nullable(),
  /** `empty`: nothing is wrong, and nothing is shown. */
  result: z.enum(['passed', 'failed', 'empty']),
  /** In the chain, and good. */
  records: count,
  /** Of before the chain: their signatures hold, that one is missing would not show. */
  before_chain: count,
  kinds: z.array(
    z.object({
      kind: evidenceRecordDocument.shape.kind,
      records: count,
      passed: count,
      failed: count,
      last: time,
    }),
  ),
  head: evidenceHeadForm.nullable(),
  /** The one it was held against; null where none was given, so that records cut off at the end would not show. */
  known_head: evidenceHeadForm.nullable(),
  findings: z.array(evidenceFindingForm),
});

export type EvidenceListDocument = Immutable<z.infer<typeof evidenceListDocument>>;
export type EvidenceExportDocument = Immutable<z.infer<typeof evidenceExportDocument>>;
export type EvidenceBundleDocument = Immutable<z.infer<typeof evidenceBundleDocument>>;
export type EvidenceHeadDocument = Immutable<z.infer<typeof evidenceHeadDocument>>;
export type EvidenceVerifyDocument = Immutable<z.infer<typeof evidenceVerifyDocument>>;
