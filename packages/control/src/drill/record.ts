// What is put on record of a drill, and whether it passed. Pure: what was measured in, the details of the evidence out.
//
// It passed where nothing broke off, every check passed, every item of the checklist passed, and the loss is known and within
// its objective where there is one. A failed drill speaks against its backup only where the backup itself was at fault: a
// missed objective or a dropped index takes nothing away from what was proven of it.

import type { RestorePlan } from '@spillway/contract';
import type { EvidenceTold } from '@spillway/engine';
import { type CheckOutcome, type ChecklistItem, checklistOf, type Measured } from './checklist.ts';

export interface DrillPhase {
  readonly name: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly seconds: number;
  readonly bytes: number | null;
}

/** A type, not an interface: only so it is a record of whatever, as evidence has it. */
export type DrillDetails = {
  /** Of this run; also in the mark that it leaves while it runs. */
  readonly run: string;
  readonly drill: string;
  readonly backup: string | null;
  readonly target: RestorePlan['target'] | null;
  readonly recovered_to_lsn: string | null;
  readonly recovered_to_time: string | null;
  readonly phases: readonly DrillPhase[];
  readonly rto_seconds: number | null;
  readonly rto_objective_seconds: number | null;
  readonly rpo_seconds: number | null;
  readonly rpo_objective_seconds: number | null;
  readonly checks: readonly (Omit<CheckOutcome, 'about'> & { readonly about: string | null })[];
  readonly checklist: readonly ChecklistItem[];
  /** Why it ended before its end, in a sentence. */
  readonly error: string | null;
  readonly host: string;
  readonly versions: { readonly spillway: string; readonly node: string; readonly postgres: string | null };
};

export interface Told extends Measured {
  readonly run: string;
  readonly drill: string;
  readonly cluster: string;
  readonly backup: string | null;
  readonly target: RestorePlan['target'] | null;
  readonly recoveredToTime: string | null;
  readonly phases: readonly DrillPhase[];
  readonly rpoSeconds: number | null;
  readonly rpoObjectiveSeconds: number | null;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly host: string;
  readonly versions: DrillDetails['versions'];
}

export type DrillEvidence = EvidenceTold & { readonly kind: 'drill'; readonly details: DrillDetails };

export function evidenceOf(told: Told): DrillEvidence {
  const checklist = checklistOf(told);
  const details: DrillDetails = {
    run: told.run,
    drill: told.drill,
    backup: told.backup,
    target: told.target,
    recovered_to_lsn: told.recovery?.lsn ?? null,
    recovered_to_time: told.recoveredToTime,
    phases: told.phases,
    rto_seconds: told.rtoSeconds,
    rto_objective_seconds: told.rtoObjectiveSeconds,
    rpo_seconds: told.rpoSeconds,
    rpo_objective_seconds: told.rpoObjectiveSeconds,
    checks: told.checks,
    checklist,
    error: told.error?.message ?? null,
    host: told.host,
    versions: told.versions,
  };
  const result = failuresOf(details).length === 0 ? 'passed' : 'failed';
  return {
    kind: 'drill',
    cluster: told.cluster,
    backup: result === 'passed' || isBackupAtFault(told) ? told.backup : null,
    level: 'restore',
    result,
    started_at: told.startedAt.toISOString(),
    finished_at: told.finishedAt.toISOString(),
    details,
  };
}

/** Why the drill did not pass, a phrase each; none where it did. */
export function failuresOf(details: DrillDetails): readonly string[] {
  const { error, checks, checklist, rpo_seconds: loss, rpo_objective_seconds: allowed } = details;
  const failures = error === null ? [] : [error];
  for (const { name, result, expected, found } of checks) {
    if (result === 'failed') failures.push(`${name}: expected ${expected}, found ${found}`);
  }
  const broken = checks.some(({ result }) => result === 'failed');
  for (const [index, { item, result, by }] of checklist.entries()) {
    // What a check or the error has said already is not said twice.
    const said = result === 'failed' && (error !== null || (broken && index !== checklist.length - 1));
    const silent = result === 'not-measured' && error !== null;
    if (result !== 'passed' && !said && !silent) failures.push(`${item}: ${result.replace('-', ' ')}, ${by}`);
  }
  if (allowed !== null && error === null) {
    if (loss === null) failures.push('the loss was not measured, and it has an objective');
    else if (loss > allowed) failures.push(`a loss of ${loss} s, of at most ${allowed} s`);
  }
  return failures;
}

function isBackupAtFault({ error, checks }: Told): boolean {
  if (error !== null) return error.atFault;
  return checks.some(({ kind, result }) => (kind === 'pages' || kind === 'structure') && result === 'failed');
}
