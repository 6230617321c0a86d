// When each kind of a schedule last succeeded, as the repository tells it: manifests and signed records. So the service's
// own memory can be lost. What leaves no trace there (expire, copy) is not told.

import type { ScheduleKind } from '@spillway/contract';
import type { BackupSummary, DumpSummary, EvidenceRecord } from '@spillway/engine';

export interface Traces {
  readonly backups: readonly Pick<BackupSummary, 'type' | 'finished_at'>[];
  readonly dumps: readonly Pick<DumpSummary, 'source' | 'finished_at'>[];
  readonly evidence: readonly Pick<EvidenceRecord, 'kind' | 'level' | 'result' | 'finished_at' | 'details'>[];
  /** Which drill is held by schedule; that another one passed does not count for it. */
  readonly drill: string;
}

/**
 * Milliseconds, by kind. A full backup counts as an incremental one too, and a reading of the data as a look at the structure.
 * What was read of a sample, a share a day, is no reading of the data at once.
 */
export function lastSuccesses({ backups, dumps, evidence, drill }: Traces): ReadonlyMap<ScheduleKind, number> {
  const last = new Map<ScheduleKind, number>();
  const saw = (kind: ScheduleKind, finishedAt: string): void => {
    const at = Date.parse(finishedAt);
    if (Number.isFinite(at)) last.set(kind, Math.max(at, last.get(kind) ?? Number.NEGATIVE_INFINITY));
  };
  for (const { type, finished_at: at } of backups) {
    saw('incremental', at);
    if (type === 'full') saw('full', at);
  }
  for (const { source, finished_at: at } of dumps) {
    saw('schema', at);
    if (source === 'logical') saw('logical', at);
  }
  for (const { kind, level, result, finished_at: at, details } of evidence) {
    if (result !== 'passed') continue;
    if (kind === 'drill' && details['drill'] === drill) saw('drill', at);
    if (kind === 'anomaly') saw('anomalies', at);
    if (kind !== 'verification') continue;
    if (level === 'restore') saw('verify_restore', at);
    if (level === 'structure') saw('verify_structure', at);
    if (level !== 'data') continue;
    if (details['sample'] !== undefined) saw('verify_sample', at);
    else if (details['sampled'] === undefined)
      for (const done of ['verify_structure', 'verify_data'] as const) saw(done, at);
  }
  return last;
}
