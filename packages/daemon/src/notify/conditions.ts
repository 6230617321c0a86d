// What is wrong, judged by the service itself from the same facts that its metrics are of, for those who run no Prometheus.
// The names are those of the alert rules, so that one runbook serves both. Pure.
//
// A part that could not be read says nothing: what it would tell is unknown, neither wrong nor mended.

import type { Part } from '../metrics/catalogue.ts';
import { type ClusterFacts, type Facts, type Sample, samplesOf } from '../metrics/samples.ts';

export type Severity = 'critical' | 'warning';

export interface Condition {
  /** The same thing has the same key. */
  readonly key: string;
  readonly alert: string;
  readonly cluster: string;
  readonly severity: Severity;
  readonly summary: string;
  /** What it was read from. */
  readonly part: Part;
}

export interface Judged {
  readonly open: readonly Condition[];
  /** `cluster part`, of what could not be read. */
  readonly unknown: ReadonlySet<string>;
}

const UNREAD_SECONDS = 600;
const PERIODS = 1.5;
const LATE_SECONDS = 900;
const DAY = 86_400;

export function conditionsOf(facts: Facts): Judged {
  const unknown = new Set<string>();
  const samples = samplesOf(facts);
  const open = facts.clusters.flatMap((cluster) => {
    for (const taken of [
      cluster.backups,
      cluster.wal,
      cluster.evidence,
      cluster.jobs,
      cluster.status,
      cluster.servers,
    ]) {
      if (taken !== undefined && taken.value === undefined) unknown.add(`${cluster.cluster} ${taken.part}`);
    }
    const own = samples.filter(({ labels }) => labels['cluster'] === cluster.cluster);
    return ofCluster(cluster, own, facts.now / 1000);
  });
  return { open, unknown };
}

function ofCluster(facts: ClusterFacts, samples: readonly Sample[], now: number): readonly Condition[] {
  const { cluster, objectives } = facts;
  const open: Condition[] = [];
  const say = (alert: string, severity: Severity, part: Part, summary: string, subject = ''): void =>
    void open.push({ key: `${alert} ${cluster} ${subject}`.trim(), alert, cluster, severity, part, summary });
  const all = (name: Sample['name']): readonly Sample[] => samples.filter((each) => each.name === name);
  const one = (name: Sample['name'], label?: readonly [string, string]): number | undefined =>
    all(name).find(({ labels }) => label === undefined || labels[label[0]] === label[1])?.value;

  for (const { labels, value: failedAt } of all('spillway_backup_last_failure_timestamp_seconds')) {
    const kind = labels['kind'] ?? '';
    const done = one('spillway_backup_last_success_timestamp_seconds', ['kind', kind]);
    if (done !== undefined && done >= failedAt) continue;
    say('BackupFailed', 'critical', 'jobs', `The last ${kind} backup failed, and none was made since.`, kind);
  }
  for (const { labels, value: period } of all('spillway_schedule_period_seconds')) {
    const kind = labels['kind'] ?? '';
    const done = one('spillway_schedule_last_success_timestamp_seconds', ['kind', kind]);
    const age = done === undefined ? 0 : now - done;
    if (age > PERIODS * period && ['full', 'incremental', 'schema', 'logical'].includes(kind)) {
      say('BackupTooOld', 'critical', 'jobs', `The last ${kind} backup is ${ageOf(age)} old.`, kind);
    } else if (age > PERIODS * period && kind.startsWith('verify_')) {
      say('VerificationStale', 'warning', 'jobs', `The last ${kind} was ${ageOf(age)} ago.`, kind);
    }
    const due = one('spillway_schedule_due_timestamp_seconds', ['kind', kind]);
    if (due !== undefined && now - due > LATE_SECONDS) {
      say('ScheduleMissed', 'warning', 'jobs', `The run of ${kind} was due ${ageOf(now - due)} ago.`, kind);
    }
  }
  if (one('spillway_recoverable') === 0) {
    say('NoBackupMetric', 'critical', 'backups', 'It cannot be recovered: no backup has the WAL that it needs.');
  }
  const gaps = one('spillway_wal_gaps') ?? 0;
  if (gaps > 0) say('WalGap', 'critical', 'backups', `WAL is missing in ${gaps} places of the recovery window.`);
  const failed = one('spillway_backups', ['verification', 'failed']) ?? 0;
  if (failed > 0) say('VerificationFailed', 'critical', 'backups', `${failed} backups failed their verification.`);

  const rpo = one('spillway_rpo_seconds');
  if (rpo !== undefined && rpo > objectives.rpoSeconds) {
    say(
      'RpoBroken',
      'critical',
      'status',
      `If it were lost now, more than ${ageOf(objectives.rpoSeconds)} would be gone.`,
    );
  } else if (rpo !== undefined && rpo > objectives.rpoSeconds / 2) {
    say('RpoAtRisk', 'warning', 'status', `If it were lost now, ${ageOf(rpo)} would be gone.`);
  }
  for (const { labels, value } of all('spillway_rto_seconds')) {
    const scenario = labels['scenario'] ?? '';
    const measured = one('spillway_rto_measured', ['scenario', scenario]) === 1;
    if (value > objectives.rtoSeconds * (measured ? 0.8 : 1)) {
      say('RtoAtRisk', 'warning', 'status', `Recovering it (${scenario}) would take ${ageOf(value)}.`, scenario);
    }
  }
  for (const { labels, value } of all('spillway_slot_lost')) {
    if (value === 1)
      say('SlotRetention', 'critical', 'status', `The slot ${labels['slot'] ?? ''} is lost, or is about to be.`);
  }
  for (const { labels, value } of all('database_replica_lag_seconds')) {
    const replica = labels['replica'] ?? '';
    if (value > 3600) say('DatabaseReplicaLag', 'critical', 'status', `${replica} is ${ageOf(value)} behind.`, replica);
  }
  if (one('spillway_database_up') === 0) {
    say('AvailabilityBurnFast', 'critical', 'servers', 'None of its servers answers and takes writes.');
  }
  if (all('spillway_server_writable').filter(({ value }) => value === 1).length > 1) {
    say('SplitBrain', 'critical', 'servers', 'More than one of its servers takes writes: stop one of them now.');
  }
  if (one('spillway_drill_failed') === 1) say('DrillFailed', 'critical', 'evidence', 'The last recovery drill failed.');
  const due = one('spillway_drill_due_timestamp_seconds') ?? now;
  if (
    facts.evidence.value !== undefined &&
    now - due > DAY &&
    (one('spillway_drill_last_success_timestamp_seconds') ?? 0) < due
  ) {
    say('DrillOverdue', 'warning', 'evidence', "This month's recovery drill has not passed.");
  }
  for (const { labels, value } of all('spillway_anomalies_open')) {
    const { rule = '' } = labels;
    const alert = rule === 'weakened' || rule === 'hold-released' ? 'ImmutabilityWeakened' : 'DedupAnomaly';
    say(alert, 'critical', 'evidence', `spillway anomalies found ${value} signs (${rule}).`, rule);
  }
  for (const { part, error, ageSeconds } of [
    facts.backups,
    facts.evidence,
    facts.jobs,
    facts.status,
    facts.servers,
  ].flatMap((taken) => taken ?? [])) {
    if (error === null || ageSeconds < UNREAD_SECONDS) continue;
    // Of the part that is always there to be looked at: that it fails is known.
    say('CollectionFailing', 'warning', 'jobs', `${part} could not be read for ${ageOf(ageSeconds)}: ${error}.`, part);
  }
  return open;
}

export function ageOf(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'everything';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * DAY ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / DAY)} days`;
}
