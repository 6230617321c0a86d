// Numbers for people: sizes in IEC units, durations, rates, times with their zone and their age.
// Documents for programs never pass through here.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0 B`, `512 KiB`, `1.6 GiB`: at most three digits that matter. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 and more would be written as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${trimZeros(value.toFixed(digits))} ${units[unit]}`;
}

export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

/** `0.4s`, `12s`, `4m 05s`, `1h 04m`, `3d 02h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${trimZeros(seconds.toFixed(1))}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return pair(whole, 60, 'm', 1, 's');
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'm');
  return pair(whole, 86_400, 'd', 3600, 'h');
}

/** `just now`, `4 min ago`, `in 2 h`. */
export function formatRelative(at: Date, now: Date): string {
  const seconds = (now.getTime() - at.getTime()) / 1000;
  const age = Math.abs(seconds);
  if (age < 5) return 'just now';
  const words =
    age < 60
      ? `${Math.floor(age)} s`
      : age < 3600
        ? `${Math.floor(age / 60)} min`
        : age < 2 * 86_400
          ? `${Math.floor(age / 3600)} h`
          : `${Math.floor(age / 86_400)} days`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

/** Local time with its offset: `2026-11-23 19:15:00 +01:00`. */
export function formatTime(at: Date): string {
  const offset = -at.getTimezoneOffset();
  const local = new Date(at.getTime() + offset * 60_000).toISOString();
  const size = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${zone}`;
}

/** PostgreSQL's own way to write `server_version_num`: `180004` is `18.4`. */
export const formatVersion = (versionNumber: number): string =>
  `${Math.floor(versionNumber / 10_000)}.${versionNumber % 10_000}`;

/** The part of a backup's id that people type. */
export const shortId = (id: string): string => id.slice(-8);

export const formatCount = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count.toString().replace(/\B(?=(\d{3})+$)/g, ' ')} ${count === 1 ? noun : plural}`;

const trimZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

const two = (value: number): string => String(value).padStart(2, '0');

const pair = (seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string =>
  `${Math.floor(seconds / large)}${largeUnit} ${two(Math.floor((seconds % large) / small))}${smallUnit}`;
