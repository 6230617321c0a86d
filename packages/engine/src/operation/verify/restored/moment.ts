// The moment that a restore is tried with: any in the window of a backup, so that over time the whole window is proven and
// not only its end. Which one follows from a seed and the window alone. Pure.

import { createHash } from 'node:crypto';

const RANDOM_BYTES = 6;

export interface Window {
  readonly from: Date;
  readonly to: Date;
}

/** To the millisecond, from the first of the window to its last; undefined where there is no time between them. */
export function momentIn({ from, to }: Window, seed: string): Date | undefined {
  const span = to.getTime() - from.getTime();
  if (!(span > 0)) return undefined;
  const fraction = createHash('sha256').update(seed).digest().readUIntBE(0, RANDOM_BYTES) / 2 ** (8 * RANDOM_BYTES);
  return new Date(from.getTime() + Math.floor(fraction * (span + 1)));
}
