// `timetravel`: read-only servers of other moments.

import * as z from 'zod';
import { type Immutable, lsn, seconds, time } from './form.ts';

/** Never with a password. */
const serverDocument = z.object({
  host: z.string(),
  port: z.int().positive(),
  user: z.string(),
  database: z.string(),
});

/** `timetravel start`, or `timetravel` alone. */
export const timetravelDocument = z.object({
  id: z.string(),
  cluster: z.string(),
  backup: z.string(),
  target: z.object({ kind: z.enum(['immediate', 'time', 'lsn', 'xid', 'name']), value: z.string().nullable() }),
  /** Whether it stopped just before the target. */
  exclusive: z.boolean(),
  recovered_to_lsn: lsn.nullable(),
  /** Commit time of the last transaction replayed; null where none was. */
  recovered_to_time: z.string().nullable(),
  timeline: z.int().positive(),
  expires_at: time,
  directory: z.string(),
  /** By its socket, for the account of the server: no password is asked for there. */
  socket: serverDocument,
  /** By 127.0.0.1, with the password that the role had at that moment. */
  tcp: serverDocument,
  pid: z.int().positive().nullable(),
  total_seconds: seconds,
});

export const timetravelListDocument = z.object({
  folder: z.string(),
  servers: z.array(
    z.object({
      id: z.string(),
      directory: z.string(),
      /** `in use`: it is being brought up; `abandoned` and `expired` ones go when the next one is made, or with `timetravel end`. */
      state: z.enum(['in use', 'abandoned', 'kept', 'expired', 'elsewhere']),
      cluster: z.string(),
      backup: z.string(),
      target: z.string(),
      created_at: time,
      expires_at: time.nullable(),
      host: z.string(),
      server: serverDocument.nullable(),
    }),
  ),
});

export const timetravelEndDocument = z.object({ id: z.string(), target: z.string() });

export type TimetravelDocument = Immutable<z.infer<typeof timetravelDocument>>;
export type TimetravelListDocument = Immutable<z.infer<typeof timetravelListDocument>>;
export type TimetravelEndDocument = Immutable<z.infer<typeof timetravelEndDocument>>;
