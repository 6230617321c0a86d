import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusDocument } from '@spillway/contract';
import type { BackupSummary, SourceFacts } from '@spillway/engine';
import { judgeStatus, mostBetween, type StatusGiven } from './status.ts';

const NOW = new Date('2026-11-28T14:00:00.000Z');
const ago = (seconds: number): string => new Date(NOW.getTime() - seconds * 1000).toISOString();

const backup = (change: Partial<BackupSummary> = {}): BackupSummary => ({
  id: '20261128T120000Z-1a2b3c4d',
  cluster: 'water',
  type: 'full',
  source: 'local',
  taken_from: 'primary',
  unchanged_by: null,
  started_at: ago(7300),
  finished_at: ago(7200),
  duration_seconds: 100,
  system_identifier: '7450000000000000001',
  postgres_version: 180_004,
  timeline: 1,
  start_lsn: '0/10000000',
  stop_lsn: '0/11000000',
  wal_segment_bytes: 16_777_216,
  block_bytes: 8192,
  catalog_version: 202_506_291,
  checksums: true,
  files: 1200,
  bytes: 10e9,
  read_bytes: 10e9,
  new_bytes: 10e9,
  stored_bytes: 3e9,
  chunks: 38_000,
  new_chunks: 38_000,
  unchanged_chunks: 0,
  damaged_pages: [],
  damaged_page_count: 0,
  tablespaces: [],
  ...change,
});

const source: SourceFacts = {
  inRecovery: false,
  flushedLsn: '0/20000000',
  timeline: 1,
  clock: ago(0),
  canary: { sequence: 7, written_at: ago(3) },
  slot: { walStatus: 'reserved', safeBytes: 900, limitBytes: 1000, heldBytes: 100 },
  replication: [],
  archive: { mode: 'off', last_archived_wal: null, last_archived_at: null, last_failed_at: null, failed_count: 0 },
  deletedRows: 0,
  statisticsSince: null,
};

const proof = {
  id: 'proof',
  kind: 'restore',
  level: 'restore',
  result: 'passed',
  started_at: ago(3700),
  finished_at: ago(3600),
  details: {
    phases: [
      { name: 'lay', seconds: 60, bytes: 10e9 },
      { name: 'recover', seconds: 30, bytes: 1e9 },
    ],
    rto_seconds: 100,
  },
};

const given = (change: Partial<StatusGiven> = {}): StatusGiven => ({
  cluster: 'water',
  now: NOW,
  objectives: { rpoSeconds: 900, rtoSeconds: 3600 },
  copyPolicy: 'all',
  window: {
    earliest_at: ago(7200),
    latest_at: ago(2),
    earliest_lsn: '0/11000000',
    latest_lsn: '0/20000000',
    latest_timeline: 1,
    gaps: [],
  },
  backups: [backup()],
  places: [
    { name: 'repository', required: true, durable: { lsn: '0/20000000', timeline: 1, at: ago(2) }, problem: null },
  ],
  source,
  sourceProblem: null,
  slot: 'spillway_water',
  canaryIntervalSeconds: 5,
  state: undefined,
  record: undefined,
  evidence: [proof],
  ...change,
});

const behind = (seconds: number): StatusGiven['places'] => [
  { name: 'repository', required: true, durable: { lsn: '0/1F000000', timeline: 1, at: ago(seconds) }, problem: null },
];

test('whether the objectives are met, and what leads away from them', () => {
  type Verdict = StatusDocument['verdict'];
  const cases: readonly (readonly [name: string, change: Partial<StatusGiven>, verdict: Verdict, finding?: RegExp])[] =
    [
      ['all is well', {}, 'met'],
      ['half of the RPO', { places: behind(500) }, 'at-risk'],
      ['more than the RPO', { places: behind(901) }, 'missed'],
      [
        'nothing is durable',
        { places: [{ name: 'repository', required: true, durable: undefined, problem: 'down' }] },
        'missed',
        /not looked at: down/,
      ],
      [
        'an optional place that is down',
        {
          copyPolicy: 'all',
          places: [...given().places, { name: 'nas', required: false, durable: undefined, problem: 'not mounted' }],
        },
        'met',
        /nas was not looked at/,
      ],
      [
        'no backup',
        { backups: [], window: { ...given().window, earliest_at: null, latest_at: null, latest_lsn: null } },
        'missed',
        /cannot be recovered/,
      ],
      [
        'WAL is missing',
        { window: { ...given().window, gaps: [{ timeline: 1, from_lsn: '0/1', to_lsn: '0/2' }] } },
        'at-risk',
        /WAL is missing/,
      ],
      ['a recovery took too long', { objectives: { rpoSeconds: 900, rtoSeconds: 90 } }, 'missed'],
      ['never measured', { evidence: [] }, 'met', /no recovery was ever measured/],
      [
        'a guess beyond the objective',
        { evidence: [], objectives: { rpoSeconds: 900, rtoSeconds: 60 } },
        'at-risk',
        /no recovery was ever measured/,
      ],
      [
        'measured long ago',
        { evidence: [{ ...proof, finished_at: ago(40 * 86_400) }] },
        'met',
        /more than 35 days ago/,
      ],
      [
        'the source is down',
        { source: undefined, sourceProblem: 'no answer', places: behind(30) },
        'met',
        /not asked: no answer/,
      ],
      [
        'the slot is nearly lost',
        { source: { ...source, slot: { walStatus: 'extended', safeBytes: 100, limitBytes: 1000, heldBytes: 9 } } },
        'at-risk',
        /10 % of max_slot/,
      ],
      [
        'the slot is lost',
        { source: { ...source, slot: { walStatus: 'lost', safeBytes: undefined, limitBytes: 1000, heldBytes: 9 } } },
        'at-risk',
        /is lost/,
      ],
      ['nobody takes WAL', { source: { ...source, slot: undefined } }, 'at-risk', /nobody takes WAL/],
      [
        'the archive fails',
        {
          source: {
            ...source,
            archive: { ...source.archive, mode: 'on', last_archived_at: ago(900), last_failed_at: ago(9) },
          },
        },
        'at-risk',
        /was not archived/,
      ],
      [
        'the canary is silent',
        { source: { ...source, canary: { sequence: 7, written_at: ago(900) } } },
        'met',
        /canary is silent/,
      ],
      ['no canary is wanted', { canaryIntervalSeconds: null, source: { ...source, canary: undefined } }, 'met'],
      [
        'signs of destruction are open',
        { evidence: [proof, { ...proof, id: 'sign', kind: 'anomaly', result: 'failed' }] },
        'at-risk',
        /signs of destruction were found \(sign\)/,
      ],
      [
        'signs that were accepted since',
        {
          evidence: [
            proof,
            { ...proof, id: 'sign', kind: 'anomaly', result: 'failed' },
            { ...proof, id: 'accepted', kind: 'anomaly', finished_at: ago(1) },
          ],
        },
        'met',
      ],
    ];
  for (const [name, change, verdict, finding] of cases) {
    const document = judgeStatus(given(change));
    const told = document.findings.map(({ message }) => message).join('\n');
    assert.equal(document.verdict, verdict, `${name}: ${told}`);
    if (finding === undefined) assert.equal(told, '', name);
    else assert.match(told, finding, name);
  }
});

test('an idle primary has nothing at risk, and can be recovered to now', () => {
  const idle = judgeStatus(
    given({
      places: [
        {
          name: 'repository',
          required: true,
          durable: { lsn: '0/20000000', timeline: 1, at: ago(90_000) },
          problem: null,
        },
      ],
    }),
  );
  assert.equal(idle.rpo.seconds, 0);
  assert.equal(idle.recoverable_to, NOW.toISOString());
});

test('the newest canary is known by the source, else by the state file, else by the record', () => {
  const acknowledged = { sequence: 5, written_at: ago(9), timeline: 1, lsn: '0/1', acknowledged_at: ago(9) };
  const state = {
    cluster: 'water',
    acknowledged: [acknowledged],
    quiet_until: null,
    seen_at: null,
    lost_at: null,
    interval_seconds: 5,
  };
  const record = { acknowledged: { ...acknowledged, sequence: 3 }, interval_seconds: 5 };
  const known = (change: Partial<StatusGiven>) => {
    const { newest, known_by: by } = judgeStatus(given({ state, record, ...change })).canary;
    return [newest?.sequence, by];
  };
  assert.deepEqual(known({}), [7, 'source']);
  assert.deepEqual(known({ source: undefined }), [5, 'state-file']);
  assert.deepEqual(known({ source: undefined, state: undefined }), [3, 'repository']);
  assert.deepEqual(known({ source: undefined, state: undefined, record: undefined }), [undefined, null]);
});

test('the most WAL between two backups is that of neighbours on one timeline', () => {
  const all = [
    backup({ start_lsn: '0/1000', stop_lsn: '0/2000' }),
    backup({ start_lsn: '0/3000', stop_lsn: '0/4000' }),
    backup({ start_lsn: '0/9000', stop_lsn: '0/9100' }),
    backup({ start_lsn: '0/F000', stop_lsn: '0/FF00', timeline: 2 }),
  ];
  assert.equal(mostBetween(all), 0x6100);
  assert.equal(mostBetween([]), 0);
});
