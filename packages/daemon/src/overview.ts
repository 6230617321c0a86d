// The first thing that somebody wants to know of a cluster: can it be recovered, to when, how fast, when was that last shown, and
// what is wrong. How it stands is control's word; here it is only cut to what the first screen has room for.

import type {
  BackupsDocument,
  ClusterOverviewDocument,
  JobDocument,
  ReceiverDocument,
  ScheduleDocument,
  StandingDocument,
  StatusDocument,
} from '@spillway/contract';

export interface OverviewFacts {
  readonly name: string;
  /** Null where the repository could not be asked. */
  readonly backups: BackupsDocument | null;
  readonly repositoryError: string | null;
  /** Null where it is not known. */
  readonly status: StatusDocument | null;
  readonly statusError: string | null;
  readonly receiver: ReceiverDocument | null;
  readonly schedules: readonly ScheduleDocument[];
  /** That have not ended. */
  readonly jobs: readonly Pick<JobDocument, 'command' | 'state'>[];
}

const failures: Readonly<Record<string, string>> = {
  failed: 'failed',
  'timed-out': 'took too long and was ended',
  aborted: 'was cut short',
};

export function overviewOf(facts: OverviewFacts): ClusterOverviewDocument {
  const { backups, receiver, schedules, jobs } = facts;
  const last = backups?.backups.at(-1);
  const window = backups?.recovery_window;
  const next = schedules
    .flatMap(({ kind, next_at: at }) => (at === null ? [] : [{ kind, at }]))
    .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0];
  return {
    name: facts.name,
    recoverable: backups === null ? null : window?.latest_at !== null && window?.latest_at !== undefined,
    earliest_at: window?.earliest_at ?? null,
    latest_at: window?.latest_at ?? null,
    gaps: window === undefined ? null : window.gaps.length,
    backups: backups === null ? null : backups.backups.length,
    last_backup_at: last?.finished_at ?? null,
    last_backup_proven_at: last?.proven_at ?? null,
    standing: facts.status === null ? null : standingOf(facts.status),
    standing_error: facts.statusError,
    receiver: receiver?.state ?? null,
    running: jobs.filter(({ state }) => state === 'running').map(({ command }) => command),
    next: next ?? null,
    problems: problemsOf(facts),
    repository_error: facts.repositoryError,
  };
}

const WHOLE = 'whole cluster lost';

function standingOf({ at, verdict, recoverable_to, rpo, rto, findings }: StatusDocument): StandingDocument | null {
  const whole = rto.scenarios.find(({ name }) => name === WHOLE);
  if (whole === undefined) return null;
  const { places: _, ...now } = rpo;
  const { expected_seconds, objective_seconds, basis, state, proof } = whole;
  return {
    at,
    verdict,
    recoverable_to,
    rpo: now,
    rto: { expected_seconds, objective_seconds, basis, state },
    proof,
    findings,
  };
}

/** In sentences, what keeps it from being recovered first. */
function problemsOf({ backups, repositoryError, status, receiver, schedules, jobs }: OverviewFacts): readonly string[] {
  const problems: string[] = [];
  if (repositoryError !== null) problems.push(`The repository cannot be read: ${repositoryError}.`);
  if (backups !== null) {
    const { backups: list, recovery_window: window } = backups;
    if (list.length === 0) problems.push('There is no backup yet.');
    else if (window.latest_at === null) problems.push('It cannot be recovered: no backup has the WAL it needs.');
    for (const gap of window.gaps) {
      problems.push(`WAL of timeline ${gap.timeline} is missing from ${gap.from_lsn} to ${gap.to_lsn}.`);
    }
    const failed = list.filter(({ verification }) => verification === 'failed').length;
    if (failed > 0) problems.push(`${failed} of ${list.length} backups failed their verification.`);
    const damaged = list.at(-1)?.damaged_page_count ?? 0;
    if (damaged > 0) problems.push(`The newest backup has ${damaged} damaged pages of the cluster.`);
  }
  if (status !== null) {
    const { rpo, rto } = status;
    if (rpo.state === 'missed' && rpo.seconds !== null) {
      problems.push(
        `${inSeconds(rpo.seconds)} would be lost now, and the objective is ${inSeconds(rpo.objective_seconds)}.`,
      );
    }
    for (const { name, state, expected_seconds: expected, objective_seconds: objective } of rto.scenarios) {
      if (state !== 'missed') continue;
      problems.push(
        `With ${name}, recovery would take ${inSeconds(expected)}, and the objective is ${inSeconds(objective)}.`,
      );
    }
  }
  if (receiver?.state === 'resting') {
    problems.push(`WAL is not being received: ${receiver.error?.message ?? 'the receiver ended'}.`);
  }
  for (const { kind, last_state: state } of schedules) {
    const how = state === null ? undefined : failures[state];
    if (how !== undefined) problems.push(`The last ${nameOf(kind)} by schedule ${how}.`);
    if (state === 'waiting') problems.push(`The last ${nameOf(kind)} by schedule failed, and is tried again.`);
  }
  const awaiting = jobs.filter(({ state }) => state === 'awaiting-approval').length;
  if (awaiting > 0) problems.push(`${awaiting} of its jobs wait for a second person.`);
  return problems;
}

const kinds: Readonly<Record<string, string>> = {
  full: 'full backup',
  incremental: 'incremental backup',
  schema: 'dump of the schema',
  logical: 'logical dump',
  verify_structure: 'verification of structure',
  verify_data: 'verification of data',
  verify_sample: 'verification of a sample',
  verify_restore: 'verification by restore',
  anomalies: 'look for anomalies',
  expire: 'expiry',
};
const nameOf = (kind: string): string => kinds[kind] ?? kind.replaceAll('_', ' ');

const inSeconds = (seconds: number): string => `${Math.round(seconds)} s`;
