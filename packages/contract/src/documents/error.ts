// Failures: what any command prints when it fails, and `explain`.

import * as z from 'zod';
import { count, type Immutable } from './form.ts';

/** `explain`. */
export const explainDocument = z.object({
  code: z.string(),
  meaning: z.string(),
  hint: z.string(),
  exit_code: count,
  retryable: z.boolean(),
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

export type ExplainDocument = Immutable<z.infer<typeof explainDocument>>;
export type ErrorDocument = Immutable<z.infer<typeof errorDocument>>;
