// Up to where WAL may be confirmed to the server, by what each place has taken. Pure.
//
// Everything that is written to the first place has a number, in order. A place has taken all up to a number. `all`: what
// the first and every required place have. `quorum`: what more than half of them have, the first among them.
// `best-effort`: what the first has.

import type { Lsn } from '../../postgres/lsn.ts';
import type { CopyPolicy } from '../copy/done.ts';

/** When `number` things had been written, all WAL up to `durable` was among them. */
export interface Mark {
  readonly number: number;
  readonly durable: Lsn;
}

/** The number up to which the policy is content; `taken`: of each required place. */
export function contentUpTo(policy: CopyPolicy, first: number, taken: readonly number[]): number {
  const places = [first, ...taken].toSorted((a, b) => b - a);
  switch (policy) {
    case 'all':
      return places.at(-1) ?? first;
    case 'quorum':
      return Math.min(first, places[Math.floor(places.length / 2)] ?? first);
    case 'best-effort':
      return first;
  }
}

/** The position of the last of `marks`, which are in order, that lies within the number. */
export const positionAt = (marks: readonly Mark[], number: number): Lsn | undefined =>
  marks.findLast((mark) => mark.number <= number)?.durable;
