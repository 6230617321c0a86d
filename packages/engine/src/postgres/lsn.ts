// Positions in the write-ahead log (pg_lsn), timelines, and the names of WAL files made from them.
// https://www.postgresql.org/docs/current/wal-internals.html, src/include/access/xlog_internal.h

/** A byte position in the WAL stream; printed by PostgreSQL as `16/B374D848`. */
export type Lsn = bigint & { readonly __brand: 'Lsn' };

/** A timeline, from 1. */
export type TimelineId = number & { readonly __brand: 'TimelineId' };

/** The size of a WAL segment in bytes: a power of two from 1 MiB to 1 GiB, 16 MiB unless initdb was told otherwise. */
export type SegmentSize = number & { readonly __brand: 'SegmentSize' };

export const lsn = (value: bigint): Lsn => value as Lsn;
export const timelineId = (value: number): TimelineId => value as TimelineId;
export const segmentSize = (value: number): SegmentSize => value as SegmentSize;

/** Parses `16/B374D848`. Returns undefined where it is not an LSN. */
export function parseLsn(text: string): Lsn | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return lsn((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`));
}

export function formatLsn(value: Lsn): string {
  return `${(value >> 32n).toString(16).toUpperCase()}/${(value & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** The start of the segment in which `value` lies. */
export const segmentStart = (value: Lsn, size: SegmentSize): Lsn => lsn(value - (value % BigInt(size)));

/** The first position after the segment in which `value` lies. */
export const segmentEnd = (value: Lsn, size: SegmentSize): Lsn => lsn(segmentStart(value, size) + BigInt(size));

const hex8 = (value: number | bigint): string => value.toString(16).toUpperCase().padStart(8, '0');

/** The name of the segment in which `value` lies, for example `000000010000000000000003`. */
export function segmentName(timeline: TimelineId, value: Lsn, size: SegmentSize): string {
  const number = value / BigInt(size);
  const perLog = 0x100000000n / BigInt(size);
  return hex8(timeline) + hex8(number / perLog) + hex8(number % perLog);
}

/** The timeline and start of a segment by its name; undefined where it is no such name. */
export function parseSegmentName(
  name: string,
  size: SegmentSize,
): { readonly timeline: TimelineId; readonly start: Lsn } | undefined {
  if (!/^[0-9A-F]{24}$/.test(name)) return undefined;
  const perLog = 0x100000000n / BigInt(size);
  const low = BigInt(`0x${name.slice(16)}`);
  if (low >= perLog) return undefined;
  const number = BigInt(`0x${name.slice(8, 16)}`) * perLog + low;
  return { timeline: timelineId(Number.parseInt(name.slice(0, 8), 16)), start: lsn(number * BigInt(size)) };
}

/** The name of a timeline's history file, for example `00000002.history`. */
export const historyName = (timeline: TimelineId): string => `${hex8(timeline)}.history`;

export function parseHistoryName(name: string): TimelineId | undefined {
  const match = /^([0-9A-F]{8})\.history$/.exec(name);
  return match?.[1] === undefined ? undefined : timelineId(Number.parseInt(match[1], 16));
}
