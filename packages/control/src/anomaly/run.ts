// `anomalies`: gathers what `judgeAnomalies` judges, and leaves a signed record of what was found.
//
// Manifests come first: they need no server, and nobody who breaks into the source can alter them. The source is asked for
// what they do not show. A part that cannot be had is told, and hides none of the others.

import { type AnomaliesDocument, isSpillwayError, type SpillwayError } from '@spillway/contract';
import {
  type BackupSummary,
  type BucketFinding,
  type ConnectionSettings,
  listBackups,
  listEvidence,
  listLegalHolds,
  readManifest,
  readSource,
  type Repository,
  writeEvidence,
} from '@spillway/engine';
import type { DeletionLook } from './deleted-rows.ts';
import { earlierLook, type EarlierLook, isWorthARecord, judgeAnomalies, openOf } from './judge.ts';
import { type PlaceProtection, protectionOf, toldOf } from './protection.ts';
import { type BackupFiles, relationBytes } from './shrunk-files.ts';

/** Pairs of manifests that are compared in one run, the newest. */
const PAIRS_MAX = 8;
const FINDINGS_RECORDED_MAX = 100;

export interface AnomaliesOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly places: readonly (Omit<PlaceProtection, 'bucket'> & {
    /** Undefined where it is no bucket. */
    readonly readBucket: (() => Promise<readonly BucketFinding[]>) | undefined;
  })[];
  readonly source: { readonly connection: ConnectionSettings; readonly slot: string } | undefined;
  /** What is found now is known and in order: it is told no more. */
  readonly accept: boolean;
  /** Whether to leave a record at all. */
  readonly record: boolean;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

export async function findAnomalies(options: AnomaliesOptions): Promise<AnomaliesDocument> {
  const { repository, cluster, source, accept, signal } = options;
  const startedAt = options.now();
  const missed: { what: string; why: string }[] = [];
  const attempt = async <Value>(what: string, act: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
      missed.push({ what, why: told(error) });
      return undefined;
    }
  };
  const asked = { repository, cluster, signal };
  const backups = await listBackups(asked);
  const { records } = await listEvidence(repository, cluster, signal);
  const earlier = records.filter(({ kind }) => kind === 'anomaly').map(earlierLook);
  const holds = (await listLegalHolds(repository, cluster, signal)).records;
  const files: BackupFiles[] = [];
  for (const backup of toCompare(backups, earlier)) {
    const found = await attempt(`files of backup ${backup.id}`, () => filesOf(repository, backup, signal));
    // A gap in the row: what lies on both sides of it does not follow one another.
    if (found === undefined) files.length = 0;
    else files.push(found);
  }
  const places: PlaceProtection[] = [];
  for (const { readBucket, ...place } of options.places) {
    const bucket = readBucket && (await attempt(`bucket of ${place.name}`, readBucket));
    places.push({ ...place, bucket });
  }
  const facts = source && (await attempt('source', () => readSource(source.connection, source.slot, signal)));
  const now = options.now();
  const deletion: DeletionLook | undefined = facts && {
    at: now.toISOString(),
    deleted_rows: facts.deletedRows,
    statistics_since: facts.statisticsSince,
  };
  const protection = protectionOf(places);
  const given = { now, backups, files, protection, deletion, holds, earlier, accept };
  const judged = judgeAnomalies(given);
  const open = openOf(judged.findings);
  const worth = options.record && isWorthARecord(given, judged);
  const record = worth
    ? await attempt('evidence', () =>
        writeEvidence(
          repository,
          {
            kind: 'anomaly',
            cluster,
            backup: null,
            level: 'structure',
            result: open.length === 0 ? 'passed' : 'failed',
            started_at: startedAt.toISOString(),
            finished_at: now.toISOString(),
            details: {
              backups: backups.length,
              newest_backup: backups.at(-1)?.id ?? null,
              findings: judged.findings.slice(0, FINDINGS_RECORDED_MAX),
              findings_total: judged.findings.length,
              accepted: judged.accepted,
              protection,
              deletion: deletion ?? null,
              not_looked_at: missed,
            },
          },
          signal,
        ),
      )
    : undefined;
  return {
    cluster,
    at: now.toISOString(),
    backups_judged: backups.length,
    not_looked_at: missed,
    findings: judged.findings,
    baseline: judged.baseline,
    protection: toldOf(protection),
    evidence: record?.id ?? null,
  };
}

/** The newest backup that was looked at before, and those after it; the newest two where none was. */
function toCompare(backups: readonly BackupSummary[], earlier: readonly EarlierLook[]): readonly BackupSummary[] {
  const last = earlier.findLast(({ newestBackup }) => newestBackup !== undefined)?.newestBackup;
  const at = backups.findIndex(({ id }) => id === last);
  const from = at === -1 ? backups.length - 2 : at;
  return backups.slice(Math.max(0, from, backups.length - PAIRS_MAX - 1));
}

async function filesOf(repository: Repository, backup: BackupSummary, signal: AbortSignal): Promise<BackupFiles> {
  const { head, entries } = await readManifest(repository, backup.cluster, backup.id, signal);
  return {
    id: backup.id,
    bytes: relationBytes(entries),
    names: new Map((head.databases ?? []).map(({ oid, name }) => [String(oid), name])),
  };
}

const told = (error: SpillwayError): string => `${error.message}${error.why === undefined ? '' : `: ${error.why}`}`;
