// Why WAL is missing, written down when it comes about: afterwards nobody could tell.
//
//   <timeline>/<from>-<to>.gap   see `docs/repository-format.md`, section 10
//
// A record never says that there is a gap, only why: what is missing follows from the segments alone, so that WAL which is
// found after all (a server pushes what a receiver missed) closes the gap without anybody's taking a record back.

import { formatLsn, type Lsn, parseLsn, type TimelineId } from '../../postgres/lsn.ts';
import type { WalArchive } from './archive.ts';

/**
 * `slot-lost`: it fell behind further than the server lets it. `slot-dropped`: it was not there when the receiver came.
 * `promoted-before-received`: the server that was promoted does not have what the repository lacks of the old timeline.
 * `wal-removed`: none of these.
 */
export type GapCause = 'slot-lost' | 'slot-dropped' | 'promoted-before-received' | 'wal-removed';

export interface GapRecord {
  readonly timeline: number;
  readonly from_lsn: string;
  readonly to_lsn: string;
  readonly cause: GapCause;
  readonly details: string;
  readonly at: string;
}

export async function recordGap(
  archive: WalArchive,
  gap: { readonly timeline: TimelineId; readonly from: Lsn; readonly to: Lsn; readonly cause: GapCause },
  details: string,
  now = new Date(),
): Promise<void> {
  const { timeline, from, to, cause } = gap;
  const file = { kind: 'walGap', timeline, name: `${hex16(from)}-${hex16(to)}.gap` } as const;
  // Seen once more after a restart of the receiver: what was written first is nearer to the truth.
  if ((await archive.stat(timeline, file.name)) !== undefined) return;
  const record: GapRecord = {
    timeline,
    from_lsn: formatLsn(from),
    to_lsn: formatLsn(to),
    cause,
    details,
    at: now.toISOString(),
  };
  await archive.writeBeside(file, Buffer.from(JSON.stringify(record)));
}

export async function readGapRecords(archive: WalArchive, signal?: AbortSignal): Promise<readonly GapRecord[]> {
  const records: GapRecord[] = [];
  for await (const file of archive.listBeside(signal)) {
    if (file.kind !== 'walGap') continue;
    const content = await archive.readBeside(file, signal);
    if (content !== undefined) records.push(JSON.parse(content.toString('utf8')) as GapRecord);
  }
  return records;
}

export const overlaps = (record: GapRecord, from: Lsn, to: Lsn): boolean =>
  (parseLsn(record.from_lsn) ?? 0n) < to && (parseLsn(record.to_lsn) ?? 0n) > from;

const hex16 = (value: Lsn): string => value.toString(16).toUpperCase().padStart(16, '0');
