// From what was read to samples of metrics. Pure: the same facts give the same samples.
//
// What is not known has no sample. Only where something cannot be at all (nothing is durable) is there a number that says so.

import type {
  BackupsDocument,
  EvidenceListDocument,
  ReceiverDocument,
  ScheduleDocument,
  StatusDocument,
  WalReport,
} from '@spillway/contract';
import type { ServerSeen } from '@spillway/control';
import type { MetricName } from './catalogue.ts';
import type { Taken } from './gathering.ts';
import type { Availability, Room } from './past.ts';
import type { CertificateSeen, PlaceSeen } from '../watch.ts';

export interface Sample {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface JobsRead {
  readonly schedules: readonly (ScheduleDocument & { readonly periodSeconds: number | null })[];
  readonly open: readonly { readonly state: string; readonly count: number; readonly oldest: number }[];
  readonly ended: readonly {
    readonly command: string;
    /** For backups. */
    readonly kind: string | null;
    readonly state: string;
    readonly count: number;
    /** Milliseconds; null of what was forgotten. */
    readonly newest: number | null;
  }[];
}

export interface ClusterFacts {
  readonly cluster: string;
  readonly objectives: { readonly rpoSeconds: number; readonly rtoSeconds: number };
  readonly receiver: ReceiverDocument | null;
  readonly backups: Taken<BackupsDocument>;
  readonly wal: Taken<WalReport>;
  readonly evidence: Taken<Pick<EvidenceListDocument, 'records' | 'unreadable'>>;
  readonly jobs: Taken<JobsRead>;
  /** Undefined where nobody can look. */
  readonly status: Taken<StatusDocument> | undefined;
  readonly servers: Taken<readonly ServerSeen[]> | undefined;
  /** Undefined before the first reading. */
  readonly availability: Availability | undefined;
}

export interface Facts {
  readonly version: string;
  readonly now: number;
  /** As configured. */
  readonly storageFloorBytes: number | undefined;
  readonly clusters: readonly ClusterFacts[];
  readonly places: Taken<readonly PlaceSeen[]> | undefined;
  readonly rooms: readonly Room[];
  readonly certificates: Taken<readonly CertificateSeen[]> | undefined;
  readonly notifications: readonly { readonly channel: string; readonly outcome: string; readonly count: number }[];
}

type Say = (name: MetricName, labels: Sample['labels'], value: number | null | undefined) => void;

export function samplesOf(facts: Facts): readonly Sample[] {
  const samples: Sample[] = [];
  const say: Say = (name, labels, value) => {
    if (value !== null && value !== undefined && !Number.isNaN(value)) samples.push({ name, labels, value });
  };
  say('spillway_build_info', { version: facts.version }, 1);
  for (const cluster of facts.clusters) {
    const of: Say = (name, labels, value) => say(name, { cluster: cluster.cluster, ...labels }, value);
    sayCluster(of, cluster, facts.now);
  }
  for (const taken of [facts.places, facts.certificates]) if (taken) sayCollection(say, taken);
  for (const { place, availableBytes, sizeBytes, weak } of facts.places?.value ?? []) {
    say('backup_storage_available_bytes', { repository: place }, availableBytes);
    say('spillway_repository_size_bytes', { repository: place }, sizeBytes);
    say('spillway_repository_floor_bytes', { repository: place }, floorOf(sizeBytes, facts.storageFloorBytes));
    say('spillway_repository_protection_weak', { repository: place }, weak?.length);
  }
  for (const { certificate, endsAt } of facts.certificates?.value ?? []) {
    say('spillway_certificate_expiry_timestamp_seconds', { certificate }, endsAt / 1000);
  }
  for (const { channel, outcome, count } of facts.notifications) {
    say('spillway_notifications_total', { channel, outcome }, count);
  }
  return samples;
}

function sayCollection(say: Say, { part, cluster, error, value, ageSeconds, durationSeconds }: Taken<unknown>): void {
  const labels = { part, cluster: cluster ?? '' };
  say('spillway_collection_success', labels, error === null && value !== undefined ? 1 : 0);
  say('spillway_collection_age_seconds', labels, ageSeconds);
  say('spillway_collection_duration_seconds', labels, durationSeconds);
}

function sayCluster(say: Say, facts: ClusterFacts, now: number): void {
  const { backups, wal, evidence, status, servers, jobs, receiver, objectives } = facts;
  say('spillway_cluster_configured', {}, 1);
  say('spillway_rpo_objective_seconds', {}, objectives.rpoSeconds);
  say('spillway_rto_objective_seconds', {}, objectives.rtoSeconds);
  say('spillway_drill_due_timestamp_seconds', {}, firstMonday(now) / 1000);
  if (receiver !== null) {
    say('spillway_receiver_up', {}, receiver.state === 'running' || receiver.state === 'steady' ? 1 : 0);
    say('spillway_receiver_restarts_total', {}, receiver.restarts);
  }
  for (const taken of [backups, wal, evidence, status, servers, jobs]) if (taken) sayCollection(say, taken);
  if (jobs.value !== undefined) sayJobs(say, jobs.value);
  if (backups.value !== undefined) sayBackups(say, backups.value);
  if (wal.value !== undefined) {
    const { timelines, backups_without_wal: without } = wal.value;
    say('spillway_repository_wal_stored_bytes', {}, sum(timelines.map(({ stored_bytes: bytes }) => bytes)));
    say('spillway_backups_without_wal', {}, without.length);
  }
  if (evidence.value !== undefined) sayEvidence(say, evidence.value);
  if (status?.value !== undefined) sayStatus(say, status.value);
  if (servers?.value !== undefined) sayServers(say, servers.value);
}

const BACKUP_KINDS = ['full', 'incremental', 'schema', 'logical'];
const OPEN = ['awaiting-approval', 'queued', 'running', 'waiting', 'cancelling', 'timing-out'];
const ENDED = ['succeeded', 'failed', 'timed-out', 'aborted', 'cancelled'];
const statuses: Readonly<Record<string, string>> = {
  succeeded: 'success',
  warned: 'success',
  failed: 'failure',
  'timed-out': 'failure',
  aborted: 'failure',
  cancelled: 'cancelled',
};

function sayJobs(say: Say, { schedules, open, ended }: JobsRead): void {
  for (const { kind, last_success_at: last, next_at: next, periodSeconds: period } of schedules) {
    say('spillway_schedule_last_success_timestamp_seconds', { kind }, seconds(last));
    if (BACKUP_KINDS.includes(kind)) {
      say('spillway_backup_last_success_timestamp_seconds', { kind }, seconds(last));
      const failures = ended.filter((each) => each.kind === kind && statuses[each.state] === 'failure');
      const failed = mostOf(failures.map(({ newest }) => newest));
      say('spillway_backup_last_failure_timestamp_seconds', { kind }, failed === null ? null : failed / 1000);
      // From the first scrape on: a counter that begins at 1 has not risen.
      for (const status of ['success', 'failure', 'cancelled']) {
        const counted = ended.filter((each) => each.kind === kind && statuses[each.state] === status);
        say('backup_success_total', { kind, status }, sum(counted.map(({ count }) => count)));
      }
    }
    say('spillway_schedule_period_seconds', { kind }, period);
    if (period !== null) say('spillway_schedule_due_timestamp_seconds', { kind }, seconds(next));
  }
  for (const state of OPEN) {
    say('spillway_jobs', { state }, sum(open.flatMap((each) => (each.state === state ? [each.count] : []))));
  }
  const queued = open.find(({ state }) => state === 'queued');
  say('spillway_job_oldest_queued_timestamp_seconds', {}, queued && queued.oldest / 1000);
  const commands = new Set(['backup', 'verify', 'expire', 'copy', ...ended.map(({ command }) => command)]);
  const states = new Set([...ENDED, ...ended.map(({ state }) => state)]);
  for (const command of commands) {
    for (const state of states) {
      const counted = ended.filter((each) => each.command === command && each.state === state);
      say('spillway_job_completed_total', { command, state }, sum(counted.map(({ count }) => count)));
    }
  }
}

function sayBackups(say: Say, { backups, recovery_window: window }: BackupsDocument): void {
  say('spillway_recoverable', {}, window.latest_lsn === null ? 0 : 1);
  say('spillway_recovery_window_start_timestamp_seconds', {}, seconds(window.earliest_at));
  say('spillway_recovery_window_end_timestamp_seconds', {}, seconds(window.latest_at));
  say('spillway_wal_gaps', {}, window.gaps.length);
  for (const verification of ['passed', 'failed', null] as const) {
    const count = backups.filter((each) => each.verification === verification).length;
    say('spillway_backups', { verification: verification ?? 'none' }, count);
  }
  for (const type of ['full', 'incremental'] as const) {
    const newest = backups.findLast((each) => each.type === type);
    if (newest === undefined) continue;
    say('spillway_backup_duration_seconds', { type }, newest.duration_seconds);
    say('spillway_backup_logical_bytes', { type }, newest.bytes);
    say('spillway_backup_read_bytes', { type }, newest.read_bytes);
    say('spillway_backup_new_bytes', { type }, newest.new_bytes);
    say('spillway_backup_stored_bytes', { type }, newest.stored_bytes);
    say('spillway_backup_new_ratio', { type }, newest.bytes === 0 ? 0 : newest.new_bytes / newest.bytes);
  }
  say('spillway_backup_damaged_pages', {}, backups.at(-1)?.damaged_page_count);
  const logical = sum(backups.map(({ bytes }) => bytes));
  const stored = sum(backups.map(({ stored_bytes: bytes }) => bytes));
  say('spillway_repository_logical_bytes', {}, logical);
  say('spillway_repository_backup_stored_bytes', {}, stored);
  if (stored > 0) say('spillway_repository_dedup_ratio', {}, logical / stored);
}

type Evidence = EvidenceListDocument['records'][number];

function sayEvidence(say: Say, { records, unreadable }: Pick<EvidenceListDocument, 'records' | 'unreadable'>): void {
  const newest = (match: (each: Evidence) => boolean): Evidence | undefined => {
    let found: Evidence | undefined;
    for (const each of records)
      if (match(each) && (found === undefined || each.finished_at >= found.finished_at)) found = each;
    return found;
  };
  for (const level of new Set(records.flatMap((each) => (each.kind === 'verification' ? [each.level] : [])))) {
    const of = (each: Evidence): boolean => each.kind === 'verification' && each.level === level;
    const passed = newest((each) => of(each) && each.result === 'passed');
    say('spillway_verification_last_success_timestamp_seconds', { level }, seconds(passed?.finished_at));
    const last = newest(of);
    say('spillway_verification_failed', { level }, last?.result === 'failed' ? 1 : 0);
    say('spillway_verification_findings', { level }, numberOf(last?.details['faults']));
  }
  const drill = newest(({ kind }) => kind === 'drill');
  if (drill !== undefined) {
    const passed = newest((each) => each.kind === 'drill' && each.result === 'passed');
    say('spillway_drill_last_run_timestamp_seconds', {}, seconds(drill.finished_at));
    say('spillway_drill_last_success_timestamp_seconds', {}, seconds(passed?.finished_at));
    say('spillway_drill_failed', {}, drill.result === 'failed' ? 1 : 0);
    say('spillway_drill_rto_seconds', {}, numberOf(drill.details['rto_seconds']));
    say('spillway_drill_rpo_seconds', {}, numberOf(drill.details['rpo_seconds']));
  }
  const key = newest(
    ({ kind, result, details }) =>
      kind === 'key-check' && result === 'passed' && details['slot_kind'] === 'recovery-key',
  );
  say('spillway_recovery_key_last_proven_timestamp_seconds', {}, seconds(key?.finished_at));
  const anomaly = newest(({ kind }) => kind === 'anomaly');
  const open = anomaly === undefined ? [] : openSigns(anomaly.details);
  for (const of of new Set(open.map(({ rule, severity }) => `${rule} ${severity}`))) {
    const [rule = '', severity = ''] = of.split(' ');
    const count = open.filter((each) => each.rule === rule && each.severity === severity).length;
    say('spillway_anomalies_open', { rule, severity }, count);
  }
  say('spillway_evidence_unreadable', {}, unreadable.length);
  say('spillway_evidence_sequence', {}, Math.max(0, ...records.map(({ sequence }) => sequence ?? 0)));
}

/** As `anomalies` wrote them down. */
function openSigns(details: Evidence['details']): readonly { readonly rule: string; readonly severity: string }[] {
  const { findings } = details;
  if (!Array.isArray(findings)) return [];
  return findings.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null || ('accepted' in each && each.accepted === true)) return [];
    const [rule, severity] = ['rule' in each ? each.rule : null, 'severity' in each ? each.severity : null];
    return typeof rule === 'string' && typeof severity === 'string' ? [{ rule, severity }] : [];
  });
}

const REPLICAS_MAX = 32;

function sayStatus(say: Say, { rpo, rto, source }: StatusDocument): void {
  say('spillway_rpo_seconds', {}, rpo.seconds ?? Number.POSITIVE_INFINITY);
  const flushed = bytesOf(source?.flushed_lsn ?? null);
  for (const { place, seconds: lag, durable_lsn: durable } of rpo.places) {
    const held = bytesOf(durable);
    say('spillway_wal_lag_seconds', { repository: place }, lag ?? Number.POSITIVE_INFINITY);
    if (flushed === undefined || held === undefined) continue;
    say('spillway_wal_lag_bytes', { repository: place }, Math.max(0, Number(flushed - held)));
  }
  say('spillway_wal_timeline', {}, rpo.places[0]?.timeline);
  for (const { name, expected_seconds: expected, basis } of rto.scenarios) {
    say('spillway_rto_seconds', { scenario: name }, expected);
    say('spillway_rto_measured', { scenario: name }, basis === 'guess' ? 0 : 1);
  }
  if (source === null) return;
  const { slot, archive, replication } = source;
  if (slot !== null) {
    const labels = { slot: slot.name };
    say('spillway_slot_retained_bytes', labels, slot.held_bytes);
    say('spillway_slot_safe_bytes', labels, slot.safe_bytes);
    say('spillway_slot_limit_bytes', labels, slot.limit_bytes);
    say('spillway_slot_lost', labels, slot.wal_status === 'lost' || slot.wal_status === 'unreserved' ? 1 : 0);
  }
  // Several may have one name: the furthest behind counts. Names are those that clients give themselves: no more are told
  // than anybody has standbys.
  const behind = replication.toSorted((a, b) => (b.behind_bytes ?? 0) - (a.behind_bytes ?? 0));
  for (const replica of [...new Set(behind.map(({ name }) => name))].slice(0, REPLICAS_MAX)) {
    const named = replication.filter(({ name }) => name === replica);
    const lags = named.map(({ behind_bytes: bytes, behind_seconds: lag }) => (bytes === 0 ? 0 : lag));
    say('database_replica_lag_seconds', { replica }, mostOf(lags));
    say('spillway_replica_lag_bytes', { replica }, mostOf(named.map(({ behind_bytes: bytes }) => bytes)));
    say('spillway_replica_streaming', { replica }, named.every(({ state }) => state === 'streaming') ? 1 : 0);
  }
  if (archive.mode !== 'off') {
    say('spillway_archive_failed_total', {}, archive.failed_count);
    say('spillway_archive_last_success_timestamp_seconds', {}, seconds(archive.last_archived_at));
    say('spillway_archive_last_failure_timestamp_seconds', {}, seconds(archive.last_failed_at));
  }
}

function sayServers(say: Say, servers: readonly ServerSeen[]): void {
  for (const { server, figures } of servers) {
    say('spillway_server_up', { server }, figures === undefined ? 0 : 1);
    if (figures === undefined) continue;
    say('spillway_server_writable', { server }, figures.inRecovery ? 0 : 1);
    say('spillway_server_timeline', { server }, figures.timeline);
    say('spillway_server_connections', { server }, figures.connections);
    say('spillway_server_connections_limit', { server }, figures.connectionsMax);
    say('spillway_server_longest_transaction_seconds', { server }, figures.longestTransactionSeconds);
    say('spillway_server_transactions_total', { server, outcome: 'committed' }, figures.committed);
    say('spillway_server_transactions_total', { server, outcome: 'rolled_back' }, figures.rolledBack);
    say('spillway_server_blocks_total', { server, from: 'cache' }, figures.blocksHit);
    say('spillway_server_blocks_total', { server, from: 'disk' }, figures.blocksRead);
    say('spillway_server_deadlocks_total', { server }, figures.deadlocks);
  }
  say('spillway_database_up', {}, takesWrites(servers) ? 1 : 0);
}

export const takesWrites = (servers: readonly ServerSeen[]): boolean =>
  servers.some(({ figures }) => figures?.inRecovery === false);

/** The newest first Monday of a month at or before `now`, at midnight UTC. */
export function firstMonday(now: number): number {
  const day = new Date(now);
  const of = (month: number): number => {
    const first = new Date(Date.UTC(day.getUTCFullYear(), month, 1));
    return first.getTime() + ((8 - first.getUTCDay()) % 7) * DAY_MS;
  };
  const here = of(day.getUTCMonth());
  return here <= now ? here : of(day.getUTCMonth() - 1);
}

/** Of a bucket there is none. The terabyte is the plan's; on a small disk it would be an alarm that never ends. */
function floorOf(sizeBytes: number | null, configured: number | undefined): number | null {
  if (sizeBytes === null) return null;
  return configured ?? Math.min(TEBIBYTE, sizeBytes / 10);
}

const TEBIBYTE = 2 ** 40;
const DAY_MS = 86_400_000;

const seconds = (at: string | null | undefined): number | null =>
  at === null || at === undefined ? null : Date.parse(at) / 1000;
const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

function mostOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** `16/B374D848` as a number of bytes. */
function bytesOf(lsn: string | null): bigint | undefined {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/.exec(lsn ?? '') ?? [];
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
