// `restore`, first half: choose, prove and reckon before anything is touched.
//
//   1  what is in the folder decides how: laid anew, compared and mended (`delta`), or an unfinished restore gone on with
//   2  the timeline to end on: the one asked for, else the newest that a backup leads to
//   3  candidates, newest first: backups whose end lies before the target and whose WAL leads to it without a gap
//   4  the target itself must lie in that WAL (`reach.ts`)
//   5  every chunk of the backup must be there; where one is not, the next older candidate is taken and that is said
//   6  the roots must be free or ours, and the file systems large enough
// A target that cannot be reached is an error here, never a fall back to another moment.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, chunkCount, isZeroChunk } from '../../format/chunk.ts';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import { readChunk, type RepositoryIndex, readIndex } from '../../repository/index-store.ts';
import { readManifest } from '../../repository/manifest-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { listBackups, type SystemWal } from '../backups.ts';
import type { Way } from '../wal/coverage.ts';
import { type Candidate, explainUnreachable, findCandidates } from './candidate.ts';
import { laidFiles, LEFT_OUT, storedBytes, wantedChunks } from './chunks.ts';
import { compareFiles } from './compare.ts';
import {
  chooseMode,
  type FolderState,
  inspectFolder,
  linkTarget,
  type RestoreMode,
  refuseForeignRoots,
} from './folder.ts';
import { isInside, type Layout, planLayout } from './layout.ts';
import { lastWanted, type Reached, reach, trimWay } from './reach.ts';
import { expectDuration, reckonSpace } from './reckon.ts';
import { planRecovery, type Recovery, type StandbyWish, type TargetAction } from './recovery.ts';
import { type Selection, selectDatabases } from './selection.ts';
import { expectedPaths, NOTHING_THERE, type Survey, survey } from './survey.ts';
import { describeTarget, type RecoveryTarget, targetValue } from './target.ts';
import { join } from 'node:path';

/** Segments laid ready ahead of replay; so much space WAL takes beside the data at any time. */
export const SEGMENTS_AHEAD = 32;
/** What recovery itself may keep in pg_wal until its first checkpoint is counted twice over. */
const SPARE_BYTES = 256 * 1024 * 1024;
/** Configuration files are small; one that is not is not looked into. */
const CONFIGURATION_BYTES_MAX = 256 * 1024;

export interface PlanOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly target: RecoveryTarget;
  readonly timeline?: number;
  readonly backupId?: string;
  readonly targetDirectory: string;
  /** Stop just before the target instead of just after it. */
  readonly exclusive?: boolean;
  /** A data directory that is there may be overwritten; only what differs is fetched. */
  readonly delta?: boolean;
  /** With `delta`: also one of another system. */
  readonly otherSystem?: boolean;
  readonly tablespaces?: readonly { readonly which: string; readonly to: string }[];
  readonly tablespacesInto?: string;
  readonly walDirectory?: string;
  /** Only these databases, with what all share; files of others become empty shells. */
  readonly databases?: readonly string[];
  /** What the server does when it has reached the target; `promote` by default. */
  readonly action?: TargetAction;
  readonly standby?: StandbyWish;
  /** Compare what is there now, so that the plan knows what would be fetched: for a dry run. */
  readonly compare?: { readonly workers: number; readonly report: Report };
  readonly signal?: AbortSignal;
}

/** What a restore will do, for people and as a document. */
export interface RestorePlan {
  readonly cluster: string;
  readonly mode: RestoreMode;
  readonly backup: BackupSummary;
  readonly target: { readonly kind: RecoveryTarget['kind']; readonly value: string | null };
  readonly exclusive: boolean;
  readonly action: TargetAction;
  readonly standby: boolean;
  readonly timeline: number;
  readonly directory: string;
  readonly tablespaces: readonly {
    readonly oid: number;
    readonly name: string | null;
    readonly old_path: string;
    readonly path: string;
    readonly bytes: number;
    readonly free_bytes: number;
  }[];
  readonly wal_directory: string | null;
  readonly databases: { readonly restored: readonly string[]; readonly left_empty: readonly string[] } | null;
  readonly files: number;
  readonly bytes: number;
  /** What is fetched from the repository for them; at most so much where files are yet to be compared. */
  readonly fetch_bytes: number;
  /** Of a folder that holds files already; null where it is laid anew. */
  readonly changes: {
    readonly kept_files: number;
    readonly new_files: number;
    /** Files, folders and links that go, each folder counted once. */
    readonly removed: number;
    /** Whether the files that stay were compared for this plan; else that is done first of all. */
    readonly compared: boolean;
    readonly different_bytes: number | null;
  } | null;
  readonly wal_segments: number;
  readonly wal_bytes: number;
  readonly wal_from_lsn: string;
  readonly wal_to_lsn: string;
  readonly free_bytes: number;
  readonly needed_bytes: number;
  readonly expected_seconds: number | null;
  readonly expected_from: string | null;
  /** The newest commit that will be there, where it is known beforehand. */
  readonly recovers_to: string | null;
  readonly signal_file: string;
  /** What is written to postgresql.auto.conf, and stays there only until the recovery is over. */
  readonly settings: Readonly<Record<string, string>>;
  readonly lasting_settings: Readonly<Record<string, string>>;
  /** Settings of the backed up postgresql.auto.conf that are left out. */
  readonly dropped_settings: readonly string[];
  readonly notes: readonly string[];
}

/** A plan with what carrying it out needs. */
export interface PlannedRestore {
  readonly plan: RestorePlan;
  /** What PostgreSQL is told, which may be less than what was asked: see `reach.ts`. */
  readonly told: RecoveryTarget;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly wal: SystemWal;
  readonly way: Way;
  readonly layout: Layout;
  readonly selection: Selection;
  readonly recovery: Recovery;
}

export async function planRestore(given: PlanOptions): Promise<PlannedRestore> {
  const { repository, cluster, target, signal } = given;
  const state = await inspectFolder(given.targetDirectory);
  const mode = chooseMode(state, {
    directory: given.targetDirectory,
    delta: given.delta ?? false,
    repositoryId: repository.id,
    cluster,
  });
  const options = goOnWith(given, state);
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
    if (missing === 0) return finish(options, { state, mode, candidate, reached, manifest, index, notes });
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

/** An unfinished restore goes on with the backup it began with; another one is refused, unless `delta` overwrites it. */
function goOnWith(options: PlanOptions, state: FolderState): PlanOptions {
  if (state.kind !== 'interrupted') return options;
  const { backup, started_at: startedAt } = state.marker;
  if (options.backupId === undefined) return { ...options, backupId: backup };
  if (options.delta === true || backup === options.backupId || isPrefix(options.backupId, backup)) return options;
  throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${options.targetDirectory}`, {
    why: `an unfinished restore of backup ${backup} lies there, begun at ${startedAt}`,
    hint: `go on with --backup ${backup}, overwrite it with --delta, or name another folder`,
  });
}

/** An id may be said by its beginning, or that of its last part. */
const isPrefix = (said: string, id: string): boolean =>
  id.startsWith(said) || (id.split('-')[1] ?? '').startsWith(said);

interface Chosen {
  readonly state: FolderState;
  readonly mode: RestoreMode;
  readonly candidate: Candidate;
  readonly reached: Reached;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly notes: readonly string[];
}

async function finish(options: PlanOptions, chosen: Chosen): Promise<PlannedRestore> {
  const { state, mode, candidate, reached, manifest, index } = chosen;
  const { backup, way, wal, timeline } = candidate;
  const { target } = options;
  const { head } = manifest;
  refuseOtherSystem(options, state, backup);
  const layout = planLayout(head, { ...options, directory: options.targetDirectory });
  const selection = selectDatabases(head, options.databases);
  await refuseForeignRoots(layout, state);
  const recovery = planRecovery({
    target,
    told: reached.told,
    timeline,
    exclusive: options.exclusive ?? false,
    action: options.action ?? 'promote',
    standby: options.standby,
    standbyParameters: head.standby_parameters,
    postgresqlConf: await readText(options, chosen, 'postgresql.conf'),
    autoConf: await readText(options, chosen, 'postgresql.auto.conf'),
  });
  const there = await lookAt(options, layout, chosen);
  const files = laidFiles(manifest, layout, selection, there.files);
  const wanted = wantedChunks(files, manifest.chunkIds.length / CHUNK_ID_BYTES);
  const staying = files.filter(({ old }) => old !== undefined);
  const comparing = mode !== 'fresh' && options.compare !== undefined;
  const comparison = comparing
    ? await compareFiles({
        repository: options.repository,
        files,
        ids: manifest.chunkIds,
        wanted,
        mend: false,
        signal: options.signal ?? new AbortController().signal,
        ...options.compare,
      })
    : undefined;
  if (!comparing) for (const { entry, chunk } of staying) wanted.fill(1, chunk, chunk + chunkCount(entry.bytes));

  const steps = trimWay(way, wal, lastWanted(backup, reached.told));
  const walBytes = steps.length * wal.archive.segmentSize;
  const walAhead = Math.min(steps.length, SEGMENTS_AHEAD) * wal.archive.segmentSize + SPARE_BYTES;
  // What files that stay take already is not needed again; shells take nothing.
  const growth = (root: string): number =>
    files.reduce((sum, { entry, path, shell, old }) => {
      return shell || !isInside(path, root) ? sum : sum + Math.max(0, entry.bytes - (old ?? 0));
    }, 0);
  const needs = [
    { path: layout.directory, bytes: growth(layout.directory) + (layout.walDirectory === undefined ? walAhead : 0) },
    ...[...layout.tablespaces.values()].map((path) => ({ path, bytes: growth(path) })),
    ...(layout.walDirectory === undefined ? [] : [{ path: layout.walDirectory, bytes: walAhead }]),
  ];
  const places = await reckonSpace(needs);
  const fetchBytes = storedBytes(wanted, manifest.chunkIds, index);
  const toWrite =
    comparison?.differentBytes ?? files.reduce((sum, { entry, shell }) => sum + (shell ? 0 : entry.bytes), 0);
  const backups = await listBackups({ ...options, ...(options.signal && { signal: options.signal }) });
  const expected = expectDuration(backups, toWrite, walBytes);
  const plan: RestorePlan = {
    cluster: options.cluster,
    mode,
    backup,
    target: { kind: target.kind, value: targetValue(target) },
    exclusive: options.exclusive ?? false,
    action: recovery.action,
    standby: recovery.kind === 'standby',
    timeline,
    directory: layout.directory,
    tablespaces: head.summary.tablespaces.map(({ oid, path, bytes }, i) => ({
      oid,
      name: head.tablespace_names?.[oid] ?? null,
      old_path: path,
      path: layout.tablespaces.get(oid) ?? path,
      bytes,
      free_bytes: places[i + 1]?.freeBytes ?? 0,
    })),
    wal_directory: layout.walDirectory ?? null,
    databases:
      selection.restored.length === 0 ? null : { restored: selection.restored, left_empty: selection.leftEmpty },
    files: backup.files,
    bytes: backup.bytes,
    fetch_bytes: fetchBytes,
    changes:
      mode === 'fresh'
        ? null
        : {
            kept_files: staying.length,
            new_files: files.length - staying.length,
            removed: there.removed.length,
            compared: comparison !== undefined,
            different_bytes: comparison?.differentBytes ?? null,
          },
    wal_segments: steps.length,
    wal_bytes: walBytes,
    wal_from_lsn: backup.start_lsn,
    wal_to_lsn: formatLsn(lastWanted(backup, target) ?? way.end),
    free_bytes: places[0]?.freeBytes ?? 0,
    needed_bytes: needs.reduce((sum, { bytes }) => sum + bytes, 0),
    expected_seconds: expected?.seconds ?? null,
    expected_from: expected?.from ?? null,
    recovers_to: reached.recoversTo?.toISOString() ?? null,
    signal_file: recovery.signalFile,
    settings: recovery.settings,
    lasting_settings: recovery.lasting,
    dropped_settings: recovery.dropped,
    notes: [
      ...chosen.notes,
      ...(await noteFolder(chosen, layout)),
      ...candidate.passedOver.map(
        (newer) =>
          `Timeline ${newer} is newer, but of its WAL nothing is stored that leads on: timeline ${timeline} is taken.`,
      ),
      ...(reached.note === undefined ? [] : [reached.note]),
      ...(selection.leftEmpty.length === 0
        ? []
        : [`Databases that are left empty cannot be connected to, only dropped: ${selection.leftEmpty.join(', ')}.`]),
      ...recovery.notes,
    ],
  };
  return { plan, told: reached.told, manifest, index, wal, way: { ...way, steps }, layout, selection, recovery };
}

function refuseOtherSystem(options: PlanOptions, state: FolderState, backup: BackupSummary): void {
  const found = state.kind === 'cluster' ? state.systemIdentifier : undefined;
  if (found === undefined || found === backup.system_identifier || options.otherSystem === true) return;
  throw new SpillwayError('SPW_SYSTEM_MISMATCH', `nothing was restored into ${options.targetDirectory}`, {
    why: `its system identifier is ${found}, and that of backup ${backup.id} is ${backup.system_identifier}: it is another cluster`,
    hint: 'check the folder; to overwrite that other cluster all the same, add --force-other-system',
  });
}

async function noteFolder({ state, mode }: Chosen, layout: Layout): Promise<readonly string[]> {
  if (mode === 'fresh') return [];
  const notes: string[] = [];
  if (state.kind === 'interrupted') {
    notes.push(`A restore of backup ${state.marker.backup}, begun at ${state.marker.started_at}, is gone on with.`);
  } else {
    notes.push('All that the folder holds and the backup does not is removed, WAL that was never stored among it.');
  }
  if (state.kind === 'cluster' && state.systemIdentifier === undefined) {
    notes.push('The folder has no readable pg_control: that it is a copy of this cluster cannot be seen.');
  }
  const walLink = await linkTarget(join(layout.directory, 'pg_wal'));
  if (walLink !== undefined && walLink !== layout.walDirectory) {
    notes.push(`pg_wal is a link to ${walLink}: a folder takes its place, and what lies behind it is left as it is.`);
  }
  return notes;
}

async function lookAt(options: PlanOptions, layout: Layout, { mode, manifest }: Chosen): Promise<Survey> {
  if (mode === 'fresh') return NOTHING_THERE;
  const entries = manifest.entries.filter((entry) => !LEFT_OUT.has(entry.path));
  return survey(expectedPaths(entries, layout), layout, options.signal ?? new AbortController().signal);
}

/** A small file of the backup; empty where it has none. */
async function readText(
  { repository, signal }: PlanOptions,
  { manifest, index }: Chosen,
  path: string,
): Promise<string> {
  let chunk = 0;
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    if (entry.path === path && entry.tablespace === undefined) {
      if (entry.bytes === 0 || entry.bytes > CONFIGURATION_BYTES_MAX) return '';
      try {
        const content = await readChunk(repository, index, manifest.chunkIds, chunk * CHUNK_ID_BYTES, signal);
        return Buffer.from(content).toString('utf8');
      } catch (error) {
        // Damage is told by the restore itself, which needs this file like any other.
        if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return '';
        throw error;
      }
    }
    chunk += chunkCount(entry.bytes);
  }
  return '';
}

function countMissing(manifest: Manifest, { table }: RepositoryIndex): number {
  let missing = 0;
  for (let at = 0; at < manifest.chunkIds.length; at += CHUNK_ID_BYTES) {
    if (!isZeroChunk(manifest.chunkIds, at) && !table.has(manifest.chunkIds, at)) missing++;
  }
  return missing;
}
