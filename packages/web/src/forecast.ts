// How the repository grows, and when it is full. Pure.
//
// What each backup stored is added up over time; the growth of the coming weeks is that of the last ones, by the line of least
// squares through the last thirty days. With fewer than three backups, or less than an hour between the first and the last, there
// is no forecast: a line through two points says nothing.

export interface Stored {
  readonly at: number;
  readonly bytes: number;
}

export interface Forecast {
  readonly bytesPerDay: number;
  /** When what is free is used up; undefined where it does not grow, or nobody knows what is free. */
  readonly fullAt: number | undefined;
}

const DAY_MS = 86_400_000;
const LOOK_BACK_MS = 30 * DAY_MS;
const SPAN_MS_MIN = 3_600_000;

/** Oldest first, each with all that was stored up to then. */
export function growthOf(backups: readonly Stored[]): readonly Stored[] {
  let sum = 0;
  return backups
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, bytes }) => {
      sum += bytes;
      return { at, bytes: sum };
    });
}

export function forecastOf(growth: readonly Stored[], freeBytes: number | null, now: number): Forecast | undefined {
  const recent = growth.filter(({ at }) => at >= now - LOOK_BACK_MS);
  const [first, last] = [recent[0], recent.at(-1)];
  if (first === undefined || last === undefined || recent.length < 3 || last.at - first.at < SPAN_MS_MIN)
    return undefined;
  const mean = (of: (each: Stored) => number): number =>
    recent.reduce((sum, each) => sum + of(each), 0) / recent.length;
  const [middleAt, middleBytes] = [mean(({ at }) => at), mean(({ bytes }) => bytes)];
  const slope =
    recent.reduce((sum, { at, bytes }) => sum + (at - middleAt) * (bytes - middleBytes), 0) /
    recent.reduce((sum, { at }) => sum + (at - middleAt) ** 2, 0);
  const bytesPerDay = Math.max(0, slope * DAY_MS);
  return {
    bytesPerDay,
    fullAt: freeBytes === null || bytesPerDay < 1 ? undefined : now + (freeBytes / bytesPerDay) * DAY_MS,
  };
}
