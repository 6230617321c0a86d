// The second host of the points on the wire: a process of its own that expires and collects in the same repository, with a
// clock of its own. What it was given stands in its argument; it says how it ended in one line of JSON.

import { type ErrorCode, isSpillwayError } from '@spillway/contract';
import { expire, openRepository } from '../src/index.ts';
import type { S3Location } from '../src/storage/port.ts';

export interface ElsewhereGiven {
  readonly location: S3Location;
  readonly cluster: string;
  readonly kept: number;
  /** How far its clock is off, in milliseconds. */
  readonly skewMs: number;
}

export interface ElsewhereTold {
  /** Null where it did its work. */
  readonly code: ErrorCode | null;
  readonly message: string;
}

export const WIRE_PASSPHRASE = 'a passphrase of more than 32 characters';

if (import.meta.main) {
  const { location, cluster, kept, skewMs } = JSON.parse(process.argv[2] ?? '') as ElsewhereGiven;
  const signal = new AbortController().signal;
  let told: ElsewhereTold = { code: null, message: '' };
  try {
    const repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase: WIRE_PASSPHRASE } });
    await expire({
      repository,
      cluster,
      policy: { minimumProven: 1, keepCount: kept },
      now: () => new Date(Date.now() + skewMs),
      graceMs: 0,
      repackBelow: 0.5,
      repackBytesMax: 1e9,
      lockWaitMs: 200,
      signal,
      report: () => undefined,
    });
  } catch (error) {
    if (!isSpillwayError(error)) throw error;
    told = { code: error.code, message: error.message };
  }
  process.stdout.write(JSON.stringify(told));
}
