// Partitions of `reading`: made some days ahead, dropped when the retention has passed; and keys of batches forgotten with them.

import type pg from 'pg';

export const DAY_MS = 86_400_000;
export const DAYS_AHEAD = 3;
const FORGOTTEN_AT_ONCE = 10_000;
/** A sender's clock may be ahead by that much. */
export const FUTURE_MS_MAX = 10 * 60_000;

/** What may be ingested at that moment: from, included, to, included. */
export function acceptedRange(now: number, retentionDays: number): { readonly from: number; readonly to: number } {
  return { from: dayOf(now) - (retentionDays - 1) * DAY_MS, to: now + FUTURE_MS_MAX };
}

/** The start of the day, in UTC. */
export const dayOf = (time: number): number => Math.floor(time / DAY_MS) * DAY_MS;

export const dayName = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** The days whose partitions must be there, first and last. */
export function neededDays(now: number): { readonly first: string; readonly last: string } {
  return { first: dayName(now), last: dayName(now + DAYS_AHEAD * DAY_MS) };
}

/** The first day that is kept. One more than the accepted range, since what is accepted now may be written past midnight. */
export const firstKeptDay = (now: number, retentionDays: number): string => dayName(now - retentionDays * DAY_MS);

export interface Tidied {
  readonly made: number;
  readonly dropped: number;
}

export async function tidyPartitions(client: pg.Client, now: number, retentionDays: number): Promise<Tidied> {
  const { first, last } = neededDays(now);
  const { rows: madeRows } = await client.query<{ count: number }>('SELECT make_reading_partitions($1, $2) AS count', [
    first,
    last,
  ]);
  const oldest = firstKeptDay(now, retentionDays);
  const { rows: droppedRows } = await client.query<{ count: number }>('SELECT drop_reading_partitions($1) AS count', [
    oldest,
  ]);
  return { made: madeRows[0]?.count ?? 0, dropped: droppedRows[0]?.count ?? 0 };
}

/** Forgets keys of batches, a bounded number at a time, so that nobody waits for it. Returns how many. */
export async function forgetBatches(client: pg.Client, now: number, retentionDays: number): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM ingest_batch
      WHERE ctid IN (SELECT ctid FROM ingest_batch WHERE received_at < $1 LIMIT ${FORGOTTEN_AT_ONCE})`,
    [firstKeptDay(now, retentionDays)],
  );
  return rowCount ?? 0;
}
