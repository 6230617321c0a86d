// Drills: the file that was written, what a run found, the list, and the record of one.

import * as z from 'zod';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

const result = z.enum(['passed', 'failed']);

/** What is signed of a drill: `details` of its evidence. */
export const drillDetailsDocument = z.object({
  run: z.string(),
  drill: z.string(),
  /** Null where it did not come to choosing one. */
  backup: z.string().nullable(),
  target: z
    .object({
      kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']),
      value: z.string().nullable(),
    })
    .nullable(),
  recovered_to_lsn: lsn.nullable(),
  recovered_to_time: z.string().nullable(),
  phases: z.array(
    z.object({
      name: z.string(),
      started_at: time,
      finished_at: time,
      seconds,
      bytes: count.nullable(),
    }),
  ),
  /** From its start to the first successful check of health; null where none was. */
  rto_seconds: seconds.nullable(),
  rto_objective_seconds: seconds.nullable(),
  /** What a disaster at its start would have lost; null where that was not measured. */
  rpo_seconds: seconds.nullable(),
  rpo_objective_seconds: seconds.nullable(),
  checks: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['sql', 'shell', 'http', 'objects', 'pages', 'structure']),
      /** What was expected, such as `equals_source`, or which objects. */
      about: z.string().nullable(),
      result,
      expected: z.string(),
      found: z.string(),
      seconds,
    }),
  ),
  /** The seven items of the plan's monthly drill; what was not measured counts as not passed. */
  checklist: z.array(
    z.object({ item: z.string(), result: z.enum(['passed', 'failed', 'not-measured']), by: z.string() }),
  ),
  /** Why it ended before its end. */
  error: z.string().nullable(),
  host: z.string(),
  versions: z.object({ spillway: z.string(), node: z.string(), postgres: z.string().nullable() }),
});

/** `drill run` and `drill show`. */
export const drillDocument = z.object({
  cluster: z.string(),
  result,
  /** Id of the signed record, and its name in the repository. */
  evidence: z.string(),
  object: z.string(),
  started_at: time,
  finished_at: time,
  /** Why it did not pass, a phrase each. */
  failures: z.array(z.string()),
  details: drillDetailsDocument,
});

/** `drill init`. */
export const drillInitDocument = z.object({
  cluster: z.string(),
  file: z.string(),
  drill: z.string(),
  database: z.string(),
  checks: count,
  tables: count,
  indexes: count,
  constraints: count,
  extensions: count,
});

/** `drill list`. */
export const drillsDocument = z.object({
  cluster: z.string(),
  drills: z.array(
    z.object({
      drill: z.string(),
      /** Null for one that is on record and has no file any more. */
      file: z.string().nullable(),
      /** Why the file cannot be used. */
      problem: z.string().nullable(),
      last: z
        .object({
          evidence: z.string(),
          result,
          finished_at: time,
          rto_seconds: seconds.nullable(),
          rpo_seconds: seconds.nullable(),
          error: z.string().nullable(),
        })
        .nullable(),
    }),
  ),
  /** Ids of records that were made now, of drills that had been killed. */
  killed: z.array(z.string()),
});

export type DrillDetailsDocument = Immutable<z.infer<typeof drillDetailsDocument>>;
export type DrillDocument = Immutable<z.infer<typeof drillDocument>>;
export type DrillInitDocument = Immutable<z.infer<typeof drillInitDocument>>;
export type DrillsDocument = Immutable<z.infer<typeof drillsDocument>>;
