// How old the newest durable commit is, seen from the server. Pure.
//
// 1. Again and again the server is asked where its WAL is (flushed by itself) and what a receiver has confirmed as durable.
// 2. At each look: the newest earlier look at which the server's WAL was no further than what is durable now. A commit of
//    that moment is safe; one just after it may not be. The time between is the age, so it is never told too low, and too
//    high by at most the time between two looks.
// 3. Looks while nothing that was looked at is durable have no age: nothing is known of before.

export interface Look {
  /** Milliseconds. */
  readonly at: number;
  /** Positions, in bytes. */
  readonly written: number;
  readonly durable: number;
}

/** In milliseconds, without those of the first so many milliseconds. */
export function agesOf(looks: readonly Look[], leftOutMs = 0): readonly number[] {
  const from = (looks[0]?.at ?? 0) + leftOutMs;
  const ages: number[] = [];
  let safe = -1;
  for (const { at, durable } of looks) {
    while (safe + 1 < looks.length && (looks[safe + 1]?.written ?? Number.POSITIVE_INFINITY) <= durable) {
      // What is written later cannot be durable now.
      if ((looks[safe + 1]?.at ?? 0) > at) break;
      safe++;
    }
    const newest = looks[safe];
    if (newest !== undefined && at >= from) ages.push(at - newest.at);
  }
  return ages;
}
