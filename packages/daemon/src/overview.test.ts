import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupsDocument, ScheduleDocument, StatusDocument } from '@spillway/contract';
import { overviewOf } from './overview.ts';

const window = {
  earliest_at: null,
  latest_at: null,
  earliest_lsn: null,
  latest_lsn: null,
  latest_timeline: null,
  gaps: [],
};
const schedule = (kind: string, more: Partial<ScheduleDocument>): ScheduleDocument => ({
  cluster: 'water',
  kind,
  pattern: '0 2 * * *',
  time_zone: 'UTC',
  next_at: null,
  handled_up_to: null,
  last_success_at: null,
  last_job: null,
  last_state: null,
  idle_because: null,
  ...more,
});
const backup = { finished_at: '2026-11-28T02:00:00.000Z', proven_at: null, verification: null, damaged_page_count: 0 };
const backups = (list: readonly object[], of: object = window): BackupsDocument =>
  ({ cluster: 'water', recovery_window: of, backups: list }) as unknown as BackupsDocument;
const scenario = (name: string, more: object = {}): object => ({
  name,
  how: '',
  from: '',
  expected_seconds: 22,
  objective_seconds: 3600,
  basis: 'measured',
  state: 'met',
  proof: null,
  ...more,
});
const proof = {
  evidence: '20261128T165151022Z-64f58bf1',
  kind: 'restore',
  at: '2026-11-28T16:51:51.022Z',
  seconds: 22,
};
const status = (rpo: object = {}, slow: object = {}): StatusDocument =>
  ({
    cluster: 'water',
    at: '2026-11-28T17:00:00.000Z',
    verdict: 'met',
    recoverable_to: '2026-11-28T16:59:57.400Z',
    rpo: { objective_seconds: 900, seconds: 2.6, state: 'met', places: [{ place: 'repository' }], ...rpo },
    rto: {
      scenarios: [
        scenario('whole cluster lost', { proof }),
        scenario('data corrupted'),
        scenario('one table', { expected_seconds: 84, basis: 'guess', ...slow }),
      ],
    },
    findings: [{ severity: 'warning', message: 'the canary is silent', hint: null }],
  }) as unknown as StatusDocument;
const facts = {
  name: 'water',
  backups: null,
  repositoryError: null,
  status: null,
  statusError: null,
  receiver: null,
  schedules: [],
  jobs: [],
};

test('a cluster is recoverable, or it is said why not, the worst first', () => {
  const ready = { ...window, earliest_at: '2026-11-01T00:00:00.000Z', latest_at: '2026-11-28T14:03:12.000Z' };
  const well = overviewOf({
    ...facts,
    backups: backups([backup], ready),
    schedules: [
      schedule('full', { next_at: '2026-11-29T02:00:00.000Z', last_state: 'succeeded' }),
      schedule('incremental', { next_at: '2026-11-28T16:00:00.000Z' }),
      schedule('copy', {}),
    ],
  });
  assert.deepEqual(
    [well.recoverable, well.latest_at, well.problems, well.next?.kind],
    [true, '2026-11-28T14:03:12.000Z', [], 'incremental'],
  );

  const cases: readonly (readonly [Partial<Parameters<typeof overviewOf>[0]>, RegExp, boolean | null])[] = [
    [{ backups: backups([]) }, /^There is no backup yet\.$/, false],
    [{ backups: backups([backup]) }, /^It cannot be recovered/, false],
    [{ repositoryError: 'the disk is gone' }, /^The repository cannot be read: the disk is gone\.$/, null],
    [
      { backups: backups([{ ...backup, verification: 'failed' }, backup], ready) },
      /^1 of 2 backups failed their verification\.$/,
      true,
    ],
    [
      { backups: backups([backup], { ...ready, gaps: [{ timeline: 1, from_lsn: '0/1', to_lsn: '0/2' }] }) },
      /^WAL of timeline 1 is missing from 0\/1 to 0\/2\.$/,
      true,
    ],
    [
      { status: status({ seconds: 1200, state: 'missed' }) },
      /^1200 s would be lost now, and the objective is 900 s\.$/,
      null,
    ],
    [
      { status: status({}, { state: 'missed', expected_seconds: 7200 }) },
      /^With one table, recovery would take 7200 s, and the objective is 3600 s\.$/,
      null,
    ],
    [
      { receiver: { state: 'resting', since: '', restarts: 1, detail: null, error: null } },
      /^WAL is not being received: the receiver ended\.$/,
      null,
    ],
    [
      { schedules: [schedule('verify_data', { last_state: 'failed' })] },
      /^The last verification of data by schedule failed\.$/,
      null,
    ],
    [{ schedules: [schedule('full', { last_state: 'waiting' })] }, /failed, and is tried again/, null],
    [{ jobs: [{ command: 'expire', state: 'awaiting-approval' }] }, /^1 of its jobs wait for a second person\.$/, null],
  ];
  for (const [given, expected, recoverable] of cases) {
    const told = overviewOf({ ...facts, ...given });
    assert.match(told.problems[0] ?? '', expected);
    assert.equal(told.recoverable, recoverable);
  }
});

test('how it stands against its objectives is told as it was judged, and where it was not, why', () => {
  const known = overviewOf({ ...facts, status: status() });
  assert.deepEqual(known.problems, []);
  assert.equal(known.standing_error, null);
  assert.deepEqual(known.standing, {
    at: '2026-11-28T17:00:00.000Z',
    verdict: 'met',
    recoverable_to: '2026-11-28T16:59:57.400Z',
    rpo: { objective_seconds: 900, seconds: 2.6, state: 'met' },
    rto: { expected_seconds: 22, objective_seconds: 3600, basis: 'measured', state: 'met' },
    proof,
    findings: [{ severity: 'warning', message: 'the canary is silent', hint: null }],
  });
  const unknown = overviewOf({ ...facts, statusError: 'the disk is gone' });
  assert.deepEqual([unknown.standing, unknown.standing_error], [null, 'the disk is gone']);
});
