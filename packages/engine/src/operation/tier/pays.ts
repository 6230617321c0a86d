// Whether an object costs less in a class for what is seldom read. Pure.
//
// Such a class costs less a month and more for each read, bills thirty days and 128 KiB at least, and the move is a request of
// its own. So it pays for what is large, stays for long and is read seldom; how long it stays is what is sure, not what is likely.
// Source: Amazon S3 pricing; "Lifecycle transition considerations" of the User Guide.

export interface TierPrices {
  /** US dollars for a GiB and a month. */
  readonly standardGibMonth: number;
  readonly infrequentGibMonth: number;
  /** For a GiB that is read of the latter. */
  readonly infrequentReadGib: number;
  /** For a thousand objects that are moved to it. */
  readonly infrequentPutPer1000: number;
}

export interface Stay {
  readonly bytes: number;
  /** For so long it is needed at least, from now on. */
  readonly days: number;
  /** How often all of it is read, as by a verification or a drill. */
  readonly readsPerMonth: number;
}

const GIB = 2 ** 30;
const MONTH_DAYS = 30;
const LEAST_DAYS = 30;
const LEAST_BYTES = 128 * 1024;

export interface TierCost {
  readonly stayUsd: number;
  readonly moveUsd: number;
}

/** What the object costs from now on, as long as it is needed. */
export function tierCost({ bytes, days, readsPerMonth }: Stay, prices: TierPrices): TierCost {
  const months = days / MONTH_DAYS;
  const billed = Math.max(bytes, LEAST_BYTES) / GIB;
  const billedMonths = Math.max(days, LEAST_DAYS) / MONTH_DAYS;
  return {
    stayUsd: (bytes / GIB) * months * prices.standardGibMonth,
    moveUsd:
      billed * billedMonths * prices.infrequentGibMonth +
      (bytes / GIB) * months * readsPerMonth * prices.infrequentReadGib +
      prices.infrequentPutPer1000 / 1000,
  };
}
