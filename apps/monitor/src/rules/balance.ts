// The mass balance of a metered zone: what flows in and does not flow out leaks.
//
// Meters do not report at one moment, so their readings are averaged over windows of time. A window is closed when every
// meter has gone past it, and counts when every meter reported in it. How many windows are open is bounded.

import type { Zone } from './rule.ts';

export const WINDOW_MS = 60_000;
const WINDOWS_OPEN_MAX = 30;
/** Below this a share says nothing: meters are not that good. */
const INFLOW_MIN = 5;

interface Sum {
  readonly total: number;
  readonly readings: number;
}

export interface Balance {
  /** Window number to meter to what it reported. */
  readonly windows: ReadonlyMap<number, ReadonlyMap<number, Sum>>;
  /** Meter to the newest window it reported in. */
  readonly newest: ReadonlyMap<number, number>;
}

export interface Closed {
  /** Start of the window, milliseconds since 1970. */
  readonly at: number;
  /** Share of the inflow that did not come out. */
  readonly lost: number;
}

export const emptyBalance: Balance = { windows: new Map(), newest: new Map() };

/** Takes a meter's reading; returns the windows that it closed, oldest first. */
export function weigh(
  before: Balance,
  zone: Zone,
  meter: number,
  at: number,
  value: number,
): { readonly after: Balance; readonly closed: readonly Closed[] } {
  const window = Math.floor(at / WINDOW_MS);
  const windows = new Map(before.windows);
  const sums = windows.get(window) ?? new Map<number, Sum>();
  const sum = sums.get(meter) ?? { total: 0, readings: 0 };
  windows.set(window, new Map(sums).set(meter, { total: sum.total + value, readings: sum.readings + 1 }));
  const newest = new Map(before.newest).set(meter, Math.max(window, before.newest.get(meter) ?? window));

  const frontier = Math.min(...zone.meters.map(({ sensorId }) => newest.get(sensorId) ?? -Infinity));
  const order = [...windows.keys()].toSorted((a, b) => a - b);
  const closed: Closed[] = [];
  for (const [index, number] of order.entries()) {
    const isPast = number < frontier;
    if (!isPast && order.length - index <= WINDOWS_OPEN_MAX) break;
    const lost = isPast ? shareLost(zone, windows.get(number) ?? new Map<number, Sum>()) : undefined;
    if (lost !== undefined) closed.push({ at: number * WINDOW_MS, lost });
    windows.delete(number);
  }
  return { after: { windows, newest }, closed };
}

/** Undefined where a meter is silent, or next to nothing flows in. */
export function shareLost({ meters }: Zone, sums: ReadonlyMap<number, Sum>): number | undefined {
  let into = 0;
  let out = 0;
  for (const { sensorId, direction } of meters) {
    const sum = sums.get(sensorId);
    if (sum === undefined) return undefined;
    // A meter whose flow is turned round changes sides.
    const inward = (sum.total / sum.readings) * direction;
    if (inward > 0) into += inward;
    else out -= inward;
  }
  return into >= INFLOW_MIN ? (into - out) / into : undefined;
}
