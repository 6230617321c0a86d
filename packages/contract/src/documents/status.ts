// How a cluster stands against its objectives: `status`; and the canary by which loss is measured: `canary`, `restore`.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds, time } from './form.ts';
import { recoveryWindowDocument } from './wal.ts';

const standing = z.enum(['met', 'at-risk', 'missed']);
const sequence = count.describe('number of a canary; rises with each writing');

/** What a restore lost, by canaries. */
export const lossDocument = z.object({
  /** `exact`: to within `within_seconds`; `at-least`: nobody knows of newer canaries; `unknown`: `why` tells. */
  certainty: z.enum(['exact', 'at-least', 'unknown']),
  seconds: seconds.nullable(),
  canaries: count.nullable(),
  within_seconds: seconds.nullable(),
  /** Whether it was given up on purpose, by a target before the end of WAL. */
  chosen: z.boolean(),
  newest_found: z.object({ sequence, written_at: time }).nullable(),
  newest_acknowledged: z
    .object({ sequence, written_at: time, by: z.enum(['source', 'state-file', 'repository']) })
    .nullable(),
  why: z.string(),
});

/** `canary`, when it was stopped. */
export const canaryDocument = z.object({
  cluster: z.string(),
  written: count,
  newest: z.object({ sequence, written_at: time, acknowledged_at: time, timeline: z.int().positive(), lsn }).nullable(),
  state_file: z.string(),
});

export const scenarioDocument = z.object({
  name: z.enum(['whole cluster lost', 'data corrupted', 'one table']),
  /** What would be done. */
  how: z.string(),
  expected_seconds: seconds,
  basis: z.enum(['measured', 'partly-guessed', 'guess']),
  /** What the number rests on. */
  from: z.string(),
  objective_seconds: seconds,
  /** `unproven`: within the objective as far as a guess can say. */
  state: z.enum(['met', 'at-risk', 'missed', 'unproven']),
  /** The newest recovery of the kind that was measured; null where none ever was. */
  proof: z.object({ evidence: z.string(), kind: z.string(), at: time, seconds }).nullable(),
});

/** `status`. */
export const statusDocument = z.object({
  cluster: z.string(),
  at: time,
  verdict: standing,
  /** The newest moment that can be had back; null where none can. */
  recoverable_to: time.nullable(),
  recovery_window: recoveryWindowDocument,
  rpo: z.object({
    objective_seconds: seconds,
    /** What would be lost now, by `copy_policy`; null where nothing is durable, or no place could be looked at. */
    seconds: seconds.nullable(),
    state: standing,
    places: z.array(
      z.object({
        place: z.string(),
        required: z.boolean(),
        durable_lsn: lsn.nullable(),
        timeline: z.int().positive().nullable(),
        durable_at: time.nullable(),
        seconds: seconds.nullable(),
        /** `all-durable`: the source has nothing that is not there; else what the newest durable moment is known by. */
        basis: z.enum(['all-durable', 'quiet', 'canary', 'sent', 'nothing']),
        /** The newest one that is durable there. */
        canary: sequence.nullable(),
        state: standing,
        /** Why it could not be looked at. */
        problem: z.string().nullable(),
      }),
    ),
  }),
  canary: z.object({
    configured: z.boolean(),
    newest: z.object({ sequence, written_at: time }).nullable(),
    known_by: z.enum(['source', 'state-file', 'repository']).nullable(),
    /** Until when nothing else was written behind it. */
    quiet_until: time.nullable(),
  }),
  /** Null where it does not answer. */
  source: z
    .object({
      in_recovery: z.boolean(),
      flushed_lsn: lsn.nullable(),
      timeline: z.int().positive().nullable(),
      slot: z
        .object({
          name: z.string(),
          wal_status: z.string().nullable(),
          held_bytes: count,
          /** What can still be written before the slot is lost; null where there is no limit. */
          safe_bytes: z.int().nullable(),
          limit_bytes: count.nullable(),
        })
        .nullable(),
      replication: z.array(
        z.object({
          name: z.string(),
          state: z.string().nullable(),
          sync_state: z.string().nullable(),
          flushed_lsn: lsn.nullable(),
          behind_bytes: count.nullable(),
          behind_seconds: seconds.nullable(),
        }),
      ),
      archive: z.object({
        mode: z.string(),
        last_archived_wal: z.string().nullable(),
        last_archived_at: time.nullable(),
        last_failed_at: time.nullable(),
        failed_count: count,
      }),
    })
    .nullable(),
  rto: z.object({
    objective_seconds: seconds,
    state: standing,
    newest_backup_bytes: count,
    wal_since_bytes: count,
    scenarios: z.array(scenarioDocument),
  }),
  findings: z.array(
    z.object({ severity: z.enum(['warning', 'failed']), message: z.string(), hint: z.string().nullable() }),
  ),
});

export type LossDocument = Immutable<z.infer<typeof lossDocument>>;
export type CanaryDocument = Immutable<z.infer<typeof canaryDocument>>;
export type StatusDocument = Immutable<z.infer<typeof statusDocument>>;
