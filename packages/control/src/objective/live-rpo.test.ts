import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LiveRpo, liveRpo, type RpoGiven, rpoOfPlaces, standingOf } from './live-rpo.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 10, 28, 14, 0, second)).toISOString();
const mark = (sequence: number, second: number, lsn: string, timeline = 1) => ({
  sequence,
  written_at: at(second),
  timeline,
  lsn,
});

/** 14:00:00 and a hundred seconds. */
const base: RpoGiven = {
  now: new Date(at(100)),
  durable: { lsn: '0/5000', timeline: 1, at: at(90) },
  source: { timeline: 1, flushedLsn: '0/6000' },
  canaries: [],
  quietUntil: null,
};

test('the age of the newest durable moment, by whatever shows it', () => {
  type Expected = Pick<LiveRpo, 'seconds' | 'basis' | 'canary'>;
  const cases: readonly (readonly [name: string, given: Partial<RpoGiven>, expected: Expected])[] = [
    ['WAL was sent 10 s ago', {}, { seconds: 10, basis: 'sent', canary: null }],
    [
      'an idle primary is not at risk, however old its WAL is',
      { source: { timeline: 1, flushedLsn: '0/5000' }, durable: { lsn: '0/5000', timeline: 1, at: at(-4000) } },
      { seconds: 0, basis: 'all-durable', canary: null },
    ],
    [
      'a canary in it is newer than what the object says',
      { canaries: [mark(1, 80, '0/4000'), mark(2, 95, '0/5000'), mark(3, 99, '0/5800')] },
      { seconds: 5, basis: 'canary', canary: 2 },
    ],
    [
      'nothing was written behind the newest canary until a moment ago',
      {
        source: undefined,
        canaries: [mark(2, 20, '0/5000')],
        durable: { lsn: '0/5000', timeline: 1, at: at(21) },
        quietUntil: at(98),
      },
      { seconds: 2, basis: 'quiet', canary: 2 },
    ],
    [
      'that it was quiet behind a canary that is not durable says nothing',
      { canaries: [mark(2, 20, '0/5001')], quietUntil: at(98) },
      { seconds: 10, basis: 'sent', canary: null },
    ],
    [
      'the source is gone: its WAL gets no younger',
      { source: undefined, now: new Date(at(1000)) },
      { seconds: 910, basis: 'sent', canary: null },
    ],
    [
      'positions of another timeline are not compared',
      { source: { timeline: 2, flushedLsn: '0/4000' } },
      { seconds: 10, basis: 'sent', canary: null },
    ],
    [
      'a canary of the timeline before is durable, one of the next is not',
      {
        durable: { lsn: '0/5000', timeline: 2, at: null },
        canaries: [mark(1, 70, '0/9000', 1), mark(2, 99, '0/1000', 3)],
      },
      { seconds: 30, basis: 'canary', canary: 1 },
    ],
    [
      'nothing is there',
      { durable: { lsn: null, timeline: null, at: null } },
      { seconds: null, basis: 'nothing', canary: null },
    ],
  ];
  for (const [name, given, expected] of cases) {
    const { seconds, basis, canary } = liveRpo({ ...base, ...given });
    assert.deepEqual({ seconds, basis, canary }, expected, name);
  }
});

test('which place counts follows the policy of copies', () => {
  const place = (seconds: number | null, required = true) => ({ seconds, required });
  const cases: readonly (readonly [
    policy: Parameters<typeof rpoOfPlaces>[0],
    places: Parameters<typeof rpoOfPlaces>[1],
    expected: number | null,
  ])[] = [
    ['all', [place(2), place(9), place(500, false)], 9],
    ['all', [place(2), place(null)], null],
    ['quorum', [place(2), place(9), place(500)], 9],
    ['quorum', [place(2), place(9), place(null)], 9],
    ['quorum', [place(500), place(9), place(2)], 500],
    ['best-effort', [place(2), place(null)], 2],
    ['best-effort', [place(null), place(2)], null],
    ['all', [], null],
  ];
  for (const [policy, places, expected] of cases) {
    assert.equal(rpoOfPlaces(policy, places), expected, `${policy} ${JSON.stringify(places)}`);
  }
});

test('an objective is missed only beyond it, and unknown is missed', () => {
  assert.deepEqual(
    [0, 450, 450.1, 900, 900.1, null].map((value) => standingOf(value, 900, 0.5)),
    ['met', 'met', 'at-risk', 'at-risk', 'missed', 'missed'],
  );
});
