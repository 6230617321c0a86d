// What must be known of the words before they have been understood: how to complain, and whether PostgreSQL is asking.

import type { ColourChoice } from './ui/colour.ts';

export interface Flags {
  readonly json: boolean;
  readonly jsonLines: boolean;
  readonly quiet: boolean;
  readonly color: ColourChoice;
}

export function flagsIn(words: readonly string[]): Flags {
  const own = ownWords(words);
  const choice = own.findLast((word) => word.startsWith('--color='))?.slice('--color='.length);
  const next = own[own.lastIndexOf('--color') + 1];
  const color = choice ?? (own.includes('--color') ? next : undefined);
  return {
    json: own.includes('--json'),
    jsonLines: own.includes('--json-lines'),
    quiet: own.includes('--quiet') || own.includes('-q'),
    color: color === 'always' || color === 'never' ? color : 'auto',
  };
}

/**
 * The exit code for an absent file when the words call `wal fetch`, else undefined. Guesses generously: to take another
 * command for `wal fetch` only makes its failure a larger number, the other way round could end a recovery early.
 */
export function absentCodeIn(words: readonly string[]): number | undefined {
  const own = ownWords(words);
  const wal = own.indexOf('wal');
  if (wal === -1 || !own.includes('fetch', wal + 1)) return undefined;
  const at = own.findIndex((word) => word === '--absent-code' || word.startsWith('--absent-code='));
  if (at === -1) return 1;
  const value = own[at]?.includes('=') === true ? own[at].slice('--absent-code='.length) : own[at + 1];
  return value !== undefined && /^[1-9]\d{0,2}$/.test(value) && Number(value) <= 255 ? Number(value) : 1;
}

/** Whether the words call `wal push`: as generous as above, since it only makes an exit code smaller. */
export function isPushIn(words: readonly string[]): boolean {
  const own = ownWords(words);
  const wal = own.indexOf('wal');
  return wal !== -1 && own.includes('push', wal + 1);
}

/** Those before `--`. */
function ownWords(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end === -1 ? words : words.slice(0, end);
}
