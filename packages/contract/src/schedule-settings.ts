// When the service does what, as spillway.yaml says it: `schedules` of a cluster.
//
// 1. A time is a cron pattern of five fields (minute, hour, day of the month, month, day of the week), or a word for one:
//    hourly, daily, weekly, monthly, `first Monday`, each but hourly with a time of the day behind it if wanted
//    (`first Monday 06:30`), or never.
// 2. Words become patterns here, so that nobody behind this file knows any. The pattern's form is checked field by field.
// 3. The defaults are the plan's: full at 02:00, incremental every four hours, schema weekly, drills on the first Monday.

import * as z from 'zod';
import { duration, milliseconds, MINUTE, wholeNumber, yesOrNo } from './setting-forms.ts';

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What can be scheduled, in the order in which it is told. */
export const scheduleKinds = [
  'full',
  'incremental',
  'schema',
  'logical',
  'verify_structure',
  'verify_data',
  'verify_sample',
  'verify_restore',
  'drill',
  'anomalies',
  'expire',
  'copy',
] as const;

export type ScheduleKind = (typeof scheduleKinds)[number];

/** A pattern of five fields; null for never. */
export type SchedulePattern = string | null;

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const ORDINALS = ['first', 'second', 'third', 'fourth'];

interface Field {
  readonly least: number;
  readonly most: number;
  readonly names: readonly string[];
  /** Of the first name. */
  readonly firstName: number;
}

const plainField = (least: number, most: number): Field => ({ least, most, names: [], firstName: 0 });
const DAY_OF_WEEK: Field = { least: 0, most: 7, names: WEEKDAYS, firstName: 0 };
const FIELDS: readonly Field[] = [
  plainField(0, 59),
  plainField(0, 23),
  plainField(1, 31),
  { least: 1, most: 12, names: MONTHS, firstName: 1 },
  DAY_OF_WEEK,
];

/** Reads a time of the configuration; undefined where it is none. `time` is the time of the day that words have by default. */
export function parseSchedule(text: string, time = '02:00'): SchedulePattern | undefined {
  const words = text.trim().toLowerCase().split(/\s+/);
  const [first = '', second = ''] = words;
  if (first === 'never' && words.length === 1) return null;
  if (first === 'hourly' && words.length === 1) return '0 * * * *';
  const ordinal = ORDINALS.indexOf(first);
  const weekday =
    ordinal === -1 ? -1 : WEEKDAYS.findIndex((day) => second.length >= 3 && nameOf(day).startsWith(second));
  const days: Readonly<Record<string, string>> = {
    daily: '* * *',
    weekly: '* * 0',
    monthly: '1 * *',
    ...(weekday === -1 ? {} : { [first]: `* * ${weekday}#${ordinal + 1}` }),
  };
  const on = Object.hasOwn(days, first) ? days[first] : undefined;
  if (on !== undefined) {
    const rest = words.slice(ordinal === -1 ? 1 : 2);
    if (rest.length > 1) return undefined;
    const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(rest[0] ?? time) ?? [];
    return hour === undefined || minute === undefined ? undefined : `${Number(minute)} ${Number(hour)} ${on}`;
  }
  if (words.length !== FIELDS.length) return undefined;
  return words.every((word, index) => isField(word, FIELDS[index] ?? DAY_OF_WEEK)) ? words.join(' ') : undefined;
}

const nameOf = (day: string): string =>
  ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'].find((name) => name.startsWith(day)) ??
  day;

/** Lists of numbers, names, ranges and steps; `1#2` and `5#l` for the second Monday and the last Friday of the month. */
function isField(text: string, field: Field): boolean {
  return text.split(',').every((part) => {
    const [, range = '', step] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (step !== undefined && (Number(step) < 1 || Number(step) > field.most)) return false;
    if (range === '*') return true;
    if (field === DAY_OF_WEEK && step === undefined) {
      const [, day, nth] = /^([a-z0-9]+)#([1-5]|l)$/.exec(range) ?? [];
      if (day !== undefined && nth !== undefined) return valueOf(day, field) !== undefined;
    }
    const [from = '', to, ...more] = range.split('-');
    const [least, most] = [valueOf(from, field), to === undefined ? field.most : valueOf(to, field)];
    if (least === undefined || most === undefined || more.length > 0 || least > most) return false;
    // A step from a lone number means different things to different readers of cron.
    return step === undefined || to !== undefined;
  });
}

function valueOf(text: string, { least, most, names, firstName }: Field): number | undefined {
  const name = names.indexOf(text);
  if (name !== -1) return name + firstName;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

const MESSAGE =
  'must be a cron pattern of five fields such as "0 2 * * *", or hourly, daily, weekly, monthly, first Monday (each with a time such as daily 02:30), or never';

const at = (by: string, time: string) =>
  z
    .string({ error: MESSAGE })
    .prefault(by)
    .transform((text, context): SchedulePattern => {
      const pattern = parseSchedule(text, time);
      if (pattern === undefined) {
        context.addIssue({ code: 'custom', message: MESSAGE });
        return z.NEVER;
      }
      return pattern;
    });

const timeZone = z.string({ error: 'must be the name of a time zone' }).refine(isTimeZone, {
  error: 'must be the name of a time zone, such as Africa/Johannesburg or UTC',
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** What `spillway serve` does of itself for a cluster. */
export const schedules = z.strictObject({
  full: at('daily', '02:00'),
  incremental: at('0 */4 * * *', '00:00'),
  schema: at('weekly', '01:30'),
  logical: at('never', '01:00'),
  verify_structure: at('daily', '05:30'),
  verify_data: at('weekly', '06:00'),
  /** The weekly reading of the newest backup is the plan's; this one reads everything, a share each day. */
  verify_sample: at('never', '06:30'),
  /** Within how many days all is read by it. */
  verify_sample_days: wholeNumber(1, 366).default(7),
  verify_restore: at('weekly', '07:00'),
  drill: at('first Monday', '03:00'),
  /** Which drill that is. */
  drill_name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}_-]{0,99}$/u, {
      error: 'must be the name of a drill file, without folder and ending',
    })
    .default('monthly'),
  anomalies: at('daily', '05:00'),
  expire: at('daily', '03:30'),
  copy: at('daily', '04:30'),
  /** Keep `wal receive` running. */
  receive: yesOrNo.default(true),
  /** By default that of the machine. */
  time_zone: timeZone.optional(),
  /** Each run begins up to so much later, so that not all clusters begin at once. */
  jitter: duration(0, 12 * HOUR, 'at most 12h').default(milliseconds(0)),
  /** A run is ended when it has taken so long. */
  timeout: duration(1000, 30 * DAY, 'from 1s to 30d').default(milliseconds(DAY)),
  /** How often a run that failed for a reason that may pass is tried again, and how long it waits before the first time. */
  retries: wholeNumber(0, 20).default(3),
  backoff: duration(1000, DAY, 'from 1s to 1d').default(milliseconds(MINUTE)),
});
