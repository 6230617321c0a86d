import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, summarise, unjudged } from './comparison.ts';
import type { Sample } from './figures.ts';

const sample = (scenario: string, peer: string, seconds: number, storedBytes = 0): Sample => ({
  scenario,
  peer,
  seconds,
  storedBytes,
  cpuSeconds: 2 * seconds,
  serverCpuSeconds: 0,
  peakBytes: 1000,
});
const scenarios = [
  {
    name: 'full',
    goals: [
      { measure: 'seconds', against: 'theirs', most: 0.75 },
      { measure: 'storedBytes', against: 'theirs', most: 1 },
      { measure: 'seconds', against: 'absent', most: 0.1 },
    ],
  },
  { name: 'restore', goals: [{ measure: 'seconds', against: 'theirs', most: 0.5 }] },
] as const;

test('rounds of one peer in one scenario become one result', () => {
  const results = summarise([
    sample('full', 'ours', 3),
    sample('full', 'theirs', 8),
    sample('full', 'ours', 1),
    sample('full', 'theirs', 6),
    sample('full', 'ours', 2),
    sample('full', 'theirs', 7),
  ]);
  assert.deepEqual(
    results.map(({ peer, figures: { seconds, cpuSeconds } }) => [
      peer,
      seconds?.median,
      seconds?.least,
      seconds?.most,
      cpuSeconds?.median,
    ]),
    [
      ['ours', 2, 1, 3, 4],
      ['theirs', 7, 6, 8, 14],
    ],
  );
});

test('a goal is met by a ratio of at most it, and one against a peer that is absent is not judged', () => {
  const results = summarise([
    sample('full', 'ours', 3, 110),
    sample('full', 'theirs', 4, 100),
    sample('full', 'third', 6, 100),
    sample('restore', 'ours', 3),
    sample('restore', 'theirs', 4),
  ]);
  assert.deepEqual(compare(scenarios, results, 'ours'), [
    { scenario: 'full', peer: 'theirs', ratio: 0.75, goal: 0.75, met: true, ours: 3, theirs: 4 },
    { scenario: 'full-bytes', peer: 'theirs', ratio: 1.1, goal: 1, met: false, ours: 110, theirs: 100 },
    { scenario: 'full', peer: 'third', ratio: 0.5, goal: null, met: null, ours: 3, theirs: 6 },
    { scenario: 'restore', peer: 'theirs', ratio: 0.75, goal: 0.5, met: false, ours: 3, theirs: 4 },
  ]);
});

test('without results of ours nothing is compared, and bytes against none are no division by zero', () => {
  assert.deepEqual(compare(scenarios, summarise([sample('full', 'theirs', 4)]), 'ours'), []);
  const rows = compare(scenarios, summarise([sample('full', 'ours', 1, 5), sample('full', 'theirs', 4, 0)]), 'ours');
  assert.deepEqual([rows[1]?.ratio, rows[1]?.met], [Number.MAX_VALUE, false]);
});

test('a goal against a number has that number for theirs, and 1 for the most', () => {
  const parts = [
    {
      name: 'start',
      goals: [
        { measure: 'seconds', limit: 0.12, most: 1 },
        { measure: 'peakBytes', limit: 400, most: 1 },
      ],
    },
  ] as const;
  const rows = compare(parts, summarise([{ scenario: 'start', peer: 'ours', seconds: 0.06, peakBytes: 500 }]), 'ours');
  assert.deepEqual(rows, [
    { scenario: 'start', peer: 'limit', ratio: 0.5, goal: 1, met: true, ours: 0.06, theirs: 0.12 },
    { scenario: 'start-memory', peer: 'limit', ratio: 1.25, goal: 1, met: false, ours: 500, theirs: 400 },
  ]);
});

test('figures that a run does not have are neither summed up nor compared', () => {
  const results = summarise([
    { scenario: 'full', peer: 'ours', seconds: 1 },
    { scenario: 'full', peer: 'theirs', seconds: 2, storedBytes: 7 },
  ]);
  assert.deepEqual(Object.keys(results[0]?.figures ?? {}), ['seconds']);
  const comparisons = compare(scenarios, results, 'ours');
  assert.deepEqual(
    comparisons.map(({ scenario }) => scenario),
    ['full'],
  );
  assert.deepEqual(unjudged(scenarios, comparisons), [
    { scenario: 'full-bytes', peer: 'theirs' },
    { scenario: 'full', peer: 'absent' },
    { scenario: 'restore', peer: 'theirs' },
  ]);
});
