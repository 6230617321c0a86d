// Quantities and foreign text in words. Pure.

/** `0.4 s`, `42 s`, `41 min 05 s`, `1 h 04 min`, `3 d 02 h`. */
export function inDuration(seconds: number): string {
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, 'min', 1, 's');
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'min');
  return pair(whole, 86_400, 'd', 3600, 'h');
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeUnit}${rest === 0 ? '' : ` ${String(rest).padStart(2, '0')} ${smallUnit}`}`;
}

/** `2026-11-02 03:14 UTC` */
export const inTime = (at: string): string => `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;

/** `12, 14 to 17, 20`; without numbers `-`. */
export function inRanges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].toSorted((a, b) => a - b);
  const ranges: [from: number, to: number][] = [];
  for (const number of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const words = ranges.map(([from, to]) => {
    if (from === to) return String(from);
    return to === from + 1 ? `${from}, ${to}` : `${from} to ${to}`;
  });
  return words.join(', ') || '-';
}

/** What a record may have written into one place of a report. */
const TEXT_MAX = 600;

/**
 * Text from a record, as it may be shown: what cannot be seen, or turns the direction of what follows, is written out, so
 * that nothing looks like what it is not; and what is very long is cut, and says so.
 */
export function inPlainText(text: string): string {
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (${text.length - TEXT_MAX} characters more)` : text;
  return cut
    .toWellFormed()
    .replaceAll(/[\t\n\r]+/g, ' ')
    .replaceAll(UNSEEN, byNumber);
}

/** `‹U+6C34›` */
export const byNumber = (character: string): string =>
  `‹U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`;

const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060\u2066-\u2069\uFEFF]/gu;
