// Durations and sizes as people write them: a number and its unit, `5s`, `1h 30min`, `32 MiB`.
//
// 1. A bare number is refused: nobody can tell seconds from milliseconds afterwards.
// 2. Units are PostgreSQL's: `min` is minutes (there is no `m`), and `kB`, `MB`, `GB` mean 1024, as `KiB`, `MiB`, `GiB` do.
// 3. The result is a whole number in the smallest unit, or undefined where the text is no such quantity.

export type Milliseconds = number & { readonly __brand: 'Milliseconds' };
export type Bytes = number & { readonly __brand: 'Bytes' };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: SECOND, min: MINUTE, h: HOUR, d: DAY };

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 2 ** 10,
  KiB: 2 ** 10,
  MB: 2 ** 20,
  MiB: 2 ** 20,
  GB: 2 ** 30,
  GiB: 2 ** 30,
  TB: 2 ** 40,
  TiB: 2 ** 40,
};

/** Parses `250ms`, `5s`, `10min`, `1h 30min`, `2d`. */
export function parseDuration(text: string): Milliseconds | undefined {
  return parseSum(text, durationUnits) as Milliseconds | undefined;
}

/** Parses `512 KiB`, `32MiB`, `1.5 GiB`, `16MB`. */
export function parseByteSize(text: string): Bytes | undefined {
  return parseSum(text, sizeUnits) as Bytes | undefined;
}

/** The shortest way to write a duration that `parseDuration` reads back: `1h 30min`. */
export function formatDurationSetting(value: Milliseconds): string {
  const parts: string[] = [];
  let rest: number = value;
  for (const [unit, size] of Object.entries(durationUnits).toReversed()) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.join(' ') || '0s';
}

const term = /(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]{1,3})\s*/y;

function parseSum(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const trimmed = text.trim();
  let sum = 0;
  let smallest = Number.POSITIVE_INFINITY;
  term.lastIndex = 0;
  while (term.lastIndex < trimmed.length) {
    const match = term.exec(trimmed);
    const unit = match?.[2] === undefined || !Object.hasOwn(units, match[2]) ? undefined : units[match[2]];
    // Units fall from term to term, so that `5s 1h` and `1h 1h` are seen as the slips they are.
    if (match?.[1] === undefined || unit === undefined || unit >= smallest) return undefined;
    smallest = unit;
    sum += Number(match[1]) * unit;
  }
  return trimmed.length > 0 && Number.isSafeInteger(sum) ? sum : undefined;
}
