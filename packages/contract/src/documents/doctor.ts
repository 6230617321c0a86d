// `doctor`: what is wrong or could become so, in the order in which to mend it.

import * as z from 'zod';
import { count, type Immutable, time } from './form.ts';

export const findingDocument = z.object({
  /** From 1, worst first. */
  number: z.int().positive().describe('from 1; mend them in this order'),
  severity: z.enum(['failed', 'warning']),
  area: z.enum([
    'configuration',
    'repository',
    'backups',
    'WAL',
    'copies',
    'server',
    'slots',
    'canary',
    'space',
    'permissions',
    'clock',
    'versions',
  ]),
  message: z.string().describe('what was seen'),
  why: z.string().describe('what comes of it'),
  mend: z.string().describe('the command or the line of a setting that mends it'),
});

export const doctorDocument = z.object({
  status: z.enum(['ok', 'warning', 'failed']).describe('that of the worst finding'),
  at: time,
  cluster: z.string().nullable(),
  findings: z.array(findingDocument),
  looked_at: z.array(z.string()).describe('what could be looked at'),
  not_looked_at: z
    .array(z.object({ what: z.string(), why: z.string() }))
    .describe('what could not be looked at; it may hide more findings'),
  versions: z.object({ spillway: z.string(), node: z.string(), server: count.nullable() }),
});

export type DoctorFinding = Immutable<z.infer<typeof findingDocument>>;
export type DoctorDocument = Immutable<z.infer<typeof doctorDocument>>;
