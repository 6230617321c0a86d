// `verify`: whether what the repository holds can be had back.
//
//   1  structure: no backup that was seen before is gone (`lost.ts`); each manifest is readable and fits itself, every chunk it names is in a pack that is there whole and has
//      the length that is wanted, and the WAL that the backup itself needs is complete
//   2  data: worker threads read every chunk once, however many backups have it, and hash it anew (`verify-worker.ts`);
//      the WAL that the backups need too; with `all`, all WAL, and the footers of all packs
//   3  what is bad is followed back to the files and backups that it hurts; one that was removed meanwhile is hurt by nothing
//   4  evidence, signed, of each backup's result (`conclude.ts`)
//
// Damage is a result, never an error, and never keeps the rest from being looked at. Of a sample the manifests and names of all
// are looked at, and today's share is read (`sample.ts`).

import { isSpillwayError } from '@spillway/contract';
import { INDEX, packName } from '../../format/names.ts';
import { holdCluster } from '../../repository/hold.ts';
import { readIndex, type RepositoryIndex } from '../../repository/index-store.ts';
import { listTampered } from '../../repository/tampering.ts';
import { conclude, type VerifySummary } from './conclude.ts';
import { DistinctChunks } from './distinct-chunks.ts';
import { Findings, wholly } from './findings.ts';
import { findLost, LOST, type LostBackup } from './lost.ts';
import { type Progress, readData } from './read.ts';
import { beginSample, concludeSample } from './sample-day.ts';
import { shareOfChunk, shareOfName } from './sample.ts';
import { lookAtManifests, lookAtWal } from './structure.ts';
import { chooseSubjects, type VerifyOptions } from './subjects.ts';

export type { VerifySummary } from './conclude.ts';
export type { VerifyOptions };

export async function verify(given: VerifyOptions): Promise<VerifySummary> {
  const { repository, level, signal } = given;
  const now = given.now ?? (() => new Date());
  const startedAt = now();
  const sample = given.sampleDays === undefined ? undefined : await beginSample(given, given.sampleDays, startedAt);
  const options = sample === undefined ? given : { ...given, all: true };
  const findings = new Findings();
  const notices: string[] = [];
  await using _ = await holdCluster(options);
  const { subjects, newestFirst, lost } = await chooseOrLose(options);
  for (const { id, object, since } of lost) {
    if (since === undefined) findings.add({ kind: 'manifest', object, chunk: null, problem: LOST }, wholly(id));
    else notices.push(`${id} is still gone, as was told at ${since}.`);
  }
  const index = await readIndex(repository, { unnamed: true, signal });
  for (const name of index.damagedIndexes) {
    const problem = 'it cannot be read; what it held was taken from the packs themselves';
    findings.add({ kind: 'index', object: name, chunk: null, problem });
  }
  for (const packId of index.contradictedPacks) {
    const problem =
      'two index objects say different things of it, so somebody with the keys made one; a restore goes by what hashes right';
    findings.add({ kind: 'tampering', object: packName(packId), chunk: null, problem });
  }
  await lookForTampering(options, findings);
  const distinct = new DistinctChunks(index.table);
  const isRead = sample && ((ids: Uint8Array, at: number) => sample.shares.includes(shareOfChunk(ids, at, sample.of)));
  const looked = await lookAtManifests(subjects, index, distinct, findings, options, isRead);
  tellLostIndex(index, looked.packs, findings);
  const progress: Progress = { chunks: 0, bytes: 0, fetched: 0, walObjects: 0, packs: 0 };
  const wal = await lookAtWal(looked.present, findings, options);
  if (level === 'data') {
    const reading = {
      index,
      distinct,
      subjects: looked.present,
      needed: looked.packs,
      wal,
      findings,
      notices,
      progress,
      ...(sample && { isRead: (object: string) => sample.shares.includes(shareOfName(object, sample.of)) }),
    };
    await readData(options, reading);
  }
  for (const { id, object } of looked.present) {
    // Also one without findings: what was found after it was removed could not be followed back to it.
    if ((await repository.storage.stat(object, { signal })) !== undefined) continue;
    findings.forget(id);
    notices.push(`${id} was removed meanwhile.`);
    looked.gone.add(id);
  }
  const newlyLost = lost.filter(({ since }) => since === undefined);
  const judged = [...subjects.filter(({ id }) => !looked.gone.has(id)), ...newlyLost].map(({ id }) => ({
    id,
    ...(looked.sizes.get(id) ?? { files: 0, bytes: 0 }),
  }));
  const counted = {
    chunks: level === 'data' ? progress.chunks : distinct.count,
    bytes: progress.bytes,
    fetched_bytes: progress.fetched,
    wal_objects: progress.walObjects,
    packs: progress.packs,
  };
  const told = { level, startedAt, finishedAt: now(), findings, notices, newestFirst, counted };
  if (sample === undefined) return conclude(options, { ...told, subjects: judged });
  const sampled = await concludeSample(options, { sample, subjects, startedAt, findings, notices, counted });
  return conclude(options, {
    ...told,
    subjects: judged.map((each) => ({ ...each, ...sampled.of(each.id) })),
    proof: { sample: sampled.proof },
  });
}

/** Where no backup is there any more, it may be that one was. */
async function chooseOrLose(
  options: VerifyOptions,
): Promise<Omit<Awaited<ReturnType<typeof chooseSubjects>>, 'known'> & { readonly lost: readonly LostBackup[] }> {
  try {
    const { known, ...chosen } = await chooseSubjects(options);
    return { ...chosen, lost: await findLost(options, known) };
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_BACKUP_UNKNOWN') || (options.ids ?? []).length > 0) throw error;
    const { known, newestFirst } = await chooseSubjects({ ...options, all: true });
    const lost = await findLost(options, known);
    if (lost.every(({ since }) => since !== undefined)) throw error;
    return { subjects: [], newestFirst, lost };
  }
}

/** Packs that backups need and no index object names: what a run leaves that was broken off, no backup needs. */
function tellLostIndex(
  { packs, unnamedPacks }: RepositoryIndex,
  needed: ReadonlySet<number>,
  findings: Findings,
): void {
  const unnamed = new Set(unnamedPacks.map(({ packId }) => packId));
  const lost = [...needed].filter((number) => unnamed.has(packs[number]?.packId ?? ''));
  if (lost.length === 0) return;
  const problem = `no index object names ${lost.length} packs that backups need, so somebody removed some; a restore reads the packs themselves; next: spillway storage recover`;
  findings.add({ kind: 'index', object: INDEX, chunk: null, problem });
}

/** In a store that keeps versions: what somebody hid or overwrote, whatever it hurts. */
async function lookForTampering({ repository, signal }: VerifyOptions, findings: Findings): Promise<void> {
  const { history } = repository.storage;
  if (history === undefined) return;
  for await (const { name, how, at } of listTampered(history, { signal })) {
    const problem = `it was ${how} at ${at.toISOString()}, by somebody who may write to the storage; next: spillway storage recover`;
    findings.add({ kind: 'tampering', object: name, chunk: null, problem });
  }
}
