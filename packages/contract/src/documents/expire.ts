// What `expire` keeps and lets go.

import * as z from 'zod';
import { count, type Immutable, lsn, time } from './form.ts';

const reasons = z.array(z.string());

/** `expire --dry-run`, and `plan` in the document of `expire`. */
export const expiryPlanDocument = z.object({
  cluster: z.string(),
  /** Oldest first. `reasons`: what keeps it, or why nothing does. */
  backups: z.array(z.object({ id: z.string(), keep: z.boolean(), reasons, finished_at: time, bytes: count })),
  /** Kept always, unless named. */
  unreadable: z.array(z.object({ id: z.string(), keep: z.boolean(), why: z.string() })),
  dumps: z.array(z.object({ id: z.string(), keep: z.boolean(), reasons, source: z.string(), finished_at: time })),
  wal: z.array(
    z.object({
      system_identifier: z.string(),
      timeline: z.int().positive(),
      from_lsn: lsn,
      to_lsn: lsn.nullable(),
      keep: z.boolean(),
      reason: z.string(),
      bytes: count,
    }),
  ),
  /** Of WAL that goes. */
  wal_bytes: count,
  /** Of packs that nothing needs then; null where it was not reckoned, or cannot be. */
  pack_bytes: count.nullable(),
  notes: z.array(z.string()),
});

/** `expire`. */
export const expireDocument = z.object({
  plan: expiryPlanDocument,
  removed_backups: z.array(z.string()),
  removed_dumps: z.array(z.string()),
  removed_wal_objects: count,
  removed_wal_bytes: count,
  /** What nothing keeps any more but a lock of the storage: later runs remove it. */
  retained_backups: z.array(z.string()),
  retained_wal_objects: count,
  /** When the last of these locks ends. */
  retained_until: time.nullable(),
  /** Files of writers that were killed. */
  removed_remains: count,
  /** Null where nothing was collected, because it is not certain what is needed: `not_collected` says why. */
  collected: z
    .object({
      packs_removed: count,
      bytes_removed: count,
      packs_rescued: count,
      packs_repacked: count,
      packs_waiting: count,
      bytes_waiting: count,
      waiting_for: z.array(z.string()),
      packs_retained: count.describe('of those that wait: what the storage has locked'),
      retained_until: time.nullable(),
    })
    .nullable(),
  not_collected: z.string().nullable(),
});

export type ExpiryPlanDocument = Immutable<z.infer<typeof expiryPlanDocument>>;
export type ExpireDocument = Immutable<z.infer<typeof expireDocument>>;
