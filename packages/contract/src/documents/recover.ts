// What `storage recover` found hidden or overwritten, and what it put back.

import * as z from 'zod';
import { count, type Immutable, seconds, time } from './form.ts';

/** `storage recover`. */
export const recoverDocument = z.object({
  place: z.string(),
  dry_run: z.boolean(),
  looked_at: count,
  objects: z.array(
    z.object({
      object: z.string(),
      /** A delete marker was on top of it, or another version. */
      how: z.enum(['hidden', 'overwritten']),
      at: time.describe('when that was done'),
      /** `recovered`: would be, with --dry-run. `lost`: no version is good. `left`: a key slot that may have been revoked. */
      outcome: z.enum(['recovered', 'lost', 'left']),
      problem: z.string().nullable(),
    }),
  ),
  reindexed_packs: count.describe('packs that backups need and no index object named any more'),
  duration_seconds: seconds,
});

export type RecoverDocument = Immutable<z.infer<typeof recoverDocument>>;
