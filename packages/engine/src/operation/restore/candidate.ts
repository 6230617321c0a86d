// Choosing a backup to begin with: those that ended before the target and whose WAL leads to it, newest first.
//
// A backup's way goes to the newest timeline that it leads to. Where of a newer one only the history file is stored, there
// is no way to it, and that is said: a server was promoted, and its WAL did not reach the repository.

import { SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { formatLsn, type Lsn, parseLsn, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import { contains } from '../../postgres/timeline.ts';
import { chooseById, listManifests } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { readSystemWal, sentAt, type SystemWal, wayFrom } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { Way } from '../wal/coverage.ts';
import { describeTarget, type RecoveryTarget } from './target.ts';

export interface CandidateWish {
  readonly repository: Repository;
  readonly cluster: string;
  readonly target: RecoveryTarget;
  readonly timeline?: number;
  readonly backupId?: string;
  readonly signal?: AbortSignal;
}

export interface Candidate {
  readonly backup: BackupSummary;
  readonly wal: SystemWal;
  readonly way: Way;
  readonly timeline: TimelineId;
  /** Newer timelines of which nothing leads on from the backup. */
  readonly passedOver: readonly TimelineId[];
}

export interface Candidates {
  /** Newest first. */
  readonly candidates: readonly Candidate[];
  /** All of the cluster, oldest first. */
  readonly backups: readonly BackupSummary[];
}

/** Throws where there is no backup at all, or none that was named or is early enough. */
export async function findCandidates(options: CandidateWish): Promise<Candidates> {
  const { repository, cluster, target, signal } = options;
  const { heads, unreadable } = await listManifests(repository, cluster, signal);
  const backups = heads.map(({ summary }) => summary);
  const [damagedOne] = unreadable.filter(({ id }) => options.backupId === undefined || id === options.backupId);
  if (damagedOne !== undefined && (backups.length === 0 || options.backupId !== undefined)) {
    throw new SpillwayError(damagedOne.error.code, `cluster ${cluster} cannot be restored`, {
      cause: damagedOne.error,
    });
  }
  if (backups.length === 0) {
    throw new SpillwayError('SPW_TARGET_UNREACHABLE', `cluster ${cluster} cannot be restored`, {
      why: 'the repository holds no backup of it',
      hint: 'check the name of the cluster; spillway backup makes a backup',
    });
  }
  const named = options.backupId === undefined ? backups : [chooseById(backups, cluster, options.backupId)];
  const early = named.filter((backup) => endsBefore(backup, target));
  if (early.length === 0) throw tooEarly(named[0], options);
  const systems = new Map<string, SystemWal>();
  for (const system of await listSystems(repository, cluster, signal)) {
    const wal = await readSystemWal({ repository, cluster, ...(signal && { signal }) }, system);
    systems.set(system.system_identifier, wal);
  }
  const candidates: Candidate[] = [];
  for (const backup of early.toReversed()) {
    const wal = systems.get(backup.system_identifier);
    if (wal === undefined) continue;
    const timelines =
      options.timeline === undefined ? [...wal.ways.keys()].toSorted((a, b) => b - a) : [timelineId(options.timeline)];
    const stop = lsnOf(backup.stop_lsn);
    const passedOver: TimelineId[] = [];
    for (const timeline of timelines) {
      const way = wayFrom(wal, backup, timeline);
      if (way === undefined) {
        const ancestry = wal.ways.get(timeline);
        if (ancestry !== undefined && contains(ancestry, timelineId(backup.timeline), stop)) passedOver.push(timeline);
        continue;
      }
      candidates.push({ backup, wal, way, timeline, passedOver });
      break;
    }
  }
  if (candidates.length === 0) {
    throw new SpillwayError(
      'SPW_TARGET_UNREACHABLE',
      `cluster ${cluster} cannot be restored to ${describeTarget(target)}`,
      {
        why:
          options.timeline === undefined
            ? 'no backup before it has all the WAL it needs itself'
            : `no backup before it leads to timeline ${options.timeline}`,
      },
    );
  }
  return { candidates, backups };
}

/** A backup must have ended before the target, or the cluster would not be consistent there. */
function endsBefore(backup: BackupSummary, target: RecoveryTarget): boolean {
  if (target.kind === 'time') return Date.parse(backup.finished_at) <= target.at.getTime();
  if (target.kind !== 'lsn') return true;
  const stop = parseLsn(backup.stop_lsn);
  const wanted = parseLsn(target.lsn);
  return stop !== undefined && wanted !== undefined && stop <= wanted;
}

function tooEarly(first: BackupSummary | undefined, options: CandidateWish): SpillwayError {
  const since = first === undefined ? '' : ` ended at ${first.finished_at}, LSN ${first.stop_lsn}`;
  const which = options.backupId === undefined ? 'the first backup' : `backup ${first?.id ?? ''}`;
  return new SpillwayError('SPW_TARGET_UNREACHABLE', `${describeTarget(options.target)} cannot be reached`, {
    why: `${which}${since}, which is later`,
  });
}

export async function explainUnreachable(candidates: readonly Candidate[], options: CandidateWish): Promise<string> {
  const [newest] = candidates;
  if (newest === undefined) return 'no backup leads to it';
  const { way, wal } = newest;
  const end = `${formatLsn(way.end)} on timeline ${newest.timeline}`;
  const at = await sentAt(wal, way, options.signal);
  if (way.resumesAt !== undefined) {
    return `WAL is missing from ${end} (sent ${at ?? 'at an unknown time'}) to ${formatLsn(way.resumesAt)}`;
  }
  if (options.target.kind === 'xid' || options.target.kind === 'name') {
    return `the WAL from ${newest.backup.start_lsn} to ${end} does not hold it`;
  }
  return `the WAL in the repository ends at ${end}, sent by the server at ${at ?? 'an unknown time'}`;
}

export function lsnOf(text: string): Lsn {
  const value = parseLsn(text);
  if (value === undefined) {
    throw new SpillwayError('SPW_USAGE', `${text} is no LSN`, {
      hint: 'write it as PostgreSQL does, for example 16/B374D848',
    });
  }
  return value;
}
