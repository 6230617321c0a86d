// One day of a sample: which shares are due, from the records of evidence, and what is put on record of it.
//
//   1  a record of the day, about no backup, that says which shares were read
//   2  of each backup that is hurt, that it is
//   3  of a backup of which every share was read since it was made, and which nothing hurt in that time: that all of it passed;
//      once a window
// One share alone proves no backup.

import { type EvidenceRecord, listEvidence } from '../../repository/evidence.ts';
import { leaveEvidence, type VerifySummary } from './conclude.ts';
import type { Findings } from './findings.ts';
import type { SampleProof, SampleTold } from './proof.ts';
import { coverageOf, dateOf, dayOf, dueShares, type ReadDays, readDays } from './sample.ts';
import type { Subject, VerifyOptions } from './subjects.ts';

export interface Sample extends SampleTold {
  readonly today: number;
  readonly before: ReadDays;
  readonly records: readonly EvidenceRecord[];
}

export async function beginSample(
  { repository, cluster, signal }: VerifyOptions,
  days: number,
  now: Date,
): Promise<Sample> {
  const { records } = await listEvidence(repository, cluster, signal);
  const before = readDays(records, days);
  const today = dayOf(now);
  return { of: days, shares: dueShares(before, today, days), today, before, records };
}

interface ReadToday {
  readonly sample: Sample;
  readonly subjects: readonly Subject[];
  readonly startedAt: Date;
  readonly findings: Findings;
  readonly notices: string[];
  readonly counted: Pick<VerifySummary, 'chunks' | 'bytes' | 'wal_objects' | 'packs'>;
}

export async function concludeSample(
  options: VerifyOptions,
  { sample, subjects, startedAt, findings, notices, counted }: ReadToday,
): Promise<{
  readonly proof: SampleProof;
  readonly of: (id: string) => { readonly unproven: boolean; readonly details: Readonly<Record<string, unknown>> };
}> {
  const { of, shares, today, before } = sample;
  const { chunks, bytes, wal_objects: walObjects, packs } = counted;
  const evidence = await leaveEvidence(
    options,
    {
      kind: 'verification',
      cluster: options.cluster,
      backup: null,
      level: 'data',
      result: findings.count === 0 ? 'passed' : 'failed',
      started_at: startedAt.toISOString(),
      finished_at: (options.now ?? (() => new Date()))().toISOString(),
      details: {
        sample: { of, shares },
        chunks,
        bytes,
        wal_objects: walObjects,
        packs,
        faults: findings.count,
      },
    },
    notices,
  );
  const { allReadBy, allReadSince } = coverageOf(before, shares, today, of);
  const made = new Map(subjects.map(({ id, backup }) => [id, backup?.finished_at ?? begunAt(id)]));
  const last = new Map([...before.last, ...shares.map((share): [number, number] => [share, today])]);
  return {
    proof: {
      of,
      shares,
      window_days: of,
      all_read_by: dateOf(allReadBy),
      all_read_since: allReadSince === undefined ? null : dateOf(allReadSince),
      evidence,
    },
    of: (id) => ({
      unproven: !isThrough(id, made.get(id), last, sample),
      details: { sampled: { days: of, since: allReadSince === undefined ? null : dateOf(allReadSince) } },
    }),
  };
}

/** Whether every share of it was read since it was made, nothing hurt it meanwhile, and that was not said in this window. */
export function isThrough(
  id: string,
  madeAt: string | undefined,
  last: ReadonlyMap<number, number>,
  { of, today, records }: Pick<Sample, 'of' | 'today' | 'records'>,
): boolean {
  if (madeAt === undefined) return false;
  const made = dayOf(new Date(madeAt));
  const readAll = Array.from({ length: of }, (_, share) => last.get(share) ?? -1).every((day) => day > made);
  if (!readAll) return false;
  return !records.some(({ backup, level, result, details, finished_at: at }) => {
    if (backup !== id || dayOf(new Date(at)) <= today - of) return false;
    return result === 'failed' ? level === 'data' || level === 'structure' : details['sampled'] !== undefined;
  });
}

/** A dump says in its id when it was begun: `20261123T181500Z-1a2b3c4d`. */
function begunAt(id: string): string | undefined {
  const [, y, mo, d] = /^(\d{4})(\d\d)(\d\d)T/.exec(id) ?? [];
  return y === undefined ? undefined : `${y}-${mo}-${d}T23:59:59Z`;
}
