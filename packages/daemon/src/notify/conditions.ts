// What is wrong, judged by the service itself from the same facts that its metrics are of, for those who run no Prometheus.
// The names are those of the alert rules, so that one runbook serves both. Pure.
//
// A part that could not be read says nothing: what it would tell is unknown, neither wrong nor mended. So is what wants a past
// (`metrics/past.ts`) for as long as the service has not looked long enough.

import type { Part } from '../metrics/catalogue.ts';
import type { Taken } from '../metrics/gathering.ts';
import { downShare, type Room, roomAt } from '../metrics/past.ts';
import { type ClusterFacts, type Facts, type Sample, samplesOf } from '../metrics/samples.ts';

export type Severity = 'critical' | 'warning';

export interface Condition {
  /** The same thing has the same key. */
  readonly key: string;
  readonly alert: string;
  /** Empty where it is about none, as a place or a certificate. */
  readonly cluster: string;
  readonly severity: Severity;
  readonly summary: string;
  /** What it was read from. */
  readonly part: Source;
  /** How long it must be wrong before it is told, where that is longer than everything is waited for. */
  readonly patienceSeconds?: number;
}

/** Parts, and what they were over a time. */
export type Source = Part | 'places-past' | 'servers-past';

export interface Judged {
  readonly open: readonly Condition[];
  /** `cluster source`, of what could not be read, or not for long enough. */
  readonly unknown: ReadonlySet<string>;
}

const UNREAD_SECONDS = 600;
const PERIODS = 1.5;
const LATE_SECONDS = 900;
const FIVE_MINUTES = 300;
const TEN_MINUTES = 600;
const HOUR = 3600;
const DAY = 86_400;
const FORECAST_MS = 4 * DAY * 1000;
/** Of an objective of 99.9 %, at six times the rate. */
const SLOW_BURN = 6 * 0.001;
const SLOW_WINDOWS_MS = [6 * HOUR * 1000, 30 * 60_000] as const;

export function conditionsOf(facts: Facts): Judged {
  const unknown = new Set<string>();
  const samples = samplesOf(facts);
  const now = facts.now / 1000;
  const open = facts.clusters.flatMap((cluster) => {
    const own = samples.filter(({ labels }) => labels['cluster'] === cluster.cluster);
    for (const taken of partsOf(cluster))
      if (taken.value === undefined) unknown.add(`${cluster.cluster} ${taken.part}`);
    if (facts.now - (cluster.availability?.since ?? facts.now) < SLOW_WINDOWS_MS[1]) {
      unknown.add(`${cluster.cluster} servers-past`);
    }
    return ofCluster(cluster, own, now);
  });
  for (const taken of [facts.places, facts.certificates]) {
    if (taken !== undefined && taken.value === undefined) unknown.add(` ${taken.part}`);
  }
  if (facts.rooms.some((room) => !isLookedAt(room, facts.now)) || facts.places?.value === undefined) {
    unknown.add(' places-past');
  }
  return { open: [...open, ...ofService(facts, samples, now)], unknown };
}

const partsOf = ({ backups, wal, evidence, jobs, status, servers }: ClusterFacts): readonly Taken<unknown>[] =>
  [backups, wal, evidence, jobs, status, servers].filter((taken) => taken !== undefined);

type Say = (
  alert: string,
  severity: Severity,
  part: Source,
  summary: string,
  more?: { readonly subject?: string; readonly patienceSeconds?: number },
) => void;

const sayInto =
  (open: Condition[], cluster: string): Say =>
  (alert, severity, part, summary, { subject = '', ...more } = {}) =>
    void open.push({
      key: [alert, cluster, subject].filter((word) => word !== '').join(' '),
      alert,
      cluster,
      severity,
      part,
      summary,
      ...more,
    });

/** What is wrong with the service itself, and with places that clusters share. */
function ofService(
  { places, certificates, rooms, now: nowMs }: Facts,
  samples: readonly Sample[],
  now: number,
): readonly Condition[] {
  const open: Condition[] = [];
  const say = sayInto(open, '');
  const of = (name: Sample['name']): readonly Sample[] => samples.filter((each) => each.name === name);
  for (const { labels, value: floor } of of('spillway_repository_floor_bytes')) {
    const { repository: subject = '' } = labels;
    const free = of('backup_storage_available_bytes').find((each) => each.labels['repository'] === subject)?.value;
    if (free === undefined || free >= floor) continue;
    say('BackupStorageLow', 'warning', 'places', `${sizeOf(free)} are left under ${subject}.`, {
      subject,
      patienceSeconds: FIVE_MINUTES,
    });
  }
  for (const room of rooms) {
    const { place: subject, points } = room;
    const then = roomAt(points, nowMs + FORECAST_MS);
    if (places?.value === undefined || !isLookedAt(room, nowMs) || then === undefined || then >= 0) continue;
    say('StorageLow', 'warning', 'places-past', `At the rate of the last day ${subject} is full within four days.`, {
      subject,
      patienceSeconds: HOUR,
    });
  }
  for (const { labels, value } of of('spillway_repository_protection_weak')) {
    const { repository: subject = '' } = labels;
    if (value === 0) continue;
    say('ImmutabilityWeakened', 'critical', 'places', `The bucket of ${subject} protects less than is configured.`, {
      subject,
    });
  }
  for (const { labels, value } of of('spillway_certificate_expiry_timestamp_seconds')) {
    const { certificate: subject = '' } = labels;
    const left = value - now;
    if (left >= 21 * DAY) continue;
    const summary = left < 0 ? `The certificate ${subject} has ended.` : `${subject} ends in ${ageOf(left)}.`;
    say('CertificateExpiry', 'warning', 'certificates', summary, { subject });
    if (left < 3 * DAY) say('CertificateExpirySoon', 'critical', 'certificates', summary, { subject });
  }
  for (const taken of [places, certificates]) if (taken !== undefined) sayUnread(say, taken);
  return open;
}

/** Long enough that a file which was laid down a moment ago is no trend. */
const isLookedAt = ({ points }: Room, nowMs: number): boolean => nowMs - (points.at(0)?.at ?? nowMs) >= HOUR * 1000;

/** Of the part `jobs`, which is always there to be looked at: that the other fails is known. */
function sayUnread(say: Say, { part, error, ageSeconds }: Taken<unknown>): void {
  if (error === null || ageSeconds < UNREAD_SECONDS) return;
  say('CollectionFailing', 'warning', 'jobs', `${part} could not be read for ${ageOf(ageSeconds)}: ${error}.`, {
    subject: part,
  });
}

function ofCluster(facts: ClusterFacts, samples: readonly Sample[], now: number): readonly Condition[] {
  const { cluster, objectives } = facts;
  const open: Condition[] = [];
  const say = sayInto(open, cluster);
  const all = (name: Sample['name']): readonly Sample[] => samples.filter((each) => each.name === name);
  const one = (name: Sample['name'], label?: readonly [string, string]): number | undefined =>
    all(name).find(({ labels }) => label === undefined || labels[label[0]] === label[1])?.value;

  for (const { labels, value: failedAt } of all('spillway_backup_last_failure_timestamp_seconds')) {
    const kind = labels['kind'] ?? '';
    const done = one('spillway_backup_last_success_timestamp_seconds', ['kind', kind]);
    if (done !== undefined && done >= failedAt) continue;
    say('BackupFailed', 'critical', 'jobs', `The last ${kind} backup failed, and none was made since.`, {
      subject: kind,
    });
  }
  for (const { labels, value: period } of all('spillway_schedule_period_seconds')) {
    const kind = labels['kind'] ?? '';
    const done = one('spillway_schedule_last_success_timestamp_seconds', ['kind', kind]);
    const age = done === undefined ? 0 : now - done;
    if (age > PERIODS * period && ['full', 'incremental', 'schema', 'logical'].includes(kind)) {
      say('BackupTooOld', 'critical', 'jobs', `The last ${kind} backup is ${ageOf(age)} old.`, { subject: kind });
    } else if (age > PERIODS * period && kind.startsWith('verify_')) {
      say('VerificationStale', 'warning', 'jobs', `The last ${kind} was ${ageOf(age)} ago.`, { subject: kind });
    }
    const due = one('spillway_schedule_due_timestamp_seconds', ['kind', kind]);
    if (due !== undefined && now - due > LATE_SECONDS) {
      say('ScheduleMissed', 'warning', 'jobs', `The run of ${kind} was due ${ageOf(now - due)} ago.`, {
        subject: kind,
      });
    }
  }
  if (one('spillway_recoverable') === 0) {
    say('NoBackupMetric', 'critical', 'backups', 'It cannot be recovered: no backup has the WAL that it needs.');
  }
  const gaps = one('spillway_wal_gaps') ?? 0;
  if (gaps > 0) say('WalGap', 'critical', 'backups', `WAL is missing in ${gaps} places of the recovery window.`);
  const failed = one('spillway_backups', ['verification', 'failed']) ?? 0;
  if (failed > 0) say('VerificationFailed', 'critical', 'backups', `${failed} backups failed their verification.`);
  for (const { labels, value } of all('spillway_verification_failed')) {
    const { level: subject = '' } = labels;
    if (value === 0) continue;
    say('VerificationFailed', 'critical', 'evidence', `The last verification (${subject}) failed.`, { subject });
  }
  const unreadable = one('spillway_evidence_unreadable') ?? 0;
  if (unreadable > 0) {
    say('VerificationFailed', 'critical', 'evidence', `${unreadable} records of the evidence are damaged or forged.`, {
      subject: 'evidence',
    });
  }
  if (one('spillway_receiver_up') === 0) {
    // The receiver is always there to be looked at, as jobs are.
    say('ReceiverDown', 'critical', 'jobs', 'Its WAL is not being received.', { patienceSeconds: FIVE_MINUTES });
  }

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
      say('RtoAtRisk', 'warning', 'status', `Recovering it (${scenario}) would take ${ageOf(value)}.`, {
        subject: scenario,
        patienceSeconds: LATE_SECONDS,
      });
    }
  }
  for (const { labels, value } of all('spillway_slot_lost')) {
    const { slot: subject = '' } = labels;
    const [safe, limit] = [one('spillway_slot_safe_bytes'), one('spillway_slot_limit_bytes')];
    if (value === 1) {
      say('SlotRetention', 'critical', 'status', `The slot ${subject} is lost, or is about to be.`, { subject });
    } else if (safe !== undefined && limit !== undefined && safe < 0.2 * limit) {
      say('SlotRetention', 'critical', 'status', `The slot ${subject} is lost after ${sizeOf(safe)} more of WAL.`, {
        subject,
      });
    }
  }
  const archiveFailedAt = one('spillway_archive_last_failure_timestamp_seconds');
  const archivedAt = one('spillway_archive_last_success_timestamp_seconds');
  if (archiveFailedAt !== undefined && archiveFailedAt > (archivedAt ?? 0)) {
    say('ArchiveFailing', 'critical', 'status', 'archive_command fails, and nothing was archived since.', {
      patienceSeconds: FIVE_MINUTES,
    });
  }
  for (const { labels, value } of all('database_replica_lag_seconds')) {
    const replica = labels['replica'] ?? '';
    const summary = `${replica} is ${ageOf(value)} behind.`;
    const more = { subject: replica, patienceSeconds: TEN_MINUTES };
    if (value > 3600) say('DatabaseReplicaLag', 'critical', 'status', summary, more);
    else if (value > objectives.rpoSeconds / 2) say('ReplicaLag', 'warning', 'status', summary, more);
  }
  for (const { labels, value } of all('spillway_replica_streaming')) {
    const { replica: subject = '' } = labels;
    if (value === 1) continue;
    say('ReplicaBroken', 'critical', 'status', `${subject} does not stream.`, {
      subject,
      patienceSeconds: TEN_MINUTES,
    });
  }
  if (one('spillway_database_up') === 0) {
    say('AvailabilityBurnFast', 'critical', 'servers', 'None of its servers answers and takes writes.');
  }
  const { availability } = facts;
  const shares = availability && SLOW_WINDOWS_MS.map((windowMs) => downShare(availability, now * 1000, windowMs));
  if (shares?.every((share) => share > SLOW_BURN) === true) {
    const seconds = ((shares[0] ?? 0) * SLOW_WINDOWS_MS[0]) / 1000;
    const summary = `It took no writes for ${ageOf(seconds)} of the last six hours.`;
    say('AvailabilityBurnSlow', 'warning', 'servers-past', summary);
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
  const provenAt = one('spillway_recovery_key_last_proven_timestamp_seconds');
  if (facts.evidence.value !== undefined && (provenAt === undefined || now - provenAt > 90 * DAY)) {
    say('RecoveryKeyUnproven', 'warning', 'evidence', 'Nobody has shown in 90 days that the recovery key opens it.');
  }
  for (const { labels, value } of all('spillway_anomalies_open')) {
    const { rule = '' } = labels;
    const alert = rule === 'weakened' || rule === 'hold-released' ? 'ImmutabilityWeakened' : 'DedupAnomaly';
    say(alert, 'critical', 'evidence', `spillway anomalies found ${value} signs (${rule}).`, { subject: rule });
  }
  for (const taken of partsOf(facts)) sayUnread(say, taken);
  return open;
}

export function ageOf(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'everything';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * DAY ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / DAY)} days`;
}

export function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** at).toFixed(at === 0 ? 0 : 1)} ${units[at] ?? ''}`;
}
