// What `repair` found damaged, and what it put in its place.

import * as z from 'zod';
import { count, type Immutable, seconds } from './form.ts';

/** `repair`. */
export const repairDocument = z.object({
  place: z.string(),
  dry_run: z.boolean(),
  looked_at: count,
  bytes: count,
  objects: z.array(
    z.object({
      object: z.string(),
      problem: z.string(),
      /** `mended`: would be, with --dry-run. `lost`: no place has a good one. */
      outcome: z.enum(['mended', 'lost']),
      /** The place that has a good one. */
      from: z.string().nullable(),
    }),
  ),
  /** Ids of backups and dumps that need an object which is lost. */
  hurt: z.array(z.string()),
  /** Places that did not answer. */
  silent: z.array(z.string()),
  duration_seconds: seconds,
});

export type RepairDocument = Immutable<z.infer<typeof repairDocument>>;
