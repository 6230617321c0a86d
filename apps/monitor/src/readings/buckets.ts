// How readings are thinned out for a chart: into buckets of a width that people count in, few enough for the chart.
//
// A bucket keeps its least, mean and greatest value, so that thinning hides no peak.

const SECOND = 1;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds. Each divides a day, or is a number of days. */
const WIDTHS = [
  ...[1, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];

/** The narrowest width, in seconds, with which a range takes at most so many buckets. */
export function bucketWidth(rangeMs: number, buckets: number): number {
  // A range that begins within a bucket touches one more.
  const fits = (width: number): boolean => Math.ceil(rangeMs / 1000 / width) + 1 <= buckets;
  const width = WIDTHS.find(fits);
  if (width !== undefined) return width;
  const days = Math.ceil(rangeMs / 1000 / Math.max(1, buckets - 1) / DAY);
  return days * DAY;
}
