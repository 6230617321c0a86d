// What a writer of canaries remembers, so that the age of what is durable can be told: the last ones, fewer of the older.
//
// Kept are the newest 60, and of those before one a minute, 180 in all. Pure.

import type { Acknowledged } from './table.ts';

const NEWEST = 60;
const ALL_MAX = 180;
const APART_MS = 60_000;

/** What is written beside the receiver, and read by whoever asks how things stand. */
export interface CanaryState {
  readonly cluster: string;
  /** Oldest first. */
  readonly acknowledged: readonly Acknowledged[];
  /** The server's clock up to which nothing was written behind the newest one; null where that is not known. */
  readonly quiet_until: string | null;
  /** This machine's clock: when the source last answered. */
  readonly seen_at: string | null;
  /** When it was found not to answer any more; null while it does. What was acknowledged lies before that. */
  readonly lost_at: string | null;
  readonly interval_seconds: number;
}

export function remember(before: readonly Acknowledged[], next: Acknowledged): readonly Acknowledged[] {
  const all = [...before, next];
  const older = all.slice(0, -NEWEST);
  const kept: Acknowledged[] = [];
  for (const each of older.toReversed()) {
    const last = kept.at(-1) ?? all.at(-NEWEST);
    const apart = last === undefined ? APART_MS : Date.parse(last.written_at) - Date.parse(each.written_at);
    if (apart >= APART_MS) kept.push(each);
  }
  return [...kept.toReversed(), ...all.slice(-NEWEST)].slice(-ALL_MAX);
}
