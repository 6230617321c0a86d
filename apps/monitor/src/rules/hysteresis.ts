// One number decides whether an alert stands: raised when it passed `raisesAt` so many times in a row, cleared only when it
// is back at `clearsAt`. Between the two nothing changes, so that a value that trembles around one limit raises one alert.
//
// States: calm -> raised, when the count is full; raised -> calm, at `clearsAt`. For `below` the number line is turned round.

export interface Limits {
  readonly raisesAt: number;
  readonly clearsAt: number;
  readonly count: number;
  /** The measure is bad when it is low. */
  readonly isBelow: boolean;
}

export interface Standing {
  readonly raised: boolean;
  /** Measures beyond the limit in a row, while not raised. */
  readonly beyond: number;
}

export const calm: Standing = { raised: false, beyond: 0 };

export function step(before: Standing, measure: number, limits: Limits): Standing {
  const sign = limits.isBelow ? -1 : 1;
  const height = measure * sign;
  if (before.raised) return height <= limits.clearsAt * sign ? calm : before;
  if (height <= limits.raisesAt * sign) return calm;
  const beyond = before.beyond + 1;
  return beyond >= limits.count ? { raised: true, beyond: 0 } : { raised: false, beyond };
}
