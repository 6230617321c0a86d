// Rewinding a former primary: what was decided and why, and what came of it.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds } from './form.ts';

/** `rewind --dry-run`, and `plan` in the document of `rewind`. */
export const rewindPlanDocument = z.object({
  cluster: z.string(),
  directory: z.string(),
  /** `nothing` has to be rewound where it wrote nothing after the fork: it can follow as it is. */
  decision: z.enum(['nothing', 'rewind', 'impossible']),
  /** Every reason where it is impossible. */
  reasons: z.array(z.object({ reason: z.string(), instead: z.string() })),
  /** The first position that is not the same on both, and the timeline it was left on. */
  fork: z.object({ timeline: z.int().positive(), lsn }).nullable(),
  target: z.object({
    system_identifier: z.string(),
    postgres_major: z.int().positive(),
    /** As pg_controldata words it. */
    state: z.string(),
    timeline: z.int().positive(),
    /** Null where it was not shut down cleanly. */
    end_lsn: lsn.nullable(),
    wal_log_hints: z.boolean(),
    checksums: z.boolean(),
  }),
  source: z.object({
    host: z.string(),
    port: z.int().positive(),
    system_identifier: z.string(),
    postgres_major: z.int().positive(),
    in_recovery: z.boolean(),
    timeline: z.int().positive(),
    lsn,
  }),
  wal: z.object({
    /** False where the two do not diverge, or nobody can tell: then WAL was not looked at. */
    read: z.boolean(),
    /** The last checkpoint that both have. */
    checkpoint_lsn: lsn.nullable(),
    /** Of those that pg_rewind reads, how many lie in pg_wal. */
    segments: count,
    from_repository: z.array(z.string()),
    missing: z.array(z.string()),
    /** Segments that the rewound server would replay and that are nowhere. */
    replay_missing: z.array(z.string()),
  }),
  /** What the old primary had and the new one lacks; null where nothing is rewound. */
  kept: z
    .object({
      folder: z.string(),
      wal: z.array(z.string()),
      /** Files of this host at the top of the data directory, which are put back afterwards. */
      files: z.array(z.string()),
      bytes: count,
    })
    .nullable(),
  program: z.string().nullable(),
  /** Whether pg_rewind itself went through it without writing; always done before it is let loose. */
  rehearsed: z.boolean(),
  signal_file: z.string(),
  lasting_settings: z.record(z.string(), z.string()),
  dropped_settings: z.array(z.string()),
  notes: z.array(z.string()),
});

export const rewindSummaryDocument = z.object({
  directory: z.string(),
  /** False where it only became a standby. */
  rewound: z.boolean(),
  kept_folder: z.string().nullable(),
  kept_bytes: count,
  /** WAL files that were laid into pg_wal from the repository. */
  fetched_wal: z.array(z.string()),
  duration_seconds: seconds,
});

/** `rewind`. */
export const rewindDocument = z.object({ plan: rewindPlanDocument, rewind: rewindSummaryDocument });

export type RewindPlan = Immutable<z.infer<typeof rewindPlanDocument>>;
export type RewindSummary = Immutable<z.infer<typeof rewindSummaryDocument>>;
export type RewindDocument = Immutable<z.infer<typeof rewindDocument>>;
