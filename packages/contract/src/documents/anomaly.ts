// Signs that somebody is destroying data or its protection: `anomalies`.

import * as z from 'zod';
import { count, type Immutable, time } from './form.ts';

/** One setting that protects backups, as text. */
const protection = z.record(z.string(), z.string());

export const anomalyDocument = z.object({
  /** The same sign of the same thing has the same key, so that it can be accepted. */
  key: z.string(),
  rule: z.enum([
    'new-chunks',
    'incompressible',
    'encrypted',
    'smaller',
    'shrunk-files',
    'deleted-rows',
    'weakened',
    'hold-released',
  ]),
  severity: z.enum(['warning', 'alarm']),
  /** The backup, file tree or setting. */
  subject: z.string(),
  message: z.string(),
  /** The figures behind it. */
  figures: z.record(z.string(), z.union([z.number(), z.string()])),
  accepted: z.boolean(),
});

/** `anomalies`. */
export const anomaliesDocument = z.object({
  cluster: z.string(),
  at: time,
  backups_judged: count,
  /** Parts that could not be looked at, and why. */
  not_looked_at: z.array(z.object({ what: z.string(), why: z.string() })),
  findings: z.array(anomalyDocument),
  /** What it was held against: id of the record; null the first time. */
  baseline: z.string().nullable(),
  protection,
  /** Id of the signed record; null where none was left. */
  evidence: z.string().nullable(),
});

export type AnomalyDocument = Immutable<z.infer<typeof anomalyDocument>>;
export type AnomaliesDocument = Immutable<z.infer<typeof anomaliesDocument>>;
