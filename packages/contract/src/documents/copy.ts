// What `copy` brought to which place.

import * as z from 'zod';
import { count, type Immutable, seconds, time } from './form.ts';

const item = z.object({
  id: z.string(),
  /** `copied`: would be, with --dry-run. `left`: the place would not keep it. `failed`: `damage` says why. */
  outcome: z.enum(['copied', 'there', 'left', 'failed']),
  /** What keeps it at the place, or why nothing does. */
  reasons: z.array(z.string()),
});

const copiedCluster = z.object({
  cluster: z.string(),
  /** Oldest first. */
  backups: z.array(item),
  dumps: z.array(item),
  packs: count,
  pack_bytes: count,
  /** That lay at the place already, without an index that names them. */
  packs_there: count,
  wal_objects: count,
  wal_bytes: count,
  evidence: count,
  damage: z.array(z.object({ place: z.enum(['source', 'target']), object: z.string(), problem: z.string() })),
});

const copySummary = z.object({
  source: z.string(),
  target: z.string(),
  /** Whether nothing was at the place before. */
  made: z.boolean(),
  dry_run: z.boolean(),
  clusters: z.array(copiedCluster),
  /** Ids. `left`: at the source alone, and not added. `foreign`: at the place alone. */
  key_slots: z.object({ added: z.array(z.string()), left: z.array(z.string()), foreign: z.array(z.string()) }),
  started_at: time,
  finished_at: time,
  duration_seconds: seconds,
});

/** `copy`. */
export const copyDocument = z.object({
  places: z.array(
    z.object({
      place: z.string(),
      /** Null where the place failed as a whole: `error` says why. */
      summary: copySummary.nullable(),
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
});

/** Where a backup or dump is, after it was made; places that are mounted for a copy alone are not in it. */
export const placesDocument = z.array(
  z.object({
    place: z.string(),
    required: z.boolean(),
    /** `behind`: it is not there; the next backup, or spillway copy, brings it. */
    state: z.enum(['complete', 'behind']),
    /** Why it is behind. */
    problem: z.string().nullable(),
  }),
);

export type PlacesDocument = Immutable<z.infer<typeof placesDocument>>;
export type CopyDocument = Immutable<z.infer<typeof copyDocument>>;
export type CopySummaryDocument = Immutable<z.infer<typeof copySummary>>;
