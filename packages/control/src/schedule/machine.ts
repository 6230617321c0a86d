// What is due: one rule of a schedule against what is remembered of it, at an instant.
//
// 1. A moment of the pattern is handled when a run was begun for it. `handledUpTo` is the newest one that was.
// 2. Moments that passed since are one run: the newest is due, those before it are missed, and it makes up for them. So a
//    service that was away for a night begins one full backup in the morning, not one for each moment.
// 3. A success that is newer than a moment has done its work, whoever made it: the state may have been lost, or another
//    service may have run it.
// 4. What never succeeded and must not wait for its first moment (a full backup of a cluster that has none) is due at once.
// 5. Jitter moves a run by an amount that depends on the rule and the moment alone, so that it is the same after a restart.
// Invariant: no moment is begun twice, and none is forgotten: after `begin`, everything up to `now` is handled.

import { COUNTED_MAX, type Occurrences } from './occurrence.ts';

export interface Rule {
  readonly cluster: string;
  readonly kind: string;
  readonly occurrences: Occurrences;
  readonly jitterMs: number;
  /** Due as soon as the rule is known, where it never succeeded. */
  readonly atOnce: boolean;
}

/** Times in milliseconds. */
export interface Memory {
  /** The newest moment for which a run was begun, or from which on moments count. */
  readonly handledUpTo: number;
  readonly lastSuccess: number | undefined;
}

export type Verdict =
  | { readonly kind: 'wait'; readonly until: number | undefined }
  | {
      readonly kind: 'due';
      /** The moment it is for. */
      readonly occurrence: number;
      /** Moments before it for which nothing ran; it makes up for them. */
      readonly missed: number;
    };

/** How late a run may begin before its moment counts as missed. */
export const PUNCTUAL_MS = 60_000;

export function decide(rule: Rule, memory: Memory, now: number): Verdict {
  const { occurrences } = rule;
  if (rule.atOnce && memory.lastSuccess === undefined && memory.handledUpTo === Number.NEGATIVE_INFINITY) {
    return { kind: 'due', occurrence: now, missed: 0 };
  }
  const from = Math.max(memory.handledUpTo, memory.lastSuccess ?? Number.NEGATIVE_INFINITY);
  // Without anything to count from there is nothing behind: what comes next is the first.
  const start = Number.isFinite(from) ? Math.min(from, now) : now;
  const newest = occurrences.newest(now, start + 1);
  if (newest === undefined) {
    const next = occurrences.after(Math.max(start, now));
    return { kind: 'wait', until: next === undefined ? undefined : next + jitterOf(rule, next) };
  }
  const begins = newest + jitterOf(rule, newest);
  const passed = occurrences.count(start, newest);
  // With others missed before it, it has waited long enough.
  if (begins > now && passed <= 1) return { kind: 'wait', until: begins };
  return { kind: 'due', occurrence: newest, missed: Math.min(passed - 1, COUNTED_MAX) };
}

/** What is remembered once a run for `verdict` was begun. */
export const begun = (memory: Memory, verdict: Verdict & { readonly kind: 'due' }): Memory => ({
  ...memory,
  handledUpTo: Math.max(memory.handledUpTo, verdict.occurrence),
});

/** Whether a run is late enough to be told as made up for. */
export const isLate = (rule: Rule, occurrence: number, now: number): boolean =>
  now - occurrence > rule.jitterMs + PUNCTUAL_MS;

/** A hash of the rule's name and the moment (FNV-1a, then mixed as MurmurHash3 does), as a share of the jitter. */
export function jitterOf({ cluster, kind, jitterMs }: Rule, occurrence: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${cluster}/${kind}/${occurrence}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  // The last characters alone differ from moment to moment, and FNV leaves them in the low bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return Math.floor((((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32) * jitterMs);
}
