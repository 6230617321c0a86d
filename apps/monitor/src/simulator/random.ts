// Seeded randomness, so that a run can be had again. Method: mulberry32; good enough for noise, useless for secrets.

export interface Random {
  /** From 0 up to, not including, 1. */
  readonly next: () => number;
  /** Around 0, seldom beyond 2: the sum of three throws, near enough to a bell curve for a meter's noise. */
  readonly spread: () => number;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return { next, spread: () => (next() + next() + next() - 1.5) * 2 };
}
