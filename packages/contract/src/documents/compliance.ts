// `report compliance`: what the records of one month show, from the records alone.
//
// What no record tells is null, or `not-recorded`: never a zero, and never met.

import * as z from 'zod';
import { evidenceFindingForm, evidenceHeadForm, evidenceRecordDocument } from './evidence.ts';
import { count, type Immutable, seconds, time } from './form.ts';

const day = z.iso.date();
const outcome = z.enum(['passed', 'failed']);
/** Id and number of a record. */
const cited = z.object({ id: z.string(), sequence: z.int().positive().nullable() });

export const objectiveForm = z.object({
  objective: z.enum(['rto', 'rpo', 'availability']),
  /** The objective as the newest record of the month has it. */
  target_seconds: seconds.nullable(),
  /** How often it was measured in the month. */
  measured: count,
  worst_seconds: seconds.nullable(),
  median_seconds: seconds.nullable(),
  result: z.enum(['met', 'missed', 'not-recorded']),
  /** Of the worst. */
  record: cited.nullable(),
  why: z.string(),
});

export const reportedDrillForm = z.object({
  record: cited,
  drill: z.string(),
  started_at: time,
  finished_at: time,
  result: outcome,
  backup: z.string().nullable(),
  host: z.string().nullable(),
  postgres: z.string().nullable(),
  rto_seconds: seconds.nullable(),
  rto_objective_seconds: seconds.nullable(),
  rpo_seconds: seconds.nullable(),
  rpo_objective_seconds: seconds.nullable(),
  checks_passed: count,
  checks_failed: count,
  phases: z.array(z.object({ name: z.string(), seconds: seconds.nullable() })),
  checklist: z.array(
    z.object({ item: z.string(), result: z.enum(['passed', 'failed', 'not-measured']), by: z.string() }),
  ),
  failed_checks: z.array(z.object({ name: z.string(), expected: z.string(), found: z.string() })),
  error: z.string().nullable(),
});

export const complianceReportDocument = z.object({
  cluster: z.string(),
  repository: z.string().nullable(),
  /** `2026-11`. Days and months are those of UTC. */
  month: z.string().regex(/^\d{4}-\d{2}$/),
  from: time,
  /** Exclusive. */
  to: time,
  made_at: time,
  /** Whether the month was over when it was made. */
  complete: z.boolean(),
  spillway: z.string(),
  /** Records that finished in the month. */
  records: count,
  verdict: z.enum(['met', 'missed', 'not-shown']),
  /** Why, a sentence each. */
  reasons: z.array(z.string()),
  objectives: z.array(objectiveForm),
  drills: z.object({
    /** The first Monday of the month. */
    due: day,
    state: z.enum(['held', 'on-another-day', 'missed', 'not-due']),
    held: z.array(reportedDrillForm),
  }),
  verifications: z.object({
    /** How far apart they may be. */
    every_days: z.number().positive(),
    levels: z.array(z.object({ level: evidenceRecordDocument.shape.level, passed: count, failed: count, last: time })),
    failures: z.array(
      z.object({ record: cited, level: z.string(), backup: z.string().nullable(), at: time, what: z.string() }),
    ),
    /** Stretches without one that read data, longer than `every_days`. */
    missed: z.array(z.object({ from: time, to: time, days: z.number() })),
  }),
  restores: z.array(
    z.object({
      record: cited,
      kind: z.enum(['restore', 'table-restore']),
      at: time,
      result: outcome,
      backup: z.string().nullable(),
      what: z.string(),
      rto_seconds: seconds.nullable(),
      rpo_seconds: seconds.nullable(),
    }),
  ),
  key_checks: z.object({
    every_days: z.number().positive(),
    kinds: z.array(
      z.object({
        slot_kind: z.string(),
        last_passed: time.nullable(),
        passed: count,
        failed: count,
        state: z.enum(['proven', 'overdue', 'failed']),
      }),
    ),
    /** Whether the recovery key was proven within the time. */
    recovery_key: z.enum(['proven', 'overdue', 'failed', 'not-recorded']),
  }),
  findings: z.array(
    z.object({
      subject: z.string(),
      what: z.string(),
      opened_at: time,
      opened_by: cited,
      closed_at: time.nullable(),
      closed_by: cited.nullable(),
    }),
  ),
  controls: z.array(
    z.object({
      framework: z.string(),
      control: z.string(),
      asks: z.string(),
      shown: z.string(),
      state: z.enum(['shown', 'shown-with-faults', 'not-shown']),
      records: z.array(cited),
    }),
  ),
  /** Drills and restores of the twelve months up to the end of this one. */
  trend: z.array(
    z.object({
      record: cited,
      at: time,
      kind: evidenceRecordDocument.shape.kind,
      result: outcome,
      rto_seconds: seconds.nullable(),
      rto_objective_seconds: seconds.nullable(),
      rpo_seconds: seconds.nullable(),
      rpo_objective_seconds: seconds.nullable(),
    }),
  ),
  days: z.array(
    z.object({ day, passed: count, failed: count, state: z.enum(['passed', 'failed', 'mixed', 'none', 'future']) }),
  ),
  chain: z.object({
    head: evidenceHeadForm.nullable(),
    /** `SEQUENCE:SHA256` of the head; null where there is none. */
    word: z.string().nullable(),
    records: count,
    before_chain: count,
    public_key: z.string(),
    findings: z.array(evidenceFindingForm),
  }),
});

export type ComplianceReport = Immutable<z.infer<typeof complianceReportDocument>>;
export type ReportedObjective = ComplianceReport['objectives'][number];
export type ReportedDrill = ComplianceReport['drills']['held'][number];
