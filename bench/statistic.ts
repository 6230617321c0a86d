// What several rounds of one measurement come to: the median, which one disturbed round does not move, and the spread,
// which tells whether there was one. Pure.

export interface Statistic {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

/** Of an even number of values the mean of the middle two; throws RangeError for none. */
export function statistic(values: readonly number[]): Statistic {
  const ordered = values.toSorted((left, right) => left - right);
  const [least, most] = [ordered[0], ordered.at(-1)];
  const low = ordered[Math.floor((ordered.length - 1) / 2)];
  const high = ordered[Math.ceil((ordered.length - 1) / 2)];
  if (least === undefined || most === undefined || low === undefined || high === undefined) {
    throw new RangeError('there is no median of nothing');
  }
  return { median: (low + high) / 2, least, most, rounds: ordered.length };
}

/** The least value that at least that share of all values, from 0 to 1, are not above; throws RangeError for none. */
export function percentile(values: readonly number[], share: number): number {
  const ordered = values.toSorted((left, right) => left - right);
  const value = ordered[Math.max(0, Math.ceil(share * ordered.length) - 1)];
  if (value === undefined) throw new RangeError('there is no percentile of nothing');
  return value;
}
