// Each condition, as it comes about and as it does not; the facts are those of a cluster that is well, changed in one thing.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BackupsDocument, StatusDocument } from '@spillway/contract';
import type { ServerSeen } from '@spillway/control';
import type { Taken } from '../metrics/gathering.ts';
import type { Room } from '../metrics/past.ts';
import type { ClusterFacts, Facts, JobsRead } from '../metrics/samples.ts';
import type { PlaceSeen } from '../watch.ts';
import { ageOf, conditionsOf, sizeOf } from './conditions.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const GIB = 2 ** 30;
const at = (hoursAgo: number): string => new Date(NOW - hoursAgo * 3_600_000).toISOString();

const taken = <Value>(part: string, value: Value): Taken<Value> => ({
  part,
  cluster: 'water',
  value,
  error: null,
  ageSeconds: 7,
  durationSeconds: 0.5,
});
const unread = (of: Taken<unknown>, ageSeconds: number): never =>
  ({ ...of, value: undefined, error: 'no answer', ageSeconds }) as never;

const schedule = (kind: string, last: string | null, next: string): JobsRead['schedules'][number] => ({
  cluster: 'water',
  kind,
  pattern: '0 2 * * *',
  time_zone: 'UTC',
  next_at: next,
  handled_up_to: null,
  last_success_at: last,
  last_job: null,
  last_state: null,
  idle_because: null,
  periodSeconds: 86_400,
});
const jobs = (more: Partial<JobsRead> = {}): Taken<JobsRead> =>
  taken('jobs', { schedules: [schedule('full', at(10), at(-14))], open: [], ended: [], ...more });

const backupsOf = (gaps: number, lsn: string | null, verification: 'passed' | 'failed'): Taken<BackupsDocument> =>
  taken('backups', {
    cluster: 'water',
    recovery_window: {
      latest_lsn: lsn,
      earliest_at: at(99),
      latest_at: at(0),
      gaps: Array.from({ length: gaps }, () => ({})),
    },
    backups: [{ type: 'full', verification, bytes: 9, stored_bytes: 5, new_bytes: 4, damaged_page_count: 0 }],
  } as unknown as BackupsDocument);

interface Of {
  readonly rpo?: number | null;
  readonly rto?: readonly [seconds: number, basis: string];
  readonly slot?: object;
  readonly archive?: object;
  readonly replica?: object;
}
const statusOf = ({ rpo = 3, rto = [60, 'measured'], slot, archive, replica }: Of): Taken<StatusDocument> =>
  taken('status', {
    rpo: { seconds: rpo, places: [] },
    rto: { scenarios: [{ name: 'whole', expected_seconds: rto[0], basis: rto[1] }] },
    source: {
      flushed_lsn: '1/100',
      slot: { name: 's', wal_status: 'reserved', held_bytes: 5, safe_bytes: 90, limit_bytes: 100, ...slot },
      archive: {
        mode: 'on',
        failed_count: 3,
        last_archived_at: at(0.1),
        last_failed_at: at(5),
        ...archive,
      },
      replication: [{ name: 'b', state: 'streaming', behind_bytes: 9, behind_seconds: 2, ...replica }],
    },
  } as unknown as StatusDocument);

const server = (name: string, inRecovery: boolean): ServerSeen => ({
  server: name,
  problem: null,
  figures: {
    inRecovery,
    timeline: 1,
    connections: 1,
    connectionsMax: 9,
    longestTransactionSeconds: 0,
    committed: 0,
    rolledBack: 0,
    blocksHit: 0,
    blocksRead: 0,
    deadlocks: 0,
  },
});
const gone: ServerSeen = { server: 'a', figures: undefined, problem: 'refused' };

const drill = { kind: 'drill', level: 'restore', result: 'passed', finished_at: at(100) };
const key = {
  kind: 'key-check',
  level: 'keys',
  result: 'passed',
  finished_at: at(100),
  details: { slot_kind: 'recovery-key' },
};
const evidenceOf = (...records: readonly object[]): ClusterFacts['evidence'] =>
  taken('evidence', {
    records: [drill, key, ...records].map((each, index) => ({ details: {}, sequence: index + 1, ...each })) as never,
    unreadable: [],
  });

/** In seconds and minutes ago; looked at for so many hours. */
const outages = (
  hours: number,
  ...of: readonly (readonly [seconds: number, minutesAgo: number])[]
): ClusterFacts['availability'] => ({
  since: NOW - hours * 3_600_000,
  last: NOW,
  outages: of.map(([seconds, ago]) => ({ from: NOW - ago * 60_000 - seconds * 1000, to: NOW - ago * 60_000 })),
});
/** In GiB then and now, evenly in between. */
const room = (hours: number, then: number, left: number): Room => ({
  place: 'repository',
  points: Array.from({ length: hours * 6 + 1 }, (_, n) => ({
    at: NOW - hours * 3_600_000 + n * 600_000,
    bytes: (then + ((left - then) * n) / (hours * 6)) * GIB,
  })),
});

const factsOf = (cluster: Partial<ClusterFacts>, more: Partial<Facts> = {}): Facts => ({
  version: '1',
  now: NOW,
  storageFloorBytes: undefined,
  clusters: [
    {
      cluster: 'water',
      objectives: { rpoSeconds: 900, rtoSeconds: 3600 },
      receiver: { state: 'running', since: at(9), restarts: 0, error: null, detail: null },
      backups: backupsOf(0, '0/5', 'passed'),
      wal: taken('wal', { timelines: [], gaps: [], backups_without_wal: [], data: null }),
      evidence: evidenceOf(),
      jobs: jobs(),
      status: statusOf({}),
      servers: taken('servers', [server('a', false), server('b', true)]),
      availability: outages(9),
      ...cluster,
    },
  ],
  places: taken('places', [{ place: 'repository', availableBytes: 50 * GIB, sizeBytes: 100 * GIB, weak: null }]),
  rooms: [room(24, 50, 50)],
  certificates: taken('certificates', [{ certificate: 'service.tls', endsAt: NOW + 40 * 86_400_000 }]),
  notifications: [],
  ...more,
});
const placesOf = (place: Partial<PlaceSeen>): Partial<Facts> => ({
  places: taken('places', [{ place: 'repository', availableBytes: null, sizeBytes: null, weak: null, ...place }]),
});
const ending = (days: number): Partial<Facts> => ({
  certificates: taken('certificates', [{ certificate: 'service.tls', endsAt: NOW + days * 86_400_000 }]),
});
const ended = (kind: string, state: string, hours: number): JobsRead['ended'][number] => ({
  command: 'backup',
  kind,
  state,
  count: 1,
  newest: NOW - hours * 3_600_000,
});

const told = (facts: Facts): string =>
  conditionsOf(facts)
    .open.map(({ alert, key: name }) => `${alert}${name.replace(alert, '').replace(' water', '')}`)
    .join(', ');

test('of a cluster that is well nothing is told', () => {
  assert.equal(told(factsOf({})), '');
  assert.deepEqual([...conditionsOf(factsOf({})).unknown], []);
});

test('each condition is told as it comes about, and not just before', () => {
  const cases: readonly (readonly [facts: Facts, expected: string])[] = [
    [factsOf({ jobs: jobs({ schedules: [schedule('full', at(35), at(-1))] }) }), ''],
    [factsOf({ jobs: jobs({ schedules: [schedule('full', at(37), at(-1))] }) }), 'BackupTooOld full'],
    [
      factsOf({ jobs: jobs({ schedules: [schedule('verify_data', at(37), at(-1))] }) }),
      'VerificationStale verify_data',
    ],
    [factsOf({ jobs: jobs({ schedules: [schedule('expire', at(37), at(-1))] }) }), ''],
    [factsOf({ jobs: jobs({ schedules: [schedule('expire', at(9), at(0.2))] }) }), ''],
    [factsOf({ jobs: jobs({ schedules: [schedule('expire', at(9), at(0.3))] }) }), 'ScheduleMissed expire'],
    [factsOf({ jobs: jobs({ ended: [ended('full', 'failed', 11)] }) }), ''],
    [factsOf({ jobs: jobs({ ended: [ended('full', 'timed-out', 9)] }) }), 'BackupFailed full'],
    [factsOf({ jobs: jobs({ ended: [ended('full', 'cancelled', 9)] }) }), ''],
    [factsOf({ backups: backupsOf(0, null, 'passed') }), 'NoBackupMetric'],
    [factsOf({ backups: backupsOf(2, '0/5', 'passed') }), 'WalGap'],
    [factsOf({ backups: backupsOf(0, '0/5', 'failed') }), 'VerificationFailed'],
    [
      factsOf({ evidence: evidenceOf({ kind: 'verification', level: 'data', result: 'failed', finished_at: at(9) }) }),
      'VerificationFailed data',
    ],
    [factsOf({ receiver: { state: 'resting', since: at(9), restarts: 4, error: null, detail: null } }), 'ReceiverDown'],
    [factsOf({ status: statusOf({ rpo: 449 }) }), ''],
    [factsOf({ status: statusOf({ rpo: 451 }) }), 'RpoAtRisk'],
    [factsOf({ status: statusOf({ rpo: 901 }) }), 'RpoBroken'],
    [factsOf({ status: statusOf({ rpo: null }) }), 'RpoBroken'],
    [factsOf({ status: statusOf({ rto: [2881, 'measured'] }) }), 'RtoAtRisk whole'],
    // A guess counts only where it is beyond the whole of it.
    [factsOf({ status: statusOf({ rto: [3599, 'guess'] }) }), ''],
    [factsOf({ status: statusOf({ rto: [3601, 'guess'] }) }), 'RtoAtRisk whole'],
    [factsOf({ status: statusOf({ slot: { wal_status: 'lost' } }) }), 'SlotRetention s'],
    [factsOf({ status: statusOf({ slot: { safe_bytes: 21 } }) }), ''],
    [factsOf({ status: statusOf({ slot: { safe_bytes: 19 } }) }), 'SlotRetention s'],
    [factsOf({ status: statusOf({ archive: { last_failed_at: at(0.05) } }) }), 'ArchiveFailing'],
    [factsOf({ status: statusOf({ archive: { last_archived_at: null } }) }), 'ArchiveFailing'],
    [factsOf({ status: statusOf({ archive: { last_failed_at: at(0.05), mode: 'off' } }) }), ''],
    [factsOf({ status: statusOf({ replica: { behind_seconds: 451 } }) }), 'ReplicaLag b'],
    [factsOf({ status: statusOf({ replica: { behind_seconds: 3601 } }) }), 'DatabaseReplicaLag b'],
    [factsOf({ status: statusOf({ replica: { behind_seconds: 9999, behind_bytes: 0 } }) }), ''],
    [factsOf({ status: statusOf({ replica: { state: 'catchup' } }) }), 'ReplicaBroken b'],
    [factsOf({ servers: taken('servers', [gone, server('b', true)]) }), 'AvailabilityBurnFast'],
    [factsOf({ servers: taken('servers', [server('a', false), server('b', false)]) }), 'SplitBrain'],
    // Six times the allowance of 99.9 %: 129.6 s of six hours, 10.8 s of the last half.
    [factsOf({ availability: outages(9, [120, 200], [9, 40]) }), ''],
    [factsOf({ availability: outages(9, [120, 200], [11, 40]) }), ''],
    [factsOf({ availability: outages(9, [120, 200], [9, 5]) }), ''],
    [factsOf({ availability: outages(9, [110, 200], [11, 5]) }), ''],
    [factsOf({ availability: outages(9, [120, 200], [11, 5]) }), 'AvailabilityBurnSlow'],
    [factsOf({ availability: outages(9, [180, 10]) }), 'AvailabilityBurnSlow'],
    [factsOf({ availability: outages(9, [180, 31]) }), ''],
    [factsOf({ availability: outages(9, [120, 361], [11, 5]) }), ''],
    // What was seen suffices, however short it was looked; what was not seen is nothing.
    [factsOf({ availability: outages(0.1, [180, 0]) }), 'AvailabilityBurnSlow'],
    [factsOf({ availability: outages(0.1, [20, 0]) }), ''],
    [factsOf({ availability: undefined }), ''],
    [factsOf({ evidence: evidenceOf({ ...drill, result: 'failed', finished_at: at(9) }) }), 'DrillFailed'],
    [factsOf({ evidence: evidenceOf({ ...drill, finished_at: at(9) }) }), ''],
    [factsOf({ evidence: taken('evidence', { records: [], unreadable: [] }) }), 'DrillOverdue, RecoveryKeyUnproven'],
    [
      factsOf({
        evidence: evidenceOf({
          kind: 'anomaly',
          level: 'structure',
          finished_at: at(1),
          details: {
            findings: [
              { rule: 'weakened', severity: 'alarm' },
              { rule: 'new-share', severity: 'alarm' },
              { rule: 'shrunk', severity: 'alarm', accepted: true },
            ],
          },
        }),
      }),
      'ImmutabilityWeakened weakened, DedupAnomaly new-share',
    ],
    // Of a bucket nothing is known of room; of a folder a tenth should be free, or what is configured.
    [factsOf({}, placesOf({})), ''],
    [factsOf({}, placesOf({ availableBytes: 11 * GIB, sizeBytes: 100 * GIB })), ''],
    [factsOf({}, placesOf({ availableBytes: 9 * GIB, sizeBytes: 100 * GIB })), 'BackupStorageLow repository'],
    [factsOf({}, placesOf({ availableBytes: 1025 * GIB, sizeBytes: 10 ** 6 * GIB })), ''],
    [
      factsOf({}, { ...placesOf({ availableBytes: 11 * GIB, sizeBytes: 100 * GIB }), storageFloorBytes: 12 * GIB }),
      'BackupStorageLow repository',
    ],
    // Four days ahead, by the line of the last one.
    [factsOf({}, { rooms: [room(24, 50, 40.1)] }), ''],
    [factsOf({}, { rooms: [room(24, 50, 39.9)] }), 'StorageLow repository'],
    [factsOf({}, { rooms: [room(24, 39, 50)] }), ''],
    [factsOf({}, { rooms: [room(2, 50, 47.9)] }), 'StorageLow repository'],
    // Too short a time, too few, and a place that cannot be looked at now.
    [factsOf({}, { rooms: [room(0.5, 50, 30)] }), ''],
    [factsOf({}, { rooms: [] }), ''],
    [factsOf({}, { rooms: [room(24, 50, 20)], places: unread(taken('places', []), 5) }), ''],
    [factsOf({}, placesOf({ weak: ['versioning'] })), 'ImmutabilityWeakened repository'],
    [factsOf({}, placesOf({ weak: [] })), ''],
    [factsOf({}, ending(22)), ''],
    [factsOf({}, ending(20)), 'CertificateExpiry service.tls'],
    [factsOf({}, ending(-1)), 'CertificateExpiry service.tls, CertificateExpirySoon service.tls'],
    [factsOf({ status: unread(statusOf({}), 599) }), ''],
    [factsOf({ status: unread(statusOf({}), 601) }), 'CollectionFailing status'],
    [factsOf({}, { places: unread(taken('places', []), 601) }), 'CollectionFailing places'],
  ];
  for (const [facts, expected] of cases) assert.equal(told(facts), expected);
});

test('what could not be read is unknown, of the service as of a cluster', () => {
  const facts = factsOf({ status: unread(statusOf({}), 5) }, { places: unread(taken('places', []), 5) });
  assert.deepEqual([...conditionsOf(facts).unknown], ['water status', ' places', ' places-past']);
});

test('what was not looked at for long enough is unknown, so that a start tells nothing mended', () => {
  const cases: readonly (readonly [facts: Facts, unknown: readonly string[]])[] = [
    [factsOf({ availability: undefined }), ['water servers-past']],
    [factsOf({ availability: outages(0.49) }), ['water servers-past']],
    [factsOf({ availability: outages(0.51) }), []],
    [factsOf({}, { rooms: [room(0.5, 50, 50)] }), [' places-past']],
    [factsOf({}, { rooms: [room(1, 50, 50)] }), []],
    // A bucket has none, and there is nothing to wait for.
    [factsOf({}, { rooms: [] }), []],
  ];
  for (const [facts, unknown] of cases) assert.deepEqual([...conditionsOf(facts).unknown], unknown);
});

test('every name is that of an alert rule, and so has a runbook; the page names each', async () => {
  const root = join(import.meta.dirname, '..', '..', '..', '..');
  const [source, page, rules] = await Promise.all(
    [join(import.meta.dirname, 'conditions.ts'), 'docs/notifications.md', 'deploy/prometheus/spillway-rules.yaml'].map(
      (path) => readFile(path.startsWith('/') ? path : join(root, path), 'utf8'),
    ),
  );
  const names = new Set(source?.match(/(?<=')(?:[A-Z][a-z]+){2,}(?=')/g));
  assert.ok(names.size >= 25, [...names].join(' '));
  for (const name of names) {
    assert.ok(rules?.includes(`- alert: ${name}\n`), name);
    assert.ok(page?.includes(`\`${name}\``), `${name} on the page`);
  }
});

test('ages and sizes are told in the unit that fits', () => {
  assert.deepEqual([5, 200, 9000, 9e5, Infinity].map(ageOf), ['5 s', '3 min', '3 h', '10 days', 'everything']);
  assert.deepEqual([0, 5, 2048, 3 * GIB, 2 ** 51].map(sizeOf), ['0 B', '5 B', '2.0 KiB', '3.0 GiB', '2048.0 TiB']);
});
