// `restore`, first half: choose, prove and reckon before anything is touched.
//
//   1  the timeline to end on: the one asked for, else the newest that a backup leads to
//   2  candidates, newest first: backups whose end lies before the target and whose WAL leads to it without a gap
//   3  the target itself: it must lie in that WAL. Times are compared with the commits in the WAL, not with clocks:
//      after the last commit there is nothing to stop at, so a time between it and the end of WAL is the end of WAL
//   4  every chunk of the backup must be there; where one is not, the next older candidate is taken and that is said
//   5  the folder and those of the tablespaces must be empty, and the file system large enough
// A target that cannot be reached is an error here, never a fall back to another moment.

import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import { formatLsn, type Lsn, parseLsn, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import { serverProcess } from '../../postgres/server.ts';
import { type RepositoryIndex, readIndex } from '../../repository/index-store.ts';
import { chooseById, listManifests, readManifest } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { listBackups, readSystemWal, sentAt, type SystemWal, wayFrom } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { Way } from '../wal/coverage.ts';
import { findLastCommit, findRestorePoint, findTransaction, hasRecordFrom } from '../wal/search.ts';
import { describeTarget, type RecoveryTarget, targetMicros, targetValue } from './target.ts';

/** Segments at the end of WAL in which the newest commit is looked for when nothing depends on it. */
const SEGMENTS_LOOKED_AT = 3;
/** Segments laid ready ahead of replay; so much space WAL takes beside the data at any time. */
export const SEGMENTS_AHEAD = 32;
/** What recovery itself may keep in pg_wal until its first checkpoint is counted twice over. */
const SPARE_BYTES = 256 * 1024 * 1024;
/** Used for the expected time until a replay was measured: a deliberately slow guess. */
const REPLAY_BYTES_PER_SECOND_GUESS = 50e6;

export interface PlanOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly target: RecoveryTarget;
  readonly timeline?: number;
  readonly backupId?: string;
  readonly targetDirectory: string;
  /** Stop just before the target instead of just after it. */
  readonly exclusive?: boolean;
  readonly signal?: AbortSignal;
}

/** What a restore will do, for people and as a document. */
export interface RestorePlan {
  readonly cluster: string;
  readonly backup: BackupSummary;
  readonly target: { readonly kind: RecoveryTarget['kind']; readonly value: string | null };
  readonly exclusive: boolean;
  readonly timeline: number;
  readonly directory: string;
  readonly files: number;
  readonly bytes: number;
  /** What is fetched from the repository for them. */
  readonly fetch_bytes: number;
  readonly wal_segments: number;
  readonly wal_bytes: number;
  readonly wal_from_lsn: string;
  readonly wal_to_lsn: string;
  readonly free_bytes: number;
  readonly needed_bytes: number;
  readonly expected_seconds: number | null;
  /** The newest commit that will be there, where it is known beforehand. */
  readonly recovers_to: string | null;
  readonly notes: readonly string[];
}

/** A plan with what carrying it out needs. */
export interface PlannedRestore {
  readonly plan: RestorePlan;
  /** What PostgreSQL is told, which may be less than what was asked: see the head of this module. */
  readonly told: RecoveryTarget;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly wal: SystemWal;
  readonly way: Way;
}

interface Candidate {
  readonly backup: BackupSummary;
  readonly wal: SystemWal;
  readonly way: Way;
  readonly timeline: TimelineId;
}

export async function planRestore(options: PlanOptions): Promise<PlannedRestore> {
  const { repository, cluster, target, signal } = options;
  const directory = resolve(options.targetDirectory);
  await refuseUsedFolder(directory);
  const notes: string[] = [];
  const candidates = await findCandidates(options);
  const index = await readIndex(repository, signal && { signal });
  let reached: Reached | undefined;
  for (const candidate of candidates) {
    reached = await reach(candidate, options);
    if (reached === undefined) continue;
    const manifest = await readManifest(repository, cluster, candidate.backup.id, signal).catch((error: unknown) => {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER')) throw error;
      notes.push(`Backup ${candidate.backup.id} was passed over: ${error.message}.`);
    });
    if (manifest === undefined) {
      if (options.backupId !== undefined) break;
      continue;
    }
    const missing = countMissing(manifest, index);
    if (missing === 0) return finish(options, directory, candidate, reached, manifest, index, notes);
    notes.push(`Backup ${candidate.backup.id} was passed over: ${missing} of its chunks are missing or damaged.`);
    if (options.backupId !== undefined) break;
  }
  if (reached !== undefined || notes.length > 0) {
    throw new SpillwayError(
      'SPW_OBJECT_MISSING',
      `cluster ${cluster} cannot be restored to ${describeTarget(target)}`,
      {
        why: notes.join(' '),
      },
    );
  }
  throw new SpillwayError('SPW_TARGET_UNREACHABLE', `${describeTarget(target)} cannot be reached`, {
    why: await explainUnreachable(candidates, options),
  });
}

/** Newest first. Throws where there is no backup at all, or none that was named or is early enough. */
async function findCandidates(options: PlanOptions): Promise<readonly Candidate[]> {
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
    for (const timeline of timelines) {
      const way = wayFrom(wal, backup, timeline);
      if (way === undefined) continue;
      candidates.push({ backup, wal, way, timeline });
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
  return candidates;
}

/** A backup must have ended before the target, or the cluster would not be consistent there. */
function endsBefore(backup: BackupSummary, target: RecoveryTarget): boolean {
  if (target.kind === 'time') return Date.parse(backup.finished_at) <= target.at.getTime();
  if (target.kind !== 'lsn') return true;
  const stop = parseLsn(backup.stop_lsn);
  const wanted = parseLsn(target.lsn);
  return stop !== undefined && wanted !== undefined && stop <= wanted;
}

interface Reached {
  readonly told: RecoveryTarget;
  readonly recoversTo: Date | undefined;
  readonly note?: string;
}

const endOf = (way: Way): Way => ({ ...way, steps: way.steps.slice(-SEGMENTS_LOOKED_AT) });

/** Whether the candidate's WAL holds the target, and what PostgreSQL is to be told then. */
async function reach(candidate: Candidate, options: PlanOptions): Promise<Reached | undefined> {
  const { target, signal } = options;
  const { way, wal, backup } = candidate;
  const from = lsnOf(backup.stop_lsn);
  switch (target.kind) {
    case 'immediate':
      return { told: target, recoversTo: new Date(backup.finished_at) };
    case 'latest':
      // WAL that goes on behind a gap is not the latest: an older moment must be asked for by name.
      if (way.resumesAt !== undefined) return undefined;
      // Only told, not needed: of a cluster that was idle for long not all WAL is read for it.
      return { told: target, recoversTo: (await findLastCommit(wal.archive, endOf(way), from, signal))?.at };
    case 'lsn': {
      const wanted = lsnOf(target.lsn);
      if (wanted > way.end) return undefined;
      if (await hasRecordFrom(wal.archive, way, wanted, signal)) return { told: target, recoversTo: undefined };
      return {
        told: { kind: 'latest' },
        recoversTo: undefined,
        note: 'No WAL record begins at that position or after it, so all WAL is replayed.',
      };
    }
    case 'time': {
      const at = targetMicros(target);
      const last = await findLastCommit(wal.archive, way, from, signal);
      const stops = (micros: bigint): boolean => (options.exclusive === true ? micros >= at : micros > at);
      if (last !== undefined && stops(last.atMicros)) return { told: target, recoversTo: target.at };
      const known = await sentAt(wal, way, signal);
      if (known === null || Date.parse(known) < target.at.getTime()) return undefined;
      return {
        // Where WAL is missing, its end is there.
        told: { kind: 'latest' },
        recoversTo: last?.at,
        note: 'There is no commit after that time, so all WAL is replayed.',
      };
    }
    case 'xid': {
      const found = await findTransaction(wal.archive, way, from, target.xid, signal);
      return found && { told: target, recoversTo: found.at };
    }
    case 'name': {
      const found = await findRestorePoint(wal.archive, way, from, target.name, signal);
      return found && { told: target, recoversTo: found.at };
    }
  }
}

async function finish(
  options: PlanOptions,
  directory: string,
  candidate: Candidate,
  reached: Reached,
  manifest: Manifest,
  index: RepositoryIndex,
  notes: readonly string[],
): Promise<PlannedRestore> {
  const { backup, way, wal, timeline } = candidate;
  const { target } = options;
  const steps = trimWay(way, wal, lastWanted(backup, reached.told));
  const walBytes = steps.length * wal.archive.segmentSize;
  const needed = backup.bytes + Math.min(steps.length, SEGMENTS_AHEAD) * wal.archive.segmentSize + SPARE_BYTES;
  for (const { oid, path } of manifest.head.summary.tablespaces) {
    // Its old place may be taken by the cluster that still runs: better said now than when half is laid down.
    await refuseNotEmpty(path, `tablespace ${oid}, which belongs at ${path}`);
  }
  const free = await freeBytes(directory);
  if (free < needed) {
    throw new SpillwayError('SPW_DISK_SPACE', `the restore into ${directory} was not started`, {
      why: `it needs ${needed} bytes, and ${free} are free`,
    });
  }
  const plan: RestorePlan = {
    cluster: options.cluster,
    backup,
    target: { kind: target.kind, value: targetValue(target) },
    exclusive: options.exclusive ?? false,
    timeline,
    directory,
    files: backup.files,
    bytes: backup.bytes,
    fetch_bytes: fetchBytes(manifest, index),
    wal_segments: steps.length,
    wal_bytes: walBytes,
    wal_from_lsn: backup.start_lsn,
    wal_to_lsn: formatLsn(lastWanted(backup, target) ?? way.end),
    free_bytes: free,
    needed_bytes: needed,
    expected_seconds: await expectedSeconds(options, backup, walBytes),
    recovers_to: reached.recoversTo?.toISOString() ?? null,
    notes: [
      ...notes,
      ...(reached.note === undefined ? [] : [reached.note]),
      'archive_mode is off in the restored cluster, so that it cannot archive into the WAL of its source.',
    ],
  };
  return { plan, told: reached.told, manifest, index, wal, way: { ...way, steps } };
}

/** Where replay stops, where that is known as a position. */
function lastWanted(backup: BackupSummary, target: RecoveryTarget): Lsn | undefined {
  if (target.kind === 'lsn') return lsnOf(target.lsn);
  return target.kind === 'immediate' ? lsnOf(backup.stop_lsn) : undefined;
}

/** Of the way only what replay will ask for. */
function trimWay(way: Way, wal: SystemWal, wanted: Lsn | undefined): Way['steps'] {
  if (wanted === undefined) return way.steps;
  const size = BigInt(wal.archive.segmentSize);
  // One segment more: a record that begins before the target may end behind it.
  return way.steps.filter(({ start }) => start <= wanted + size);
}

/** From how fast the last full backup read the same data on the same machines. */
async function expectedSeconds(options: PlanOptions, backup: BackupSummary, walBytes: number): Promise<number | null> {
  const { repository, cluster, signal } = options;
  const fulls = (await listBackups({ repository, cluster, ...(signal && { signal }) })).filter(
    (each) => each.read_bytes > 0 && each.duration_seconds > 0,
  );
  const largest = fulls.reduce<BackupSummary | undefined>(
    (most, each) => (most === undefined || each.read_bytes >= most.read_bytes ? each : most),
    undefined,
  );
  if (largest === undefined) return null;
  const rate = largest.read_bytes / largest.duration_seconds;
  return Math.ceil(backup.bytes / rate + walBytes / REPLAY_BYTES_PER_SECOND_GUESS);
}

function countMissing(manifest: Manifest, { table }: RepositoryIndex): number {
  let missing = 0;
  for (let at = 0; at < manifest.chunkIds.length; at += CHUNK_ID_BYTES) {
    if (!isZeroChunk(manifest.chunkIds, at) && !table.has(manifest.chunkIds, at)) missing++;
  }
  return missing;
}

function fetchBytes(manifest: Manifest, { table }: RepositoryIndex): number {
  const seen = new Set<string>();
  let bytes = 0;
  for (let at = 0; at < manifest.chunkIds.length; at += CHUNK_ID_BYTES) {
    const place = table.find(manifest.chunkIds, at);
    const key = place && `${place.pack}:${place.offset}`;
    if (place === undefined || key === undefined || seen.has(key)) continue;
    seen.add(key);
    bytes += place.storedBytes;
  }
  return bytes;
}

async function refuseUsedFolder(directory: string): Promise<void> {
  const pid = await serverProcess(directory);
  if (pid !== undefined) {
    throw new SpillwayError('SPW_SERVER_RUNNING', `nothing was restored into ${directory}`, {
      why: `process ${pid} runs a PostgreSQL server there`,
    });
  }
  await refuseNotEmpty(directory, directory);
}

async function refuseNotEmpty(directory: string, which: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${directory} cannot be used`, { cause: error });
  });
  if (names.length > 0) {
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${which}`, {
      why: `it is not empty: it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`,
    });
  }
}

/** Free for unprivileged users, on the file system that the folder is or will be on. */
async function freeBytes(directory: string): Promise<number> {
  for (let at = directory; ; at = dirname(at)) {
    const there = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new SpillwayError('SPW_DISK_SPACE', `the space for ${directory} could not be looked at`, { cause: error });
    });
    if (there === undefined && at !== dirname(at)) continue;
    const { bavail, bsize } = await statfs(at);
    return bavail * bsize;
  }
}

function tooEarly(first: BackupSummary | undefined, options: PlanOptions): SpillwayError {
  const since = first === undefined ? '' : ` ended at ${first.finished_at}, LSN ${first.stop_lsn}`;
  const which = options.backupId === undefined ? 'the first backup' : `backup ${first?.id ?? ''}`;
  return new SpillwayError('SPW_TARGET_UNREACHABLE', `${describeTarget(options.target)} cannot be reached`, {
    why: `${which}${since}, which is later`,
  });
}

async function explainUnreachable(candidates: readonly Candidate[], options: PlanOptions): Promise<string> {
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

function lsnOf(text: string): Lsn {
  const value = parseLsn(text);
  if (value === undefined) {
    throw new SpillwayError('SPW_USAGE', `${text} is no LSN`, {
      hint: 'write it as PostgreSQL does, for example 16/B374D848',
    });
  }
  return value;
}
