// `verify`: whether what the repository holds can be had back.
//
//   1  structure: each manifest is readable and fits itself, every chunk it names is in a pack that is there whole and has
//      the length that is wanted, and the WAL that the backup itself needs is complete
//   2  data: worker threads read every chunk once, however many backups have it, and hash it anew (`verify-worker.ts`);
//      the WAL that the backups need too; with `all`, all WAL, and the footers of all packs
//   3  what is bad is followed back to the files and backups that it hurts; one that was removed meanwhile is hurt by nothing
//   4  evidence, signed, of each backup's result
//
// Damage is a result, never an error, and never keeps the rest from being looked at. A repository that cannot be written
// to can be verified as well: then the evidence is what is missing, and that is said.

import { isSpillwayError } from '@spillway/contract';
import { INDEX, packName } from '../../format/names.ts';
import { listEvidence, provenBackups, writeEvidence } from '../../repository/evidence.ts';
import { holdCluster } from '../../repository/hold.ts';
import { readIndex, type RepositoryIndex } from '../../repository/index-store.ts';
import { listTampered } from '../../repository/tampering.ts';
import { DistinctChunks } from './distinct-chunks.ts';
import { type Finding, Findings } from './findings.ts';
import { type Progress, readData } from './read.ts';
import { lookAtManifests, lookAtWal } from './structure.ts';
import { chooseSubjects, type VerifyOptions } from './subjects.ts';

export type { VerifyOptions };

export interface VerifySummary {
  readonly cluster: string;
  readonly level: 'structure' | 'data';
  readonly result: 'passed' | 'failed';
  readonly backups: readonly {
    readonly id: string;
    readonly result: 'passed' | 'failed';
    readonly files: number;
    readonly bytes: number;
    /** How many of its chunks, WAL objects and members of its manifest are wrong. */
    readonly faults: number;
    /** Id of the evidence; null where it could not be written. */
    readonly evidence: string | null;
  }[];
  readonly chunks: number;
  readonly bytes: number;
  readonly fetched_bytes: number;
  readonly wal_objects: number;
  readonly packs: number;
  /** The first thousand. */
  readonly findings: readonly Finding[];
  readonly findings_total: number;
  /** What is worth knowing and hurts nothing. */
  readonly notices: readonly string[];
  /** The newest backup that passed now or, where none did, that is proven; null where there is none. */
  readonly next_good: string | null;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_seconds: number;
}

export async function verify(options: VerifyOptions): Promise<VerifySummary> {
  const { repository, cluster, level, signal } = options;
  const startedAt = new Date();
  const findings = new Findings();
  const notices: string[] = [];
  await using _ = await holdCluster(options);
  const { subjects, newestFirst } = await chooseSubjects(options);
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
  const looked = await lookAtManifests(subjects, index, distinct, findings, options);
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
  const finishedAt = new Date();
  const results: VerifySummary['backups'][number][] = [];
  for (const { id } of subjects.filter((each) => !looked.gone.has(each.id))) {
    const { files, bytes } = looked.sizes.get(id) ?? { files: 0, bytes: 0 };
    const faults = findings.of(id);
    const result = faults === 0 ? 'passed' : 'failed';
    const told = { level, result, started_at: startedAt.toISOString(), finished_at: finishedAt.toISOString() } as const;
    const details = { files, bytes, faults };
    const record = { kind: 'verification', cluster, backup: id, ...told, details } as const;
    results.push({ id, result, files, bytes, faults, evidence: await leaveEvidence(options, record, notices) });
  }
  return {
    cluster,
    level,
    result: findings.count === 0 ? 'passed' : 'failed',
    backups: results,
    chunks: level === 'data' ? progress.chunks : distinct.count,
    bytes: progress.bytes,
    fetched_bytes: progress.fetched,
    wal_objects: progress.walObjects,
    packs: progress.packs,
    findings: findings.list(),
    findings_total: findings.count,
    notices: [...new Set(notices)],
    next_good: await nextGood(options, newestFirst, results),
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
  };
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

async function leaveEvidence(
  { repository, signal }: VerifyOptions,
  record: Parameters<typeof writeEvidence>[1],
  notices: string[],
): Promise<string | null> {
  try {
    return (await writeEvidence(repository, record, signal)).id;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_STORAGE_FULL')) throw error;
    notices.push(`No evidence was left: ${error.message}.`);
    return null;
  }
}

async function nextGood(
  { repository, cluster, signal }: VerifyOptions,
  newestFirst: readonly string[],
  results: VerifySummary['backups'],
): Promise<string | null> {
  const passed = new Set(results.filter(({ result }) => result === 'passed').map(({ id }) => id));
  const proven = provenBackups((await listEvidence(repository, cluster, signal)).records);
  return newestFirst.find((id) => passed.has(id)) ?? newestFirst.find((id) => proven.has(id)) ?? null;
}
