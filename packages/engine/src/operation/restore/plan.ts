// `restore`, first half: choose, prove and reckon before anything is touched.
//
//   1  what is in the folder decides how: laid anew, compared and mended (`delta`), or an unfinished restore gone on with
//   2  the timeline to end on: the one asked for, else the newest that a backup leads to
//   3  candidates, newest first: backups whose end lies before the target and whose WAL leads to it without a gap; those that
//      failed a verification last
//   4  the target itself must lie in that WAL (`reach.ts`)
//   5  every chunk of the backup must be there; where one is not, the next older candidate is taken and that is said
//   6  the roots must be free or ours, the account of the server able to get there, and the file systems large enough
// A target that cannot be reached is an error here, never a fall back to another moment.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Manifest } from '../../format/manifest.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import { type RepositoryIndex, readIndex } from '../../repository/index-store.ts';
import { listEvidence, verdicts } from '../../repository/evidence.ts';
import { readManifest } from '../../repository/manifest-store.ts';
import { folderOf } from '../../storage/port.ts';
import { type Candidate, type Candidates, explainUnreachable, findCandidates } from './candidate.ts';
import { type LaidFile, laidFiles, storedBytes, wantedChunks } from './chunks.ts';
import { compareFiles } from './compare.ts';
import { countMissing, readText } from './content.ts';
import { chooseMode, type FolderState, inspectFolder, type RestoreMode, refuseForeignRoots } from './folder.ts';
import { refuseUnsafePlaces } from './guard.ts';
import { findUnstoredWal } from './kept-wal.ts';
import { isInside, type Layout, planLayout, rootsOf } from './layout.ts';
import { findClosed, ownerOf, refuseClosedWay } from './passage.ts';
import type { PlannedRestore, PlanOptions, RestorePlan } from './planned.ts';
import { lastWanted, type Reached, reach, trimWay } from './reach.ts';
import { expectDuration, reckonSpace } from './reckon.ts';
import { planRecovery } from './recovery.ts';
import { selectDatabases } from './selection.ts';
import { expectedPaths, NOTHING_THERE, type Survey, survey } from './survey.ts';
import { expiredMeanwhile, goOnWith, noteFolder, refuseOtherSystem } from './takeover.ts';
import { describeTarget, targetValue } from './target.ts';

export type { PlannedRestore, PlanOptions, RestorePlan } from './planned.ts';

/** Segments laid ready ahead of replay; so much space WAL takes beside the data at any time. */
export const SEGMENTS_AHEAD = 32;
/** What recovery itself may keep in pg_wal until its first checkpoint is counted twice over. */
const SPARE_BYTES = 256 * 1024 * 1024;

/** Somebody removed it; a restore does without. */
const INDEX_LOST = 'They tell themselves what they hold. Next, when this is done: spillway storage recover';

export async function planRestore(given: PlanOptions): Promise<PlannedRestore> {
  const { repository, cluster, target, signal } = given;
  const state = await inspectFolder(given.targetDirectory);
  const mode = chooseMode(state, {
    directory: given.targetDirectory,
    delta: given.delta ?? false,
    repositoryId: repository.id,
    cluster,
  });
  const found = await findFor(given, state);
  const { options, backups } = found;
  const notes: string[] = [];
  const { ordered: candidates, notesOn } = await goodFirst(options, found.candidates);
  let reached: Reached | undefined;
  for (const candidate of candidates) {
    reached = await reach(candidate, options);
    if (reached === undefined) continue;
    const manifest = await readManifest(repository, cluster, candidate.backup.id, signal).catch((error: unknown) => {
      if (
        !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')
      )
        throw error;
      notes.push(`Backup ${candidate.backup.id} was passed over: ${error.message}.`);
    });
    if (manifest === undefined) {
      if (options.backupId !== undefined) break;
      continue;
    }
    const asked = { only: manifest.chunkIds, ...(signal && { signal }) };
    let index = await readIndex(repository, asked);
    let missing = countMissing(manifest, index);
    if (missing > 0 && index.unnamedPacks.length > 0) {
      index = await readIndex(repository, { ...asked, unnamed: true });
      missing = countMissing(manifest, index);
      if (missing === 0) notes.push(`The index lacks packs that are needed. ${INDEX_LOST}`);
    }
    if (missing === 0) {
      notes.push(...notesOn(candidate));
      return finish(options, { state, mode, candidate, backups, reached, manifest, index, notes });
    }
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
    why: await explainUnreachable(found.candidates, options),
  });
}

/** An unfinished restore goes on with its own backup; where that has expired, with another one if `delta` may overwrite. */
async function findFor(
  given: PlanOptions,
  state: FolderState,
): Promise<Candidates & { readonly options: PlanOptions }> {
  const options = goOnWith(given, state);
  try {
    return { options, ...(await findCandidates(options)) };
  } catch (error) {
    const isGone = given.backupId === undefined && isSpillwayError(error, 'SPW_BACKUP_UNKNOWN');
    if (state.kind !== 'interrupted' || !isGone) throw error;
    if (given.delta !== true) throw expiredMeanwhile(given, state.marker, error);
    return { options: given, ...(await findCandidates(given)) };
  }
}

/**
 * Those of which something was found to be bad come last: that all chunks are there is seen here, that they are good only a
 * verification knows. A backup that was named is taken all the same, and so is the newest where there is no better one.
 */
async function goodFirst(
  { repository, cluster, signal }: PlanOptions,
  candidates: readonly Candidate[],
): Promise<{ readonly ordered: readonly Candidate[]; readonly notesOn: (chosen: Candidate) => readonly string[] }> {
  const { records } = await listEvidence(repository, cluster, signal);
  const known = verdicts(records);
  const isBad = ({ backup }: Candidate): boolean => known.get(backup.id)?.result === 'failed';
  const levels = ({ backup }: Candidate): string => (known.get(backup.id)?.failedAt ?? []).join(' and ');
  const bad = candidates.filter(isBad);
  return {
    ordered: [...candidates.filter((each) => !isBad(each)), ...bad],
    notesOn: (chosen) =>
      bad.flatMap((each) => {
        const { id } = each.backup;
        if (each === chosen) {
          return `The newest verification of backup ${id} failed, at level ${levels(each)}: spillway verify ${id} tells why, --backup names another.`;
        }
        const isNewer = candidates.indexOf(each) < candidates.indexOf(chosen) && !isBad(chosen);
        if (!isNewer) return [];
        return `Backup ${id} was passed over: its verification failed at level ${levels(each)}. --backup ${id} takes it all the same.`;
      }),
  };
}

interface Chosen {
  readonly state: FolderState;
  readonly mode: RestoreMode;
  readonly candidate: Candidate;
  readonly backups: Candidates['backups'];
  readonly reached: Reached;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly notes: readonly string[];
}

async function finish(options: PlanOptions, chosen: Chosen): Promise<PlannedRestore> {
  const { state, mode, candidate, backups, reached, manifest, index } = chosen;
  const { backup, way, wal, timeline } = candidate;
  const { target } = options;
  const { head } = manifest;
  refuseOtherSystem(options, state, backup);
  const layout = planLayout(head, { ...options, directory: options.targetDirectory });
  const selection = selectDatabases(head, options.databases);
  await refuseForeignRoots(layout, state);
  const content = { repository: options.repository, manifest, index, signal: options.signal };
  const recovery = planRecovery({
    target,
    told: reached.told,
    timeline,
    exclusive: options.exclusive ?? false,
    action: options.action ?? 'promote',
    standby: options.standby,
    standbyParameters: head.standby_parameters,
    postgresqlConf: await readText(content, 'postgresql.conf'),
    autoConf: await readText(content, 'postgresql.auto.conf'),
  });
  const there = await lookAt(options, layout, chosen);
  await refuseUnsafePlaces(layout, folderOf(options.repository.location), there.removed);
  const owner = ownerOf(manifest.entries);
  if (options.toStart === true) await refuseClosedWay(rootsOf(layout), owner, options.signal);
  const closed = options.toStart === true ? undefined : await findClosed(rootsOf(layout), owner, options.signal);
  const unstored = state.kind === 'cluster' ? await findUnstoredWal(layout, wal) : [];
  const files = laidFiles(manifest, layout, selection, there.files);
  const wanted = wantedChunks(files, manifest.chunkIds.length / CHUNK_ID_BYTES);
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
  const roots = [layout.directory, ...layout.tablespaces.values()];
  const found = count(files, roots, comparing ? undefined : wanted);

  const steps = trimWay(way, wal, lastWanted(backup, reached.told));
  const walBytes = steps.length * wal.archive.segmentSize;
  const walAhead = Math.min(steps.length, SEGMENTS_AHEAD) * wal.archive.segmentSize + SPARE_BYTES;
  const needs = roots.map((path, i) => ({ path, bytes: found.growth[i] ?? 0 }));
  if (layout.walDirectory !== undefined) needs.push({ path: layout.walDirectory, bytes: walAhead });
  else if (needs[0] !== undefined) needs[0].bytes += walAhead;
  const places = await reckonSpace(needs);
  const fetchBytes = storedBytes(wanted, manifest.chunkIds, index);
  const toWrite = comparison?.differentBytes ?? found.bytes;
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
            kept_files: found.staying,
            new_files: found.files - found.staying,
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
      ...(await noteFolder(state, backup.id, layout, unstored)),
      ...candidate.passedOver.map(
        (newer) =>
          `Timeline ${newer} is newer, but of its WAL nothing is stored that leads on: timeline ${timeline} is taken.`,
      ),
      ...(reached.note === undefined ? [] : [reached.note]),
      ...(selection.leftEmpty.length === 0
        ? []
        : [`Databases that are left empty cannot be connected to, only dropped: ${selection.leftEmpty.join(', ')}.`]),
      ...recovery.notes,
      ...(closed === undefined ? [] : [`It could not be started there: ${closed.why}. To start it, ${closed.hint}.`]),
    ],
  };
  return { plan, told: reached.told, manifest, index, wal, way: { ...way, steps }, layout, selection, recovery };
}

interface Counted {
  readonly files: number;
  readonly staying: number;
  readonly bytes: number;
  /** By root, in bytes. What files that stay take already is not needed again; shells take nothing. */
  readonly growth: readonly number[];
}

/** Sets all chunks of files that stay in `wanted`, where it is given. */
function count(files: Iterable<LaidFile>, roots: readonly string[], wanted: Uint8Array | undefined): Counted {
  let [all, staying, bytes] = [0, 0, 0];
  const growth = roots.map(() => 0);
  for (const { entry, path, chunk, shell, old } of files) {
    all++;
    if (old !== undefined) {
      staying++;
      wanted?.fill(1, chunk, chunk + chunkCount(entry.bytes));
    }
    if (shell) continue;
    bytes += entry.bytes;
    const more = Math.max(0, entry.bytes - (old ?? 0));
    for (const [i, root] of roots.entries()) if (isInside(path, root)) growth[i] = (growth[i] ?? 0) + more;
  }
  return { files: all, staying, bytes, growth };
}

async function lookAt(options: PlanOptions, layout: Layout, { mode, manifest }: Chosen): Promise<Survey> {
  if (mode === 'fresh') return NOTHING_THERE;
  return survey(expectedPaths(manifest.entries, layout), layout, options.signal ?? new AbortController().signal);
}
