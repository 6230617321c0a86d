// A share of everything each day, so that all of it is read within a window. Pure.
//
// 1. A window of N days has N shares. What share a chunk is of follows from its id, which is a hash; of another object, from a
//    hash of its name. Nothing is written down, so that any host goes on with it.
// 2. Share s has its turn on the days whose number (days since 1970, UTC) leaves s when divided by N. One is due when a turn
//    of it has passed since it was read last: today's, and those whose days were missed.
// 3. When a share was read last, the records of evidence tell, and nothing else does.

import { createHash } from 'node:crypto';
import type { EvidenceRecord } from '../../repository/evidence.ts';
import type { SampleTold } from './proof.ts';

const DAY_MS = 86_400_000;

export const dayOf = (at: Date): number => Math.floor(at.getTime() / DAY_MS);
export const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

/** By the first bytes of the chunk's id at `at`. */
export const shareOfChunk = (ids: Uint8Array, at: number, of: number): number =>
  new DataView(ids.buffer, ids.byteOffset + at, 4).getUint32(0) % of;

export const shareOfName = (name: string, of: number): number =>
  createHash('sha256').update(name).digest().readUInt32BE(0) % of;

/** The day on which each share was read last, and when the first of all was. */
export interface ReadDays {
  readonly last: ReadonlyMap<number, number>;
  readonly first: number | undefined;
}

export function readDays(records: readonly EvidenceRecord[], of: number): ReadDays {
  const last = new Map<number, number>();
  let first: number | undefined;
  for (const { kind, details, started_at: startedAt } of records) {
    const told = kind === 'verification' ? sampleIn(details) : undefined;
    if (told?.of !== of) continue;
    const day = dayOf(new Date(startedAt));
    first = Math.min(first ?? day, day);
    for (const share of told.shares) last.set(share, Math.max(last.get(share) ?? day, day));
  }
  return { last, first };
}

/** Ascending. Today's where none is due, as somebody asked for it. */
export function dueShares({ last, first }: ReadDays, today: number, of: number): readonly number[] {
  const begun = first ?? today;
  const due = Array.from({ length: of }, (_, share) => share).filter((share) => {
    const since = last.get(share) ?? begun - 1;
    return nextTurn(share, since, of) <= today;
  });
  return due.length === 0 ? [today % of] : due;
}

/** The first day after `day` on which the share has its turn. */
export const nextTurn = (share: number, day: number, of: number): number =>
  day + 1 + ((((share - day - 1) % of) + of) % of);

/** After the shares of today were read. */
export function coverageOf(
  before: ReadDays,
  shares: readonly number[],
  today: number,
  of: number,
): { readonly allReadBy: number; readonly allReadSince: number | undefined } {
  const last = new Map([...before.last, ...shares.map((share): [number, number] => [share, today])]);
  const unread = Array.from({ length: of }, (_, share) => share).filter((share) => !last.has(share));
  if (unread.length === 0) {
    const since = Math.min(...last.values());
    return { allReadBy: today, allReadSince: since };
  }
  return { allReadBy: Math.max(...unread.map((share) => nextTurn(share, today, of))), allReadSince: undefined };
}

function sampleIn(details: Readonly<Record<string, unknown>>): SampleTold | undefined {
  const { sample } = details;
  if (typeof sample !== 'object' || sample === null) return undefined;
  const { of, shares } = sample as Partial<SampleTold>;
  const numbers = Array.isArray(shares) && shares.every((share) => Number.isSafeInteger(share));
  return typeof of === 'number' && numbers ? { of, shares: shares as readonly number[] } : undefined;
}
