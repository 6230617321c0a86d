// What a bucket is set to, held against what a repository needs, and what was changed of it.

import * as z from 'zod';
import type { Immutable } from './form.ts';

const setting = z.object({
  aspect: z.enum(['versioning', 'object lock', 'public access', 'TLS only', 'encryption', 'lifecycle', 'replication']),
  state: z
    .enum(['ok', 'differs', 'by-hand', 'unknown', 'unsupported'])
    .describe('differs: storage apply changes it; by-hand: a person must; unknown: it could not be read'),
  severity: z.enum(['ok', 'warning', 'failed']),
  found: z.string(),
  wanted: z.string(),
  hint: z.string().nullable(),
});

/** `storage plan`. */
export const bucketPlanDocument = z.object({
  place: z.string(),
  settings: z.array(setting),
  changes: z.array(z.unknown()).describe('what storage apply would put, in the words of S3'),
});

/** `storage apply`. */
export const bucketAppliedDocument = z.object({
  place: z.string(),
  settings: z.array(setting).describe('as they are afterwards'),
  changed: z.array(setting.shape.aspect),
  failures: z.array(z.object({ aspect: setting.shape.aspect, problem: z.string(), hint: z.string() })),
});

export type BucketPlanDocument = Immutable<z.infer<typeof bucketPlanDocument>>;
export type BucketAppliedDocument = Immutable<z.infer<typeof bucketAppliedDocument>>;
export type BucketSettingDocument = BucketPlanDocument['settings'][number];
