// `wal check`: what WAL the repository holds of a cluster, and every break in it with its cause.
//
// A gap follows from the names of what is stored; with `data` every byte is read as well (`check-data.ts`), and what is
// damaged is told object by object: a restore cannot get past it.

import type { Report } from '@spillway/contract';
import {
  formatLsn,
  type Lsn,
  lsn,
  parseLsn,
  segmentEnd,
  type SegmentSize,
  segmentStart,
  type TimelineId,
  timelineId,
} from '../../postgres/lsn.ts';
import {
  type AlreadyRead,
  type ClusterInRepository,
  findGaps,
  leadsOn,
  listBackups,
  type SystemWal,
  type WalGap,
  walReader,
  wayFrom,
} from '../backups.ts';
import { listSystems } from '../system.ts';
import { checkWalData, type WalDataReport } from './check-data.ts';
import { type ExplainedGap, explainGap } from './gap-cause.ts';
import { readGapRecords } from './gap-record.ts';
import { coverage, type Interval } from './interval.ts';
import { lastSentAt } from './stored.ts';

export interface WalReport {
  readonly timelines: readonly {
    readonly system_identifier: string;
    readonly timeline: number;
    readonly first_lsn: string;
    readonly last_lsn: string;
    /** Whole ones, however they are stored. */
    readonly segments: number;
    /** Objects that hold parts of other segments. */
    readonly pieces: number;
    readonly stored_bytes: number;
    /** The server's clock when it sent the newest of it. */
    readonly last_at: string | null;
  }[];
  /** On the way from the oldest backup to the newest timeline. */
  readonly gaps: readonly ExplainedGap[];
  /** Backups that lack WAL of their own, and so cannot be restored at all. */
  readonly backups_without_wal: readonly string[];
  /** What reading all of it found; null where it was not asked for. */
  readonly data: WalDataReport | null;
}

export interface WalCheckOptions extends ClusterInRepository, AlreadyRead {
  /** Read every byte. */
  readonly data?: boolean;
  readonly report?: Report;
}

export async function checkWal(options: WalCheckOptions): Promise<WalReport> {
  const { repository, cluster, signal } = options;
  const read: WalDataReport[] = [];
  const backups = options.backups ?? (await listBackups(options));
  const timelines: WalReport['timelines'][number][] = [];
  const gaps: ExplainedGap[] = [];
  const without: string[] = [];
  const readWal = options.readWal ?? walReader(options);
  for (const system of await listSystems(repository, cluster, signal)) {
    const wal = await readWal(system);
    for (const timeline of [...wal.catalog.objects.keys()].toSorted((a, b) => a - b)) {
      timelines.push(await describe(wal, timeline, system.system_identifier, signal));
    }
    const own = backups.filter((backup) => backup.system_identifier === system.system_identifier);
    without.push(...own.filter((backup) => !hasOwnWal(wal, backup)).map(({ id }) => id));
    const newest = Math.max(0, ...wal.ways.keys());
    // Before it WAL was expired on purpose, and is not missing.
    const oldest = own.find((backup) => leadsOn(wal, backup, timelineId(newest))) ?? own[0];
    if (oldest !== undefined && newest > 0) {
      const found = findGaps(wal, timelineId(newest), parseLsn(oldest.start_lsn));
      gaps.push(...(await explain(wal, timelineId(newest), found, signal)));
    }
    if (options.data === true) read.push(await checkWalData(wal.archive, wal.catalog, options));
  }
  return { timelines, gaps, backups_without_wal: without, data: options.data === true ? sumOf(read) : null };
}

async function explain(
  wal: SystemWal,
  timeline: TimelineId,
  gaps: readonly WalGap[],
  signal: AbortSignal | undefined,
): Promise<readonly ExplainedGap[]> {
  if (gaps.length === 0) return [];
  const records = await readGapRecords(wal.archive, signal);
  const way = wal.ways.get(timeline) ?? [];
  return gaps.map((gap) => explainGap(gap, way, wal.archive.segmentSize, records));
}

const sumOf = (reports: readonly WalDataReport[]): WalDataReport => ({
  objects: reports.reduce((sum, { objects }) => sum + objects, 0),
  bytes: reports.reduce((sum, { bytes }) => sum + bytes, 0),
  records: reports.reduce((sum, { records }) => sum + records, 0),
  damaged: reports.flatMap(({ damaged }) => damaged),
});

const hasOwnWal = (wal: SystemWal, backup: Parameters<typeof wayFrom>[1]): boolean =>
  wayFrom(wal, backup, timelineId(backup.timeline)) !== undefined ||
  [...wal.ways.keys()].some((timeline) => wayFrom(wal, backup, timeline) !== undefined);

async function describe(
  wal: SystemWal,
  timeline: TimelineId,
  systemIdentifier: string,
  signal: AbortSignal | undefined,
): Promise<WalReport['timelines'][number]> {
  const objects = wal.catalog.objects.get(timeline) ?? [];
  const [first] = objects;
  if (first === undefined) throw new RangeError(`timeline ${timeline} has no WAL`);
  const last = objects.reduce((latest, object) => (object.end > latest.end ? object : latest), first);
  const { archive } = wal;
  const size = archive.segmentSize;
  // By what there is of the segment, not by the object: a receiver may replace the last piece at any moment.
  const newest = await lastSentAt(archive, timeline, segmentStart(lsn(last.end - 1n), size), signal);
  const whole = new Set(coverage(objects).flatMap((stretch) => segmentsIn(stretch, size)));
  return {
    system_identifier: systemIdentifier,
    timeline,
    first_lsn: formatLsn(first.start),
    last_lsn: formatLsn(last.end),
    segments: whole.size,
    pieces: objects.filter(({ start }) => !whole.has(segmentStart(start, size))).length,
    stored_bytes: objects.reduce((sum, object) => sum + object.storedBytes, 0),
    last_at: newest ?? null,
  };
}

/** The starts of the segments that lie in the stretch as a whole. */
function segmentsIn({ start, end }: Interval, size: SegmentSize): readonly Lsn[] {
  const starts: Lsn[] = [];
  for (let at = segmentStart(lsn(start + BigInt(size) - 1n), size); segmentEnd(at, size) <= end; ) {
    starts.push(at);
    at = segmentEnd(at, size);
  }
  return starts;
}
