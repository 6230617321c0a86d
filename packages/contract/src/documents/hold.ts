// Legal holds: `hold add`, `hold list` and `hold remove`.

import * as z from 'zod';
import { type Immutable, time } from './form.ts';

export const legalHoldDocument = z.object({
  id: z.string(),
  action: z.enum(['hold', 'release']),
  cluster: z.string(),
  /** Backup or dump. */
  backup: z.string(),
  reason: z.string(),
  by: z.string().describe('user@host, as the one who wrote it said'),
  at: time,
  ends: z.array(z.string()).optional().describe('ids of the holds that a release ends'),
});

/** `hold list`. */
export const legalHoldsDocument = z.object({
  cluster: z.string(),
  /** Backups and dumps on hold, with what holds them. */
  active: z.array(z.object({ backup: z.string(), holds: z.array(legalHoldDocument) })),
  /** Oldest first: all that was ever held and let go. */
  records: z.array(legalHoldDocument),
  /** While there is one, nothing of the cluster expires. */
  unreadable: z.array(z.object({ name: z.string(), why: z.string() })),
});

export type LegalHoldDocument = Immutable<z.infer<typeof legalHoldDocument>>;
export type LegalHoldsDocument = Immutable<z.infer<typeof legalHoldsDocument>>;
