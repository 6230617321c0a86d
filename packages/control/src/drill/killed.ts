// Drills that were killed: begun by their mark, never ended, and put on record as failed by whoever looks next.
//
// The commands that they had started are ended first; their scratch cluster is the business of whoever opens the next one.
// One that is on record already was killed between the record and the removal of its mark: only the mark goes.

import { hostname } from 'node:os';
import { type EvidenceRecord, listEvidence, removeAbandoned, type Repository, writeEvidence } from '@spillway/engine';
import type { Report } from '@spillway/contract';
import { endMarked } from './commands.ts';
import { type DrillMark, killedDrills, removeMark } from './mark.ts';
import { evidenceOf } from './record.ts';

export interface KilledOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly folder: string;
  readonly versions: { readonly spillway: string; readonly node: string };
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Of this repository and cluster. Gives the records that it wrote. */
export async function recordKilled(options: KilledOptions): Promise<readonly EvidenceRecord[]> {
  const { repository, cluster, folder, signal, report } = options;
  const killed = (await killedDrills(folder)).filter(
    (mark) => mark.repository === repository.id && mark.cluster === cluster,
  );
  if (killed.length === 0) return [];
  await removeAbandoned(folder, { signal, report });
  const { records } = await listEvidence(repository, cluster, signal);
  const known = new Set(records.map(({ details }) => details['run']));
  const written: EvidenceRecord[] = [];
  for (const mark of killed) {
    await endMarked(mark.run);
    if (!known.has(mark.run)) written.push(await writeEvidence(repository, evidenceOfKilled(mark, options), signal));
    await removeMark(folder, mark.run);
  }
  return written;
}

const evidenceOfKilled = (mark: DrillMark, { versions }: KilledOptions): ReturnType<typeof evidenceOf> =>
  evidenceOf({
    run: mark.run,
    drill: mark.drill,
    cluster: mark.cluster,
    backup: null,
    target: null,
    recoveredToTime: null,
    download: null,
    recovery: null,
    phases: [],
    checks: [],
    rtoSeconds: null,
    rtoObjectiveSeconds: null,
    rpoSeconds: null,
    rpoObjectiveSeconds: null,
    error: { phase: 'killed', message: 'it was killed before its end', atFault: false },
    startedAt: new Date(mark.started_at),
    finishedAt: new Date(),
    host: hostname(),
    versions: { ...versions, postgres: null },
  });
