// How times, durations, sizes and names are told to people. Pure: the moment that is now, and the zone, come in.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `41 s`, `4 min 12 s`, `1 h 04 min`, `3 d 2 h`. */
export function duration(seconds: number): string {
  if (seconds < 1) return seconds === 0 ? '0 s' : `${Math.max(0.01, seconds).toFixed(2)} s`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (number: number): string => String(number).padStart(2, '0');
  if (whole < 3600) {
    const rest = whole % 60;
    return `${Math.floor(whole / 60)} min${rest === 0 ? '' : ` ${two(rest)} s`}`;
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) {
    const rest = minutes % 60;
    return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${two(rest)} min`}`;
  }
  const hours = Math.floor(minutes / 60);
  const rest = hours % 24;
  return `${Math.floor(hours / 24)} d${rest === 0 ? '' : ` ${rest} h`}`;
}

/** The largest unit alone: `41 s ago`, `in 3 h`. */
export function relative(at: number, now: number): string {
  const away = Math.abs(now - at);
  if (away < SECOND) return 'just now';
  const [size, unit] = (
    [
      [DAY, 'd'],
      [HOUR, 'h'],
      [MINUTE, 'min'],
      [SECOND, 's'],
    ] as const
  ).find(([least]) => away >= least) ?? [SECOND, 's'];
  const told = `${Math.floor(away / size)} ${unit}`;
  return at <= now ? `${told} ago` : `in ${told}`;
}

export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export const rate = (count: number, seconds: number): string => (seconds <= 0 ? '' : `${bytes(count / seconds)}/s`);

export type Zone = 'local' | 'utc';

const formats = new Map<string, Intl.DateTimeFormat>();

function format(kind: string, zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${kind} ${zone}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-GB', { ...options, ...(zone === 'utc' ? { timeZone: 'UTC' } : {}) });
  formats.set(key, made);
  return made;
}

/** `28 Nov 2026, 14:03:12`; the time alone where it is of the same day as `now`. */
export function moment(at: number, now: number, zone: Zone): string {
  const day = { day: 'numeric', month: 'short', year: 'numeric' } as const;
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
  const dates = format('day', zone, day);
  const told = format('time', zone, time).format(at);
  return dates.format(at) === dates.format(now) ? told : `${dates.format(at)}, ${told}`;
}

/** With the day and the zone, whatever today is. */
export const fullMoment = (at: number, zone: Zone): string =>
  format('full', zone, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  }).format(at);

/** `2026-11-28` in the zone. */
export const dayOf = (at: number, zone: Zone): string => {
  const parts = format('parts', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(at);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
};

/** `28 Nov` of a day as `dayOf` tells it. */
export const shortDay = (day: string): string =>
  format('short', 'utc', { day: 'numeric', month: 'short' }).format(Date.parse(`${day}T12:00:00Z`));

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const kinds: Readonly<Record<string, string>> = {
  full: 'full backup',
  incremental: 'incremental backup',
  schema: 'dump of the schema',
  logical: 'logical dump',
  verify_structure: 'verification of structure',
  verify_data: 'verification of data',
  verify_sample: 'verification of a sample',
  verify_restore: 'verification by restore',
  drill: 'drill',
  anomalies: 'look for anomalies',
  expire: 'expiry',
  copy: 'copy',
};

export const kindName = (kind: string): string => kinds[kind] ?? kind.replaceAll('_', ' ');

/** What a job is, by its command and what was asked for. */
export function jobName(job: {
  readonly command: string;
  readonly schedule: string | null;
  readonly request?: Readonly<Record<string, unknown>>;
}): string {
  if (job.schedule !== null) return kindName(job.schedule);
  const request = job.request ?? {};
  const word = (field: string): string => (typeof request[field] === 'string' ? request[field] : '');
  switch (job.command) {
    case 'backup':
      return word('source') === 'logical' || word('source') === 'schema'
        ? kindName(word('source'))
        : `${word('type')} backup`.trim();
    case 'verify':
      return `verification${word('level') === '' ? '' : ` of ${word('level')}`}`;
    case 'restore':
      return request['dry_run'] === true ? 'plan of a restore' : 'restore';
    case 'drill run':
      return `drill ${word('drill')}`.trim();
    default:
      return job.command;
  }
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A backup by the first characters that people tell it by: of the random half. */
export const shortId = (id: string): string => id.slice(id.lastIndexOf('-') + 1).slice(0, 8);
