// The sentence that the console opens with, case by case.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterOverviewDocument, StatusDocument } from '@spillway/contract';
import { successOf } from '../src/strip.ts';
import { answersOf, type Known, problemsFirst, toneOf, verdictOf } from '../src/verdict.ts';

const NOW = Date.parse('2026-11-28T14:03:53Z');

const cluster = (name: string, of: Partial<ClusterOverviewDocument> = {}): ClusterOverviewDocument => ({
  name,
  recoverable: true,
  earliest_at: '2026-11-20T00:00:00.000Z',
  latest_at: '2026-11-28T14:03:12.000Z',
  gaps: 0,
  backups: 3,
  last_backup_at: null,
  last_backup_proven_at: null,
  receiver: 'steady',
  running: [],
  next: null,
  problems: [],
  repository_error: null,
  standing: null,
  standing_error: null,
  ...of,
});

const status = (
  name: string,
  verdict: StatusDocument['verdict'],
  seconds: number,
  proof: string | null,
  basis = 'guess',
): StatusDocument =>
  ({
    cluster: name,
    verdict,
    rto: {
      scenarios: [
        {
          expected_seconds: seconds,
          objective_seconds: 1800,
          basis,
          proof: proof === null ? null : { at: proof, seconds: 680, kind: 'drill', evidence: 'x' },
        },
      ],
    },
  }) as unknown as StatusDocument;

const lost: Partial<ClusterOverviewDocument> = {
  recoverable: false,
  latest_at: null,
  problems: ['There is no backup yet.'],
};
const unasked: Partial<ClusterOverviewDocument> = {
  recoverable: null,
  latest_at: null,
  gaps: null,
  repository_error: 'the disk is gone',
};

test('one sentence: recoverable, to when, how fast, when last proven', () => {
  const water: Known = { overview: cluster('water'), status: status('water', 'met', 700, '2026-11-28T08:03:53Z') };
  assert.deepEqual(verdictOf([water], NOW, 'utc'), {
    tone: 'good',
    headline: 'water can be recovered to 14:03:12, 41 s ago',
    detail: 'A restore was last proven 6 h ago and took 11 min 20 s; the objective is 30 min.',
  });
});

test('the worst is told first, and what was not proven or asked is not told as good', () => {
  const water: Known = { overview: cluster('water'), status: status('water', 'met', 700, null) };
  const power: Known = { overview: cluster('power', { latest_at: '2026-11-28T13:00:00.000Z' }), status: undefined };
  for (const [known, tone, headline, detail] of [
    [[], 'unknown', /^No cluster/, /spillway.yaml/],
    [[water], 'good', /^water can be/, /No restore has been proven yet; 11 min 40 s is expected/],
    [[{ ...water, status: undefined }], 'good', /^water can be/, /not known yet/],
    [
      [water, power],
      'good',
      /^All 2 clusters can be recovered to 13:00:00, 1 h ago \(power is furthest behind\)/,
      /of water/,
    ],
    [
      [water, { overview: cluster('dry', lost), status: undefined }],
      'bad',
      /^1 of 2 clusters cannot/,
      /^dry: There is no/,
    ],
    [
      [{ overview: cluster('dry', lost), status: undefined }],
      'bad',
      /^dry cannot be recovered$/,
      /^There is no backup/,
    ],
    [[{ overview: cluster('far', unasked), status: undefined }], 'unknown', /^Nobody can say/, /the disk is gone/],
    [[water, { overview: cluster('far', unasked), status: undefined }], 'unknown', /^1 of 2 clusters can/, /of water/],
    [[{ ...water, status: status('water', 'missed', 9000, null) }], 'bad', /^water can be/, /2 h 30 min/],
  ] as const) {
    const told = verdictOf(known, NOW, 'utc');
    assert.equal(told.tone, tone, told.headline);
    assert.match(told.headline, headline);
    assert.match(told.detail, detail);
  }
});

test('clusters stand with the worst first, then by name', () => {
  const known: readonly Known[] = [
    { overview: cluster('c'), status: undefined },
    { overview: cluster('b', { problems: ['x'] }), status: undefined },
    { overview: cluster('a'), status: undefined },
    { overview: cluster('e', unasked), status: undefined },
    { overview: cluster('d', lost), status: undefined },
    { overview: cluster('f'), status: status('f', 'missed', 1, null) },
  ];
  assert.deepEqual(
    problemsFirst(known).map((each) => `${each.overview.name} ${toneOf(each)}`),
    ['d bad', 'f bad', 'e unknown', 'b warn', 'a good', 'c good'],
  );
});

test('the four figures are each of the worst cluster, so that no good one hides a bad one', () => {
  const good: Known = {
    overview: cluster('a', { latest_at: '2026-11-28T14:03:50.000Z' }),
    status: status('a', 'met', 60, '2026-11-28T12:00:00.000Z', 'measured'),
  };
  const slow: Known = {
    overview: cluster('b'),
    status: status('b', 'met', 900, '2026-11-01T12:00:00.000Z'),
  };
  const both = answersOf([good, slow]);
  assert.deepEqual([both.recoverable, both.all], [2, 2]);
  assert.deepEqual(both.reach, { cluster: 'b', at: '2026-11-28T14:03:12.000Z' });
  assert.deepEqual(both.slowest, { cluster: 'b', seconds: 900, objective: 1800, isMeasured: false });
  assert.equal(both.proof?.at, '2026-11-01T12:00:00.000Z');
  const unproven: Known = { overview: cluster('c'), status: status('c', 'met', 10, null) };
  assert.equal(answersOf([good, unproven]).proof, undefined);
  for (const shape of [lost, unasked]) {
    const answers = answersOf([good, { overview: cluster('d', shape), status: undefined }]);
    assert.deepEqual([answers.recoverable, answers.reach], [1, undefined]);
  }
  assert.deepEqual(answersOf([]), { all: 0, recoverable: 0, reach: undefined, slowest: undefined, proof: undefined });
});

test('of backups begun those count that ended well or badly, and nothing but backups', () => {
  const job = (command: string, state: string) => ({ id: '', command, schedule: null, state, at: '', missed: 0 });
  const jobs = [
    job('backup', 'succeeded'),
    job('backup', 'warned'),
    job('backup', 'failed'),
    job('backup', 'aborted'),
    job('backup', 'cancelled'),
    job('backup', 'superseded'),
    job('backup', 'running'),
    job('verify', 'failed'),
  ] as Parameters<typeof successOf>[0];
  assert.deepEqual(successOf(jobs), { good: 2, all: 4 });
});
