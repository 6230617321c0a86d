// The past that some conditions are judged by, kept in memory: how much room each place had over a day, and when none of a
// cluster's servers took writes within six hours. Pure: what was kept and a reading give what is kept.
//
// 1. Room is kept once in five minutes, and foretold by the straight line that fits best, as `predict_linear` of Prometheus does.
// 2. Of availability only outages are kept. A reading tells of the time since the one before, but of no more than was agreed:
//    a time in which nobody looked was no outage.
// 3. Nothing is older than its window, and there is a most of everything.
// A service that was started anew knows nothing of before: it says since when it has looked, so that whoever asks can tell
// "well" from "not known yet".

export const ROOM_WINDOW_MS = 86_400_000;
export const AVAILABILITY_WINDOW_MS = 6 * 3_600_000;

const ROOM_EVERY_MS = 5 * 60_000;
const OUTAGES_MAX = 1000;

export interface RoomPoint {
  readonly at: number;
  readonly bytes: number;
}

export interface Room {
  readonly place: string;
  /** The oldest first. */
  readonly points: readonly RoomPoint[];
}

export interface Availability {
  /** The first reading. */
  readonly since: number;
  readonly last: number;
  /** The oldest first. */
  readonly outages: readonly { readonly from: number; readonly to: number }[];
}

/** A place that has no end, such as a bucket, or that is no more among those seen, has no room. */
export function takeRooms(
  rooms: readonly Room[],
  at: number,
  seen: readonly { readonly place: string; readonly availableBytes: number | null }[],
): readonly Room[] {
  return seen.flatMap(({ place, availableBytes: bytes }) => {
    if (bytes === null) return [];
    const kept = (rooms.find((each) => each.place === place)?.points ?? []).filter(
      (point) => point.at >= at - ROOM_WINDOW_MS && point.at < at,
    );
    const last = kept.at(-1);
    const isDue = last === undefined || at - last.at >= ROOM_EVERY_MS;
    return [{ place, points: isDue ? [...kept, { at, bytes }] : kept }];
  });
}

/** The free bytes that the line through the points comes to; undefined for fewer than two. */
export function roomAt(points: readonly RoomPoint[], when: number): number | undefined {
  const [first] = points;
  if (first === undefined || points.length < 2) return undefined;
  const mean = (of: (point: RoomPoint) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  // From the first on: squares of times since 1970 are too large to be told apart.
  const [at, bytes] = [mean((point) => point.at - first.at), mean((point) => point.bytes)];
  const spread = mean((point) => (point.at - first.at - at) ** 2);
  if (spread === 0) return undefined;
  const slope = mean((point) => (point.at - first.at - at) * (point.bytes - bytes)) / spread;
  return bytes + slope * (when - first.at - at);
}

export function takeAvailability(
  past: Availability | undefined,
  at: number,
  up: boolean,
  reachMs: number,
): Availability {
  const { since, last, outages } = past ?? { since: at, last: at, outages: [] };
  const kept = outages.filter(({ to }) => to > at - AVAILABILITY_WINDOW_MS);
  const from = Math.max(last, at - reachMs);
  if (up || from >= at) return { since, last: at, outages: kept };
  const before = kept.at(-1);
  if (before?.to === from) kept.splice(-1, 1, { from: before.from, to: at });
  else kept.push({ from, to: at });
  return { since, last: at, outages: kept.slice(-OUTAGES_MAX) };
}

/** Of the whole window, also of the part of it in which nobody looked. */
export function downShare({ outages }: Availability, now: number, windowMs: number): number {
  const down = outages.reduce((sum, { from, to }) => sum + Math.max(0, to - Math.max(from, now - windowMs)), 0);
  return down / windowMs;
}
