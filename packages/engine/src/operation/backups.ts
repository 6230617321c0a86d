// Looking at what there is: a cluster's backups, and the moments it can be brought back to.

import type { BackupSummary } from '../format/manifest.ts';
import { formatLsn, type Lsn, parseLsn, segmentSize, type TimelineId, timelineId } from '../postgres/lsn.ts';
import { type Ancestry, ancestry, contains } from '../postgres/timeline.ts';
import { chooseById, listManifests } from '../repository/manifest-store.ts';
import type { Repository } from '../repository/repository.ts';
import { expiredOn, type ExpiredUpTo, readExpired } from './expire/record.ts';
import { listSystems, type SystemRecord } from './system.ts';
import { WalArchive, type WalCatalog } from './wal/archive.ts';
import { findWay, type Way } from './wal/coverage.ts';
import { lastSentAt } from './wal/stored.ts';

export interface ClusterInRepository {
  readonly repository: Repository;
  readonly cluster: string;
  readonly signal?: AbortSignal;
}

/** Oldest first. Manifests that cannot be read are left out here and named by `check`. */
export async function listBackups(options: ClusterInRepository): Promise<readonly BackupSummary[]> {
  const { heads } = await listManifests(options.repository, options.cluster, options.signal);
  return heads.map(({ summary }) => summary);
}

export async function findBackup(options: ClusterInRepository & { readonly id: string }): Promise<BackupSummary> {
  return chooseById(await listBackups(options), options.cluster, options.id);
}

/** WAL of one system with the ways through its timelines. */
export interface SystemWal {
  readonly archive: WalArchive;
  readonly catalog: WalCatalog;
  /** By the timeline they end on; timelines whose history file is missing are left out. */
  readonly ways: ReadonlyMap<TimelineId, Ancestry>;
  readonly expired: ExpiredUpTo;
}

export async function readSystemWal(
  { repository, cluster, signal }: ClusterInRepository,
  system: Pick<SystemRecord, 'system_identifier' | 'wal_segment_bytes'>,
): Promise<SystemWal> {
  const size = segmentSize(system.wal_segment_bytes);
  const archive = new WalArchive(repository, cluster, system.system_identifier, size);
  const catalog = await archive.catalog(signal);
  const histories = new Map<TimelineId, Uint8Array>();
  for (const timeline of catalog.histories) {
    const content = await archive.readHistory(timeline, signal);
    if (content !== undefined) histories.set(timeline, content);
  }
  const ways = new Map<TimelineId, Ancestry>();
  for (const timeline of new Set([...catalog.objects.keys(), ...histories.keys(), timelineId(1)])) {
    if (timeline === 1 || histories.has(timeline)) ways.set(timeline, ancestry(histories, timeline));
  }
  const expired = await readExpired(repository, cluster, system.system_identifier, signal);
  return { archive, catalog, ways, expired };
}

/** Reads the WAL of a system, or hands on what it has read of it before. */
export type WalReader = (system: SystemRecord) => Promise<SystemWal>;

/** For questions that are asked together: a list of the WAL is the dearest part of each. */
export function walReader(options: ClusterInRepository): WalReader {
  const read = new Map<string, Promise<SystemWal>>();
  return (system) => {
    const wal = read.get(system.system_identifier) ?? readSystemWal(options, system);
    read.set(system.system_identifier, wal);
    return wal;
  };
}

/** How far a backup can be rolled forward on the way to `timeline`; undefined where that way does not lead through it. */
export function wayFrom(wal: SystemWal, backup: BackupSummary, timeline: TimelineId): Way | undefined {
  const ancestryOfTarget = wal.ways.get(timeline);
  const from = parseLsn(backup.start_lsn);
  const stop = parseLsn(backup.stop_lsn);
  if (ancestryOfTarget === undefined || from === undefined || stop === undefined) return undefined;
  if (!contains(ancestryOfTarget, timelineId(backup.timeline), stop)) return undefined;
  const way = findWay(wal.catalog, ancestryOfTarget, from, wal.archive.segmentSize);
  return way.end >= stop && !way.overruns ? way : undefined;
}

/** Whether WAL behind the backup was left to lead on to every later moment, and not only to the backup's own end. */
export function leadsOn(wal: SystemWal, backup: BackupSummary, timeline: TimelineId): boolean {
  const way = wal.ways.get(timeline);
  const start = parseLsn(backup.start_lsn);
  const expired = way && expiredOn(way, wal.expired);
  return expired === undefined || (start !== undefined && start >= expired);
}

export interface WalGap {
  readonly timeline: number;
  readonly from_lsn: string;
  readonly to_lsn: string;
}

/** From when to when a cluster can be brought back. Null where it cannot at all. */
export interface RecoveryWindow {
  readonly earliest_at: string | null;
  /** The server's clock when it sent the newest WAL there is. */
  readonly latest_at: string | null;
  readonly earliest_lsn: string | null;
  readonly latest_lsn: string | null;
  readonly latest_timeline: number | null;
  readonly gaps: readonly WalGap[];
}

const NO_WINDOW: RecoveryWindow = {
  earliest_at: null,
  latest_at: null,
  earliest_lsn: null,
  latest_lsn: null,
  latest_timeline: null,
  gaps: [],
};

/** What has been read already by whoever asks several questions at once. */
export interface AlreadyRead {
  /** All of the cluster. */
  readonly backups?: readonly BackupSummary[];
  readonly readWal?: WalReader;
}

export async function recoveryWindow(options: ClusterInRepository & AlreadyRead): Promise<RecoveryWindow> {
  const { repository, cluster, signal } = options;
  const backups = options.backups ?? (await listBackups(options));
  const newest = backups.at(-1);
  const systems = await listSystems(repository, cluster, signal);
  const system = systems.find((record) => record.system_identifier === newest?.system_identifier);
  if (newest === undefined || system === undefined) return NO_WINDOW;
  const wal = await (options.readWal ?? walReader(options))(system);
  const usable = backups.filter(
    (backup) =>
      backup.system_identifier === system.system_identifier &&
      [...wal.ways.keys()].some((timeline) => wayFrom(wal, backup, timeline) !== undefined),
  );
  let latest: { readonly timeline: TimelineId; readonly way: Way } | undefined;
  for (const timeline of [...wal.ways.keys()].toSorted((a, b) => b - a)) {
    const way = wayFrom(wal, newest, timeline);
    if (way !== undefined && latest === undefined) latest = { timeline, way };
  }
  const end = latest?.timeline;
  const earliest = usable.find((backup) => end !== undefined && leadsOn(wal, backup, end)) ?? usable[0];
  if (earliest === undefined || latest === undefined) return NO_WINDOW;
  return {
    earliest_at: earliest.finished_at,
    latest_at: later(newest.finished_at, await sentAt(wal, latest.way, signal)),
    earliest_lsn: earliest.stop_lsn,
    latest_lsn: formatLsn(latest.way.end),
    latest_timeline: latest.timeline,
    gaps: findGaps(wal, latest.timeline, parseLsn(earliest.start_lsn)),
  };
}

/** Its own end is a moment that a backup reaches, also before the server has sent anything more. */
const later = (finishedAt: string, sent: string | null): string =>
  sent !== null && Date.parse(sent) > Date.parse(finishedAt) ? sent : finishedAt;

/** Every break in the WAL along the way to `timeline`, from `from` on. */
export function findGaps(wal: SystemWal, timeline: TimelineId, from: Lsn | undefined): readonly WalGap[] {
  const ancestryOfTarget = wal.ways.get(timeline);
  const gaps: WalGap[] = [];
  if (ancestryOfTarget === undefined) return gaps;
  for (let at = from; at !== undefined; ) {
    const way: Way = findWay(wal.catalog, ancestryOfTarget, at, wal.archive.segmentSize);
    if (way.resumesAt !== undefined) {
      gaps.push({ timeline, from_lsn: formatLsn(way.end), to_lsn: formatLsn(way.resumesAt) });
    }
    at = way.resumesAt;
  }
  return gaps;
}

/** When the server sent the WAL that the way ends with. */
export async function sentAt(wal: SystemWal, way: Way, signal: AbortSignal | undefined): Promise<string | null> {
  const last = way.steps.at(-1);
  if (last === undefined) return null;
  return (await lastSentAt(wal.archive, last.timeline, last.start, signal)) ?? null;
}
