// What was moved to another storage class, and what that costs.

import * as z from 'zod';
import { count, type Immutable, seconds } from './form.ts';

/** `storage tier`. */
export const tierDocument = z.object({
  place: z.string(),
  dry_run: z.boolean(),
  storage_class: z.string(),
  groups: z.array(
    z.object({
      group: z
        .enum(['moved', 'there', 'young', 'passing', 'does-not-pay'])
        .describe('moved: would be, with --dry-run; there: in that class; passing: the newest backups do not need it'),
      packs: count,
      bytes: count,
      stay_usd: z.number().describe('where they are, for as long as it is sure that they are needed'),
      move_usd: z.number().describe('in that class, for as long'),
    }),
  ),
  duration_seconds: seconds,
});

export type TierDocument = Immutable<z.infer<typeof tierDocument>>;
