// A month of UTC, its days, and the day on which its drill is due. Pure.

const DAY_MS = 86_400_000;

export interface Month {
  /** `2026-11` */
  readonly name: string;
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
}

/** Undefined for what is no month. */
export function parseMonth(name: string): Month | undefined {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(name) ?? [];
  if (year === undefined || month === undefined) return undefined;
  const from = new Date(`${name}-01T00:00:00Z`);
  return { name, from, to: monthsAfter(from, 1) };
}

/** The first of a month so many months later; earlier where `count` is negative. */
export function monthsAfter(first: Date, count: number): Date {
  const at = new Date(first);
  at.setUTCMonth(at.getUTCMonth() + count);
  return at;
}

export const daysOf = ({ from, to }: Month): readonly string[] =>
  Array.from({ length: Math.round((to.getTime() - from.getTime()) / DAY_MS) }, (_, n) =>
    dayOf(new Date(from.getTime() + n * DAY_MS)),
  );

/** The plan's drill is on the first Monday. */
export function firstMonday({ from }: Month): string {
  const weekday = from.getUTCDay();
  return dayOf(new Date(from.getTime() + ((8 - weekday) % 7) * DAY_MS));
}

/** `2026-11-02` */
export const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

export const monthInWords = ({ from }: Pick<Month, 'from'>): string =>
  from.toLocaleDateString('en', { month: 'long', year: 'numeric', timeZone: 'UTC' });
