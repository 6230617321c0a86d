// What protects the backups from being removed, as settings of which each has a strength; and which of them became weaker.
//
// 1. Retention without any rule keeps everything, which is the strongest. A rule that is taken away or lowered is weaker;
//    `point_in_time` that is not set keeps every moment since the oldest backup.
// 2. A place that is gone from the configuration is weaker. A setting of a bucket that could not be read says nothing.
// 3. They are compared with the last ones that were found in order, or accepted; so a weakening is told until somebody
//    accepts it, and not once.
// Pure.

import { type Sign, sign } from './finding.ts';

export interface Strength {
  /** More is stronger. */
  readonly strength: number;
  readonly told: string;
}

/** By setting. */
export type Protection = Readonly<Record<string, Strength>>;

export interface Retention {
  readonly keepCount?: number | undefined;
  readonly keepDays?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  readonly minimumProven: number;
  readonly pointInTimeMs?: number | undefined;
  readonly graceMs: number;
}

export interface PlaceProtection {
  readonly name: string;
  readonly retention: Retention;
  readonly lock: { readonly mode: string; readonly forMs: number } | undefined;
  /** Undefined where it is no bucket, or could not be read. */
  readonly bucket:
    | readonly {
        readonly aspect: string;
        readonly severity: 'ok' | 'warning' | 'failed';
        readonly found: string;
        readonly state: string;
      }[]
    | undefined;
}

const RULES = ['keepCount', 'keepDays', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'] as const;
const MODES: Readonly<Record<string, number>> = { governance: 1, compliance: 2 };
const BUCKET = { ok: 2, warning: 1, failed: 0 } as const;
const ALL = Number.MAX_SAFE_INTEGER;

export function protectionOf(places: readonly PlaceProtection[]): Protection {
  const settings: Record<string, Strength> = {};
  for (const { name, retention, lock, bucket } of places) {
    const note = (setting: string, strength: number, told: string): void => {
      settings[`${name}: ${setting}`] = { strength, told };
    };
    note(PLACE, 1, 'configured');
    const ruled = RULES.some((rule) => retention[rule] !== undefined);
    note('what is kept', ruled ? 0 : 1, ruled ? 'what the rules say' : 'everything');
    for (const rule of RULES) {
      const value = retention[rule];
      // Without any rule each keeps more than any number would.
      note(snake(rule), ruled ? (value ?? 0) : ALL, value === undefined ? 'not set' : String(value));
    }
    const window = retention.pointInTimeMs;
    note('point_in_time', window ?? ALL, window === undefined ? 'not set' : seconds(window));
    note('minimum_proven', retention.minimumProven, String(retention.minimumProven));
    note('grace', retention.graceMs, seconds(retention.graceMs));
    note('object lock mode', lock === undefined ? 0 : (MODES[lock.mode] ?? 0), lock?.mode ?? 'none');
    note('object lock', lock?.forMs ?? 0, lock === undefined ? 'none' : seconds(lock.forMs));
    for (const { aspect, severity, found, state } of bucket ?? []) {
      if (state !== 'unknown') note(`bucket ${aspect}`, BUCKET[severity], found);
    }
  }
  return settings;
}

const PLACE = 'place';

export function signsOfWeakening(before: Protection, now: Protection): readonly Sign[] {
  return Object.entries(before).flatMap(([setting, was]) => {
    const is = now[setting] ?? (setting.endsWith(`: ${PLACE}`) ? { strength: 0, told: 'gone' } : undefined);
    if (is === undefined || is.strength >= was.strength) return [];
    // Where there were no rules, that there are some now says it all.
    if (was.strength === ALL && /: keep_/.test(setting)) return [];
    const message = `${setting} was weakened: ${was.told} before, ${is.told} now`;
    return [sign('weakened', 'alarm', `${setting} = ${is.told}`, message, { before: was.told, now: is.told })];
  });
}

export const toldOf = (protection: Protection): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(protection).map(([setting, { told }]) => [setting, told]));

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
