// `restore`, second half: lay a backup down, so that PostgreSQL can recover from it.
//
//   1  take away an old pg_control, durably: from now on no server starts in the folder; write the marker (`marker.ts`)
//   2  set aside WAL that was never stored (`kept-wal.ts`), take away what else the backup does not have; make the folders,
//      the files at full length and empty, and the links
//   3  compare the files that were there; workers fetch the packs' stretches in order and write the chunks that are wanted
//   4  write what PostgreSQL needs to recover (`finish.ts`)
//   5  sync every file and folder
//   6  write and sync pg_control under another name, put the marker away, give pg_control its name, remove the marker
//
// Invariant: until pg_control stands there no server starts in the folder, so a restore that was broken off cannot be
// mistaken for a cluster, and its marker says how to go on. Success is said only when all is synced.

import { chmodSync, closeSync, constants, fchmodSync, fchownSync, ftruncateSync, openSync } from 'node:fs';
import { chmod, chown, lchown, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { type ErrorCode, isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import type { FileEntry } from '../../format/entry.ts';
import { reportDetours, takeDetours } from '../../repository/elsewhere.ts';
import type { RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import type { Detour } from '../../storage/wrap/several.ts';
import type { Crew } from '../crew.ts';
import { CONTROL_FILE, type LaidFile, laidFiles, layTasks, LEFT_OUT, wantedChunks } from './chunks.ts';
import { PathTable } from './path-table.ts';
import { compareFiles } from './compare.ts';
import { RECOVERY_FOLDER } from './fetch-script.ts';
import { layControl, type Owner, writeRecoveryFiles } from './finish.ts';
import { inspectFolder } from './folder.ts';
import { type BadPacks, layFromOthers, newCrew } from './lay-from-others.ts';
import type { LayData, LayResult, LayTask } from './lay-worker.ts';
import { findUnstoredWal, keepWal, walPlace } from './kept-wal.ts';
import { pathOf, rootsOf } from './layout.ts';
import { moveMarker, removeMarker, thisProcess, writeMarker } from './marker.ts';
import { makePassable, ownerOf } from './passage.ts';
import type { PlannedRestore } from './planned.ts';
import { expectedPaths, NOTHING_THERE, removeAll, type Survey, survey } from './survey.ts';
import { syncAbove, syncAll, syncFolder } from './sync.ts';

const FILES_BETWEEN_YIELDS = 256;
/** For the owner. */
const READ_WRITE = 0o600;

export interface RestoreOptions {
  readonly repository: Repository;
  readonly planned: PlannedRestore;
  readonly workers: number;
  /** A shell command that puts WAL file "%f" at "%p": what PostgreSQL runs when nothing was laid ready. */
  readonly restoreCommand: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface RestoreSummary {
  readonly directory: string;
  /** The place of the repository that was read. */
  readonly source: string;
  /** What was read from another place instead, and why. */
  readonly detours: readonly Detour[];
  readonly backup: string;
  readonly files: number;
  readonly bytes: number;
  readonly fetched_bytes: number;
  /** What was written into files; less than `bytes` where much was there already or is zeros. */
  readonly written_bytes: number;
  readonly duration_seconds: number;
  readonly bytes_per_second: number;
}

export async function restore(options: RestoreOptions): Promise<RestoreSummary> {
  const { planned, signal, report } = options;
  const { directory, backup } = planned.plan;
  const began = performance.now();
  const step = (phase: string): void => {
    signal.throwIfAborted();
    report({ type: 'progress', phase, done_bytes: 0 });
  };
  let touched = false;
  try {
    const laid = await layFiles(options, (phase) => {
      touched = true;
      step(phase);
    });
    step('writing recovery files');
    await writeRecoveryFiles(options, laid.owner);
    step('syncing files');
    await syncAll(laid.paths, laid.folders, signal);
    for (const { path, entry } of laid.readOnly) await chmod(path, entry.mode);
    step('finishing');
    await layControl(options, () => moveMarker(directory), step);
    await removeMarker(directory);
    const seconds = (performance.now() - began) / 1000;
    return {
      directory,
      source: options.repository.storage.description,
      detours: laid.detours(),
      backup: backup.id,
      files: backup.files,
      bytes: backup.bytes,
      fetched_bytes: laid.fetchedBytes,
      written_bytes: laid.writtenBytes,
      duration_seconds: seconds,
      bytes_per_second: Math.round(backup.bytes / seconds),
    };
  } catch (error) {
    if (signal.aborted || (!touched && isSpillwayError(error))) throw error;
    throw unfinished(directory, error);
  }
}

/** What failed, and what became of the folder: nothing can be started there now, and that is on purpose. */
function unfinished(directory: string, cause: unknown): SpillwayError {
  const first = isSpillwayError(cause) ? cause : undefined;
  const words = first === undefined ? [String(cause)] : [first.message, first.why ?? ''];
  const isFull = words.some((word) => /ENOSPC|EDQUOT|no space left on device/.test(word));
  const code = isFull ? 'SPW_DISK_SPACE' : (first?.code ?? 'SPW_RESTORE_FAILED');
  const why = first === undefined ? (cause as Error).message : words.filter((word) => word !== '').join(': ');
  const begun = 'nothing can be started in the folder until a restore into it has finished';
  return new SpillwayError(code, `the restore into ${directory} did not finish`, {
    why: `${why}; ${begun}`,
    hint: HINTS[code] ?? 'mend that, then run the same command again: it goes on where it was',
    cause,
  });
}

const OTHER_BACKUP =
  'name another backup with --backup, and --delta: what is whole in the folder stays; spillway backups lists them, and spillway verify tells which are good';
const HINTS: Partial<Record<ErrorCode, string>> = {
  SPW_DISK_SPACE: 'free space there, then run the same command again: it goes on where it was',
  SPW_OBJECT_DAMAGED: OTHER_BACKUP,
  SPW_OBJECT_MISSING: OTHER_BACKUP,
};

interface Laid {
  /** Every file and folder that must be synced. */
  readonly paths: Iterable<string>;
  readonly folders: readonly string[];
  /** They get their mode when they are written. */
  readonly readOnly: readonly LaidFile[];
  readonly owner: Owner | undefined;
  readonly fetchedBytes: number;
  readonly writtenBytes: number;
  readonly detours: () => readonly Detour[];
}

async function layFiles(options: RestoreOptions, step: (phase: string) => void): Promise<Laid> {
  const { planned, repository, report, signal, workers } = options;
  const { manifest, index, layout, plan } = planned;
  // Loading its module takes a while, which passes beside what comes first; over files that are there it may not be needed.
  await using early = plan.mode === 'fresh' ? newCrew(workers) : undefined;
  const asRoot = process.getuid?.() === 0;
  const owner = asRoot ? ownerOf(manifest.entries) : undefined;
  await makeRoots(planned, repository.id, owner);
  step('preparing the folder');
  const there = plan.mode === 'fresh' ? NOTHING_THERE : await clear(planned, signal, step);
  const folders = await makeFolders(planned, there, owner);
  const files = laidFiles(manifest, layout, planned.selection, there.files);
  const paths = new PathTable();
  const readOnly: LaidFile[] = [];
  for (const file of files) {
    const { path, entry, old, shell } = file;
    if (paths.length % FILES_BETWEEN_YIELDS === 0) await yieldToOthers(undefined, { signal });
    // A shell must be empty whatever was there.
    if (shell && there.files.has(path)) await rm(path);
    makeFile(path, entry, asRoot, old !== undefined);
    paths.add(path);
    if ((entry.mode & READ_WRITE) !== READ_WRITE) readOnly.push(file);
  }
  const wanted = wantedChunks(files, manifest.chunkIds.length / CHUNK_ID_BYTES);
  const ids = manifest.chunkIds;
  await compareFiles({ repository, files, ids, wanted, mend: true, workers, signal, report });

  const totals = { fetched: 0, written: 0 };
  const detours = new Map<string, Detour>();
  const told = new Set<string>();
  const tellOf = (found: readonly Detour[]): void => {
    reportDetours(found, told, report);
    for (const detour of found) detours.set(detour.object, detour);
  };
  const run = async (by: Crew, some: Uint8Array, from: RepositoryIndex): Promise<BadPacks> => {
    const bad: BadPacks = new Map();
    await by.run<LayTask, LayResult, undefined>({
      data: { repository: repository.threadHandle } satisfies LayData,
      tasks: layTasks(files, paths, some, ids, from),
      onResult: ({ packId, bad: why, fetchedBytes, writtenBytes, detours: found }) => {
        tellOf(found);
        if (why !== undefined) bad.set(packId, why);
        totals.fetched += fetchedBytes;
        totals.written += writtenBytes;
        report({ type: 'progress', phase: 'restoring files', done_bytes: totals.written, total_bytes: plan.bytes });
      },
      signal,
    });
    return bad;
  };
  await using late = early === undefined && wanted.includes(1) ? newCrew(workers) : undefined;
  const crew = early ?? late;
  const bad = crew === undefined ? new Map<never, never>() : await run(crew, wanted, index);
  if (bad.size > 0) await layFromOthers(options, bad, wanted, run);
  return {
    paths,
    folders,
    readOnly,
    owner,
    fetchedBytes: totals.fetched,
    writtenBytes: totals.written,
    // Of this thread too, whatever was read last.
    detours: () => {
      tellOf(takeDetours(repository));
      return [...detours.values()];
    },
  };
}

/** Makes the folders that the backup goes into, and marks the first. */
async function makeRoots(
  { manifest, plan, layout }: PlannedRestore,
  repositoryId: string,
  owner: Owner | undefined,
): Promise<void> {
  const { directory } = layout;
  const mode = manifest.head.data_directory_mode ?? 0o700;
  // Filled, or started, between plan and restore?
  const state = await inspectFolder(directory);
  if (plan.mode === 'fresh' && state.kind !== 'empty') throw notEmpty(directory);
  if (plan.mode === 'resume' && state.kind === 'cluster') {
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${directory}`, {
      why: 'the unfinished restore there was finished meanwhile',
      hint: 'look at it; to restore over it all the same, see with --delta --dry-run what would be changed there',
    });
  }
  for (const root of rootsOf(layout)) {
    const firstMade = await makePassable(dirname(root));
    await mkdir(root, { recursive: true, mode: 0o700 });
    await syncAbove(root, firstMade);
    if (plan.mode === 'fresh' && root !== directory && (await readdir(root)).length > 0) throw notEmpty(root);
    // PostgreSQL gives a tablespace's folder the mode of its data directory.
    await chmod(root, mode);
    if (owner !== undefined) await chown(root, owner.uid, owner.gid);
  }
  if (plan.mode !== 'fresh') await close(directory);
  await writeMarker(
    directory,
    {
      process: await thisProcess(),
      repository: repositoryId,
      cluster: plan.cluster,
      backup: plan.backup.id,
      system_identifier: plan.backup.system_identifier,
      started_at: new Date().toISOString(),
      folders: rootsOf(layout).slice(1),
    },
    owner,
  );
}

const notEmpty = (root: string): SpillwayError =>
  new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${root}`, { why: 'it is not empty' });

/**
 * Takes pg_control away. Before the marker is there: broken off in between, the folder is a cluster without pg_control, and
 * is overwritten only where that is said again. The other way round it would be a cluster that starts, with a marker.
 */
async function close(directory: string): Promise<void> {
  const control = join(directory, CONTROL_FILE);
  await rm(control, { force: true });
  await syncFolder(dirname(control)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Sets aside WAL that was never stored, and takes away all else that the backup does not have. */
async function clear(
  { layout, wal, manifest }: PlannedRestore,
  signal: AbortSignal,
  step: (phase: string) => void,
): Promise<Survey> {
  const { directory } = layout;
  step('closed');
  await rm(join(directory, RECOVERY_FOLDER), { recursive: true, force: true });
  // Also where a restore is gone on with: it may have been broken off before it came to this.
  await keepWal(walPlace(layout), await findUnstoredWal(layout, wal));
  const found = await survey(expectedPaths(manifest.entries, layout), layout, signal);
  await removeAll(found.removed, signal);
  step('cleared');
  return found;
}

/** Folders and links; those that were there get their modes and owners. Gives all folders. */
async function makeFolders(
  { layout, manifest }: PlannedRestore,
  there: Survey,
  owner: Owner | undefined,
): Promise<readonly string[]> {
  const folders = [...rootsOf(layout)];
  const link = async (target: string, path: string): Promise<void> => {
    if (there.links.has(path)) return;
    await symlink(target, path);
    if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
  };
  for (const entry of manifest.entries) {
    if (LEFT_OUT.has(entry.path)) continue;
    const path = pathOf(layout, entry);
    if (entry.kind === 'link') await link(entry.target, path);
    if (entry.kind !== 'directory') continue;
    if (entry.path === 'pg_wal' && layout.walDirectory !== undefined) {
      await link(layout.walDirectory, path);
      await chmod(layout.walDirectory, entry.mode);
      continue;
    }
    if (!there.folders.has(path)) await mkdir(path, { mode: entry.mode });
    await chmod(path, entry.mode);
    if (owner !== undefined) await chown(path, entry.uid, entry.gid);
    folders.push(path);
  }
  for (const [oid, location] of layout.tablespaces) {
    await link(location, join(layout.directory, 'pg_tblspc', String(oid)));
  }
  return folders;
}

/** Of full length; a new one is empty. Synchronous: four quick calls a file cost more to schedule than to make. */
function makeFile(path: string, entry: FileEntry, asRoot: boolean, isThere: boolean): void {
  // A read-only one, such as a key, is opened again by whoever writes it.
  const mode = entry.mode | READ_WRITE;
  if (isThere) chmodSync(path, mode);
  const file = openSync(path, isThere ? constants.O_RDWR | constants.O_NOFOLLOW : 'wx', mode);
  try {
    fchmodSync(file, mode);
    if (asRoot) fchownSync(file, entry.uid, entry.gid);
    ftruncateSync(file, entry.bytes);
  } finally {
    closeSync(file);
  }
}
