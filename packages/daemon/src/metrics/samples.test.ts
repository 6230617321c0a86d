import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupsDocument, EvidenceListDocument, StatusDocument } from '@spillway/contract';
import type { Taken } from './gathering.ts';
import { Exposition, formatOf } from './exposition.ts';
import { periodOf } from './jobs-read.ts';
import { type ClusterFacts, type Facts, firstMonday, type JobsRead, samplesOf } from './samples.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');

const taken = <Value>(part: string, value: Value | undefined, error: string | null = null): Taken<Value> => ({
  part,
  cluster: 'water',
  value,
  error,
  ageSeconds: 7,
  durationSeconds: 0.5,
});

const jobs: JobsRead = {
  schedules: [
    {
      cluster: 'water',
      kind: 'full',
      pattern: '0 2 * * *',
      time_zone: 'UTC',
      next_at: '2026-11-29T02:00:00Z',
      handled_up_to: null,
      last_success_at: '2026-11-28T02:05:00Z',
      last_job: null,
      last_state: null,
      idle_because: null,
      periodSeconds: 86_400,
    },
  ],
  open: [{ state: 'queued', count: 2, oldest: NOW - 60_000 }],
  ended: [
    { command: 'backup', kind: 'full', state: 'succeeded', count: 3, newest: NOW },
    { command: 'backup', kind: 'full', state: 'timed-out', count: 1, newest: NOW - 5000 },
    { command: 'backup', kind: 'full', state: 'failed', count: 2, newest: null },
    { command: 'verify', kind: null, state: 'failed', count: 4, newest: NOW },
  ],
};

const backup = { type: 'full', duration_seconds: 9, bytes: 1000, read_bytes: 1000, new_bytes: 250, stored_bytes: 100 };
const backups = {
  cluster: 'water',
  recovery_window: { latest_lsn: '0/5000', earliest_at: '2026-11-27T02:00:00Z', latest_at: null, gaps: [{}] },
  backups: [
    { ...backup, verification: 'passed', damaged_page_count: 0 },
    { ...backup, verification: null, damaged_page_count: 2, new_bytes: 500 },
  ],
} as unknown as BackupsDocument;

const evidenceOf = (...records: readonly object[]): Pick<EvidenceListDocument, 'records' | 'unreadable'> => ({
  records: records.map((each, at) => ({ details: {}, sequence: at + 1, ...each })) as never,
  unreadable: [],
});
const evidence = evidenceOf(
  { kind: 'verification', level: 'data', result: 'passed', finished_at: '2026-11-20T00:00:00Z' },
  {
    kind: 'verification',
    level: 'data',
    result: 'failed',
    finished_at: '2026-11-27T00:00:00Z',
    details: { faults: 3 },
  },
  {
    kind: 'drill',
    level: 'restore',
    result: 'passed',
    finished_at: '2026-11-02T00:00:00Z',
    details: { rto_seconds: 41, rpo_seconds: null },
  },
  {
    kind: 'key-check',
    level: 'keys',
    result: 'passed',
    finished_at: '2026-11-01T00:00:00Z',
    details: { slot_kind: 'passphrase' },
  },
  {
    kind: 'anomaly',
    level: 'structure',
    result: 'failed',
    finished_at: '2026-11-27T00:00:00Z',
    details: {
      findings: [
        { rule: 'weakened', severity: 'alarm', accepted: false },
        { rule: 'weakened', severity: 'alarm', accepted: true },
      ],
    },
  },
);

const status = {
  rpo: { seconds: null, places: [{ place: 'repository', seconds: 3, durable_lsn: '1/0', timeline: 2 }] },
  rto: { scenarios: [{ name: 'one table', expected_seconds: 84, basis: 'guess' }] },
  source: {
    flushed_lsn: '1/100',
    slot: { name: 's', wal_status: 'unreserved', held_bytes: 5, safe_bytes: null, limit_bytes: null },
    archive: { mode: 'off', failed_count: 0, last_archived_at: null },
    replication: [
      { name: 'idle', state: 'streaming', behind_bytes: 0, behind_seconds: 900 },
      { name: 'slow', state: 'catchup', behind_bytes: 10, behind_seconds: 12 },
    ],
  },
} as unknown as StatusDocument;

const facts = (cluster: Partial<ClusterFacts> = {}): Facts => ({
  version: '0.1.0',
  now: NOW,
  storageFloorBytes: undefined,
  clusters: [
    {
      cluster: 'water',
      objectives: { rpoSeconds: 900, rtoSeconds: 3600 },
      receiver: { state: 'resting', since: '', restarts: 2, error: null, detail: null },
      backups: taken('backups', backups),
      wal: taken('wal', { timelines: [], gaps: [], backups_without_wal: [], data: null }),
      evidence: taken('evidence', evidence),
      jobs: taken('jobs', jobs),
      status: taken('status', status),
      servers: taken('servers', [{ server: 'a:5432', figures: undefined, problem: 'refused' }]),
      availability: undefined,
      ...cluster,
    },
  ],
  places: {
    ...taken('places', [{ place: 'repository', availableBytes: 7, sizeBytes: 9, weak: null }]),
    cluster: null,
  },
  rooms: [],
  certificates: undefined,
  notifications: [],
});

const series = (of: Facts): ReadonlyMap<string, number> =>
  new Map(
    samplesOf(of).map(({ name, labels, value }) => {
      const { cluster: _, ...rest } = labels;
      const told = Object.entries(rest).map(([label, word]) => `${label}=${word}`);
      return [told.length === 0 ? name : `${name}{${told.join()}}`, value];
    }),
  );

test('what was read becomes samples, with their labels and in base units', () => {
  const got = series(facts());
  const want: Readonly<Record<string, number | undefined>> = {
    'backup_success_total{kind=full,status=success}': 3,
    'backup_success_total{kind=full,status=failure}': 3,
    'backup_success_total{kind=full,status=cancelled}': 0,
    'spillway_backup_last_success_timestamp_seconds{kind=full}': Date.parse('2026-11-28T02:05:00Z') / 1000,
    'spillway_backup_last_failure_timestamp_seconds{kind=full}': NOW / 1000 - 5,
    'spillway_job_completed_total{command=verify,state=failed}': 4,
    'spillway_job_completed_total{command=copy,state=failed}': 0,
    'spillway_jobs{state=queued}': 2,
    'spillway_jobs{state=running}': 0,
    spillway_job_oldest_queued_timestamp_seconds: NOW / 1000 - 60,
    spillway_wal_gaps: 1,
    'spillway_backups{verification=none}': 1,
    'spillway_backup_new_ratio{type=full}': 0.5,
    spillway_repository_dedup_ratio: 10,
    spillway_backup_damaged_pages: 2,
    'spillway_verification_last_success_timestamp_seconds{level=data}': Date.parse('2026-11-20T00:00:00Z') / 1000,
    'spillway_verification_failed{level=data}': 1,
    'spillway_verification_findings{level=data}': 3,
    spillway_drill_failed: 0,
    spillway_drill_rto_seconds: 41,
    spillway_drill_rpo_seconds: undefined,
    spillway_drill_due_timestamp_seconds: Date.parse('2026-11-02T00:00:00Z') / 1000,
    // Shown with the passphrase alone.
    spillway_recovery_key_last_proven_timestamp_seconds: undefined,
    'spillway_anomalies_open{rule=weakened,severity=alarm}': 1,
    spillway_evidence_sequence: 5,
    spillway_rpo_seconds: Number.POSITIVE_INFINITY,
    'spillway_wal_lag_bytes{repository=repository}': 256,
    'spillway_rto_measured{scenario=one table}': 0,
    'spillway_slot_lost{slot=s}': 1,
    'spillway_slot_safe_bytes{slot=s}': undefined,
    spillway_archive_failed_total: undefined,
    // An idle primary shows false lag in seconds.
    'database_replica_lag_seconds{replica=idle}': 0,
    'database_replica_lag_seconds{replica=slow}': 12,
    'spillway_replica_streaming{replica=slow}': 0,
    spillway_receiver_up: 0,
    spillway_receiver_restarts_total: 2,
    'spillway_server_up{server=a:5432}': 0,
    'spillway_server_writable{server=a:5432}': undefined,
    spillway_database_up: 0,
    'backup_storage_available_bytes{repository=repository}': 7,
    'spillway_repository_floor_bytes{repository=repository}': 0.9,
    'spillway_repository_protection_weak{repository=repository}': undefined,
    'spillway_collection_success{part=places}': 1,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(want).map((name) => [name, got.get(name)])), want);
});

test('a part that could not be read has no number, and says so', () => {
  const got = series(facts({ backups: taken<BackupsDocument>('backups', undefined, 'the bucket is gone') }));
  assert.equal(got.get('spillway_collection_success{part=backups}'), 0);
  assert.equal(got.get('spillway_collection_age_seconds{part=backups}'), 7);
  for (const name of ['spillway_wal_gaps', 'spillway_recoverable', 'spillway_repository_dedup_ratio']) {
    assert.equal(got.get(name), undefined, name);
  }
  assert.equal(got.get('spillway_collection_success{part=wal}'), 1);
  assert.equal(got.get('spillway_cluster_configured'), 1);
});

test('however many connect and call themselves something, so many are told: those furthest behind', () => {
  const replication = Array.from({ length: 500 }, (_, at) => ({
    name: `r${at}`,
    state: 'streaming',
    behind_bytes: at,
    behind_seconds: 1,
  }));
  const of = { ...status, source: { ...status.source, replication } } as unknown as StatusDocument;
  const lags = [...series(facts({ status: taken('status', of) })).keys()].filter((name) => /replica_lag_b/.test(name));
  assert.deepEqual([lags.length, lags[0]], [32, 'spillway_replica_lag_bytes{replica=r499}']);
});

test('both formats are written, one after the other, and neither spoils the other', async () => {
  const exposition = new Exposition();
  const samples = samplesOf(facts());
  for (let round = 0; round < 2; round++) {
    const open = await exposition.render(
      samples,
      formatOf('application/openmetrics-text;version=1.0.0,text/plain;q=0.5'),
    );
    assert.match(open.type, /^application\/openmetrics-text/);
    assert.match(open.text, /# TYPE backup_success counter\n/);
    assert.match(open.text, /\nbackup_success_total\{cluster="water",kind="full",status="success"\} 3\n/);
    assert.match(open.text, /\nspillway_rpo_seconds\{cluster="water"\} \+Inf\n/);
    assert.ok(open.text.endsWith('\n# EOF\n'));
    const text = await exposition.render(samples, formatOf('*/*'));
    assert.match(text.type, /^text\/plain/);
    assert.match(text.text, /# TYPE backup_success_total counter\n/);
    assert.match(text.text, /\nprocess_cpu_seconds_total \d/);
  }
});

test('the first Monday is that of this month, or of the last where it has not come', () => {
  const of = (at: string): string => new Date(firstMonday(Date.parse(at))).toISOString().slice(0, 10);
  assert.deepEqual(
    [
      '2026-11-28T12:00:00Z',
      '2026-11-01T23:59:59Z',
      '2026-11-02T00:00:00Z',
      '2027-01-03T00:00:00Z',
      '2026-06-01T00:00:00Z',
    ].map(of),
    ['2026-11-02', '2026-10-05', '2026-11-02', '2026-12-07', '2026-06-01'],
  );
});

test('the period of a schedule is the longest time between two of its runs', () => {
  const at = [0, 2, 10, 12, 20];
  const after = (time: number): number | undefined => at.map((hour) => hour * 3_600_000).find((each) => each > time);
  assert.equal(periodOf({ after }, -1), 8 * 3600);
  assert.equal(periodOf({ after: () => undefined }, 0), null);
});
