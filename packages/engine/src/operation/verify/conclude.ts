// How every level of verification ends: a signed record of each backup's result, and a summary that names what is still good.
//
// The record is what marks a backup: the next restore passes one by whose newest word is that something of it is bad. A
// repository that cannot be written to can be verified as well: then the evidence is what is missing, and that is said.

import { isSpillwayError, type Report } from '@spillway/contract';
import { type EvidenceTold, listEvidence, provenBackups, writeEvidence } from '../../repository/evidence.ts';
import type { Repository } from '../../repository/repository.ts';
import type { Finding, Findings } from './findings.ts';
import type { DumpProof, RestoreProof, SampleProof, WalProof } from './proof.ts';

/** Of which findings a record tells. */
const FINDINGS_TOLD_MAX = 100;

export type VerifyLevel = 'structure' | 'data' | 'wal' | 'dump' | 'restore';

export interface VerifyBase {
  readonly repository: Repository;
  readonly cluster: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface VerifySummary {
  readonly cluster: string;
  readonly level: VerifyLevel;
  readonly result: 'passed' | 'failed';
  readonly backups: readonly {
    readonly id: string;
    readonly result: 'passed' | 'failed';
    readonly files: number;
    readonly bytes: number;
    /** How many of its chunks, WAL objects and members of its manifest are wrong. */
    readonly faults: number;
    /** Id of the evidence; null where it could not be written, or none is due. */
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
  /** What was read today, of a sample; null without one. */
  readonly sample: SampleProof | null;
  /** At level wal. */
  readonly wal: WalProof | null;
  /** At level dump. */
  readonly dumps: readonly DumpProof[] | null;
  /** At level restore. */
  readonly restore: RestoreProof | null;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_seconds: number;
}

export interface Looked {
  readonly level: VerifyLevel;
  readonly startedAt: Date;
  readonly finishedAt?: Date;
  readonly findings: Findings;
  readonly notices: readonly string[];
  /** Those whose result is to be told. */
  readonly subjects: readonly {
    readonly id: string;
    readonly files: number;
    readonly bytes: number;
    /** Further members of its record. */
    readonly details?: Readonly<Record<string, unknown>>;
    /** Whether that it passed is put on record; that it failed always is. */
    readonly unproven?: boolean;
  }[];
  /** Of backups and dumps, newest first, which the next good one is chosen from. */
  readonly newestFirst: readonly string[];
  readonly counted?: Partial<Pick<VerifySummary, 'chunks' | 'bytes' | 'fetched_bytes' | 'wal_objects' | 'packs'>>;
  readonly proof?: Partial<Pick<VerifySummary, 'sample' | 'wal' | 'dumps' | 'restore'>>;
}

export async function conclude(base: VerifyBase, looked: Looked): Promise<VerifySummary> {
  const { cluster } = base;
  const { level, startedAt, findings, subjects, newestFirst, counted, proof } = looked;
  const finishedAt = looked.finishedAt ?? new Date();
  const notices = [...looked.notices];
  const results: VerifySummary['backups'][number][] = [];
  for (const { id, files, bytes, details, unproven = false } of subjects) {
    const faults = findings.of(id);
    const result = faults === 0 ? 'passed' : 'failed';
    const record = {
      kind: 'verification',
      cluster,
      backup: id,
      level,
      result,
      started_at: startedAt.toISOString(),
      finished_at: finishedAt.toISOString(),
      details: { files, bytes, faults, findings: findings.hurting(id, FINDINGS_TOLD_MAX), ...details },
    } as const;
    const evidence = unproven && faults === 0 ? null : await leaveEvidence(base, record, notices);
    results.push({ id, result, files, bytes, faults, evidence });
  }
  return {
    cluster,
    level,
    result: findings.count === 0 ? 'passed' : 'failed',
    backups: results,
    chunks: 0,
    bytes: 0,
    fetched_bytes: 0,
    wal_objects: 0,
    packs: 0,
    ...counted,
    findings: findings.list(),
    findings_total: findings.count,
    notices: [...new Set(notices)],
    next_good: await nextGood(base, newestFirst, results, level === 'wal' || proof?.sample != null),
    sample: null,
    wal: null,
    dumps: null,
    restore: null,
    ...proof,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
  };
}

/** The id of the record; null, and a notice, where the repository does not take it. */
export async function leaveEvidence(
  { repository, signal }: VerifyBase,
  record: EvidenceTold,
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

/** One that passed is good, unless only a part of it was looked at: then what is proven counts more. */
async function nextGood(
  { repository, cluster, signal }: VerifyBase,
  newestFirst: readonly string[],
  results: VerifySummary['backups'],
  partial: boolean,
): Promise<string | null> {
  const passed = new Set(results.filter(({ result }) => result === 'passed').map(({ id }) => id));
  const proven = provenBackups((await listEvidence(repository, cluster, signal)).records);
  const newest = (good: ReadonlySet<string>): string | undefined => newestFirst.find((id) => good.has(id));
  return (
    (partial ? (newest(proven.intersection(passed)) ?? newest(proven)) : newest(passed)) ??
    newest(proven) ??
    newest(passed) ??
    null
  );
}
