// `restore`, second half: lay a backup down in an empty folder, so that PostgreSQL can recover from it.
//
//   1  make the folders, the files at full length and empty, and the links
//   2  workers fetch the packs' stretches in order and write the chunks (`lay-worker.ts`)
//   3  write what PostgreSQL needs to recover: backup_label, tablespace_map, recovery.signal, the settings, the script
//      that hands it WAL, and the history files of the way
//   4  sync every file and folder
//   5  write and sync pg_control
//
// Invariant: until pg_control stands there no server starts in the folder, so a restore that was broken off cannot be
// mistaken for a cluster. Success is said only when all is synced.

import { closeSync, fchmodSync, fchownSync, ftruncateSync, openSync } from 'node:fs';
import {
  type FileHandle,
  chmod,
  chown,
  lchown,
  mkdir,
  open,
  readdir,
  readFile,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/manifest.ts';
import { historyName, timelineId } from '../../postgres/lsn.ts';
import type { ChunkPlace } from '../../repository/chunk-table.ts';
import { readChunk, type RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { stretches } from '../../repository/stretches.ts';
import { Crew } from '../crew.ts';
import { FETCH_SCRIPT, fetchScript, RECOVERY_FOLDER, TAKEN_FOLDER } from './fetch-script.ts';
import type { LayData, LayResult, LayTask } from './lay-worker.ts';
import type { PlannedRestore } from './plan.ts';
import { withRecoverySettings } from './settings.ts';
import { targetSettings } from './target.ts';

const CONTROL_FILE = 'global/pg_control';
/** Never laid as they were backed up: they would make another recovery of it. */
const LEFT_OUT = new Set(['backup_label', 'tablespace_map', 'recovery.signal', 'standby.signal']);
const SYNCS_AT_ONCE = 8;
const FILES_BETWEEN_YIELDS = 256;

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
  readonly backup: string;
  readonly files: number;
  readonly bytes: number;
  readonly fetched_bytes: number;
  readonly duration_seconds: number;
  readonly bytes_per_second: number;
}

export async function restore(options: RestoreOptions): Promise<RestoreSummary> {
  const { planned, signal, report } = options;
  const { directory, backup } = planned.plan;
  const began = performance.now();
  try {
    const laid = await layFiles(options);
    await writeRecoveryFiles(options, laid.owner);
    report({ type: 'progress', phase: 'syncing files', done_bytes: 0 });
    await syncAll(laid.paths, laid.folders, signal);
    await layControl(options, laid.roots);
    const seconds = (performance.now() - began) / 1000;
    return {
      directory,
      backup: backup.id,
      files: backup.files,
      bytes: backup.bytes,
      fetched_bytes: laid.fetchedBytes,
      duration_seconds: seconds,
      bytes_per_second: Math.round(backup.bytes / seconds),
    };
  } catch (error) {
    if (isSpillwayError(error) || signal.aborted) throw error;
    const code = (error as NodeJS.ErrnoException).code === 'ENOSPC' ? 'SPW_DISK_SPACE' : 'SPW_RESTORE_FAILED';
    throw new SpillwayError(code, `the restore into ${directory} did not finish`, { cause: error });
  }
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Directories by tablespace; undefined is the data directory. */
type Roots = ReadonlyMap<number | undefined, string>;

interface Laid {
  readonly roots: Roots;
  /** Every file and folder that must be synced. */
  readonly paths: readonly string[];
  readonly folders: readonly string[];
  readonly owner: Owner | undefined;
  readonly fetchedBytes: number;
}

async function layFiles(options: RestoreOptions): Promise<Laid> {
  const { planned, repository, report, signal } = options;
  const { manifest, index, plan } = planned;
  await using crew = new Crew(new URL('./lay-worker.ts', import.meta.url), options.workers);
  const entries = manifest.entries.filter((entry) => !(entry.kind === 'file' && LEFT_OUT.has(entry.path)));
  const roots = await makeRoots(planned);
  const asRoot = process.getuid?.() === 0;
  const owner = asRoot ? manifest.entries.find((entry): entry is FileEntry => entry.kind === 'file') : undefined;
  const paths: string[] = [];
  const folders = [...roots.values()];
  for (const root of folders) if (owner !== undefined) await chown(root, owner.uid, owner.gid);
  for (const entry of entries) {
    signal.throwIfAborted();
    const path = pathOf(roots, entry);
    if (entry.kind === 'file') {
      if (entry.path !== CONTROL_FILE) makeFile(path, entry, asRoot);
      if (paths.push(path) % FILES_BETWEEN_YIELDS === 0) await yieldToOthers();
    } else if (entry.kind === 'directory') {
      await mkdir(path, { mode: entry.mode });
      await chmod(path, entry.mode);
      if (asRoot) await chown(path, entry.uid, entry.gid);
      folders.push(path);
    } else {
      await symlink(entry.target, path);
      if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
    }
  }
  for (const [tablespace, location] of roots) {
    if (tablespace !== undefined) await symlink(location, join(plan.directory, 'pg_tblspc', String(tablespace)));
  }

  const totals = { fetched: 0, written: 0 };
  const data: LayData = { repository: repository.handle, paths };
  await crew.run<LayTask, LayResult, undefined>({
    data,
    tasks: layTasks(placeChunks(planned), index),
    onResult: ({ fetchedBytes, writtenBytes }) => {
      totals.fetched += fetchedBytes;
      totals.written += writtenBytes;
      report({ type: 'progress', phase: 'restoring files', done_bytes: totals.written, total_bytes: plan.bytes });
    },
    signal,
  });
  const control = join(plan.directory, CONTROL_FILE);
  return { roots, paths: paths.filter((path) => path !== control), folders, owner, fetchedBytes: totals.fetched };
}

/** Makes the folders that the backup goes into. A tablespace's old place may be taken by the cluster that still runs. */
async function makeRoots({ manifest, plan }: PlannedRestore): Promise<Roots> {
  const roots = new Map<number | undefined, string>([[undefined, plan.directory]]);
  for (const { oid, path } of manifest.head.summary.tablespaces) roots.set(oid, path);
  for (const [tablespace, directory] of roots) {
    // The server's account must get through the folders above, which may be made here by root.
    const firstMade = await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await syncAbove(directory, firstMade);
    const names = await readdir(directory);
    if (names.length > 0) {
      const which = tablespace === undefined ? directory : `tablespace ${tablespace}, which belongs at ${directory}`;
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${which}`, { why: 'it is not empty' });
    }
    await chmod(directory, 0o700);
  }
  return roots;
}

/** Of full length and empty. Synchronous: four quick calls a file cost more to schedule than to make. */
function makeFile(path: string, entry: FileEntry, asRoot: boolean): void {
  const file = openSync(path, 'wx', entry.mode);
  try {
    fchmodSync(file, entry.mode);
    if (asRoot) fchownSync(file, entry.uid, entry.gid);
    ftruncateSync(file, entry.bytes);
  } finally {
    closeSync(file);
  }
}

const pathOf = (roots: Roots, entry: Entry): string =>
  join(roots.get(entry.kind === 'link' ? undefined : entry.tablespace) ?? '', entry.path);

/** Where each chunk of the repository goes: by pack and offset, file numbers and positions in turns. */
type Placed = Map<number, Map<number, Destined>>;

interface Destined {
  readonly place: ChunkPlace;
  readonly destinations: number[];
}

function placeChunks({ manifest, index }: PlannedRestore): Placed {
  const placed: Placed = new Map();
  let chunk = 0;
  let number = 0;
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    const chunks = chunkCount(entry.bytes);
    const wanted = entry.path !== CONTROL_FILE && !LEFT_OUT.has(entry.path);
    for (let i = 0; i < (wanted ? chunks : 0); i++) {
      const place = index.table.find(manifest.chunkIds, (chunk + i) * CHUNK_ID_BYTES);
      // Not found is a chunk of zeros: that all others are there was seen when the plan was made.
      if (place === undefined) continue;
      let ofPack = placed.get(place.pack);
      if (ofPack === undefined) placed.set(place.pack, (ofPack = new Map()));
      const known = ofPack.get(place.offset);
      if (known === undefined) ofPack.set(place.offset, { place, destinations: [number, i * CHUNK_BYTES] });
      else known.destinations.push(number, i * CHUNK_BYTES);
    }
    chunk += chunks;
    if (!LEFT_OUT.has(entry.path)) number++;
  }
  return placed;
}

function* layTasks(placed: Placed, { packs }: RepositoryIndex): Iterable<LayTask> {
  const wanted = placed.entries().map(([pack, chunks]) => [pack, chunks.values()] as const);
  for (const { chunks, ...stretch } of stretches<Destined>(wanted, packs)) {
    yield { ...stretch, chunks: chunks.map(({ place, destinations }) => ({ offset: place.offset, destinations })) };
  }
}

async function writeRecoveryFiles(options: RestoreOptions, owner: Owner | undefined): Promise<void> {
  const { planned, restoreCommand } = options;
  const { head } = planned.manifest;
  const { directory, timeline, exclusive } = planned.plan;
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await writeFile(join(directory, path), content, { mode: 0o600, flush: true });
    if (owner !== undefined) await chown(join(directory, path), owner.uid, owner.gid);
  };
  await put('backup_label', head.backup_label);
  if (head.tablespace_map !== '') await put('tablespace_map', head.tablespace_map);
  await put('recovery.signal', '');
  for (const folder of [RECOVERY_FOLDER, TAKEN_FOLDER]) {
    await mkdir(join(directory, folder), { mode: 0o700 });
    if (owner !== undefined) await chown(join(directory, folder), owner.uid, owner.gid);
  }
  await put(FETCH_SCRIPT, fetchScript(restoreCommand));
  const autoConf = join(directory, 'postgresql.auto.conf');
  const before = await readFile(autoConf, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const settings = {
    restore_command: `sh ${FETCH_SCRIPT} "%f" "%p"`,
    ...targetSettings(planned.told, timeline, exclusive),
  };
  await put('postgresql.auto.conf', withRecoverySettings(before, settings, { archive_mode: 'off' }));
  // With the way's history files at hand PostgreSQL needs nothing from outside to know its timelines.
  for (const { timeline: each } of planned.wal.ways.get(timelineId(timeline)) ?? []) {
    const content = await planned.wal.archive.readHistory(each, options.signal);
    if (content !== undefined) await put(join('pg_wal', historyName(each)), content);
  }
}

/** The last file: with it the folder is a cluster. */
async function layControl({ repository, planned, signal }: RestoreOptions, roots: Roots): Promise<void> {
  const { manifest, index } = planned;
  let chunk = 0;
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    if (entry.path === CONTROL_FILE) {
      const path = pathOf(roots, entry);
      const content = await readChunk(repository, index, manifest.chunkIds, chunk * CHUNK_ID_BYTES, signal);
      makeFile(path, entry, process.getuid?.() === 0);
      await writeFile(path, content, { flag: 'r+' });
      await syncAll([path], [dirname(path)], signal);
      return;
    }
    chunk += chunkCount(entry.bytes);
  }
  throw new SpillwayError('SPW_OBJECT_DAMAGED', `backup ${planned.plan.backup.id} has no ${CONTROL_FILE}`);
}

/** The folder above, and those above it that were made for it: else a crash could take the whole restore with it. */
async function syncAbove(directory: string, firstMade: string | undefined): Promise<void> {
  const last = firstMade === undefined ? dirname(directory) : dirname(firstMade);
  for (let at = dirname(directory); ; at = dirname(at)) {
    await syncFolder(at).catch((error: NodeJS.ErrnoException) => {
      // One that we may write to but not read cannot be opened to be synced.
      if (error.code !== 'EACCES') throw error;
    });
    if (at === last || at === dirname(at)) return;
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function syncAll(paths: readonly string[], folders: readonly string[], signal: AbortSignal): Promise<void> {
  const queue = paths[Symbol.iterator]();
  const syncOne = async (): Promise<void> => {
    for (const path of queue) {
      signal.throwIfAborted();
      await using file: FileHandle = await open(path, 'r');
      await file.sync();
    }
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, syncOne));
  for (const path of folders) await syncFolder(path);
}
