import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Loss, type LossGiven, measureLoss, rpoOf, type Witness } from './loss.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 10, 28, 14, 0, second)).toISOString();
const seen = (sequence: number) => ({ sequence, written_at: at(sequence * 5) });
const witness = (by: Witness['by'], sequence: number, change: Partial<Witness> = {}): Witness => ({
  ...seen(sequence),
  by,
  timeline: 1,
  lsn: `0/${sequence}000`,
  withinSeconds: by === 'repository' ? null : 4,
  ...change,
});
const way = [{ timeline: 1, left_at: null }];
const left = [
  { timeline: 1, left_at: '0/5000' },
  { timeline: 2, left_at: null },
];

test('the loss is told by whoever knows best, and never more certainly than it is known', () => {
  type Expected = Pick<Loss, 'certainty' | 'seconds' | 'canaries'> & { readonly by?: string };
  const cases: readonly (readonly [name: string, given: Partial<LossGiven>, expected: Expected])[] = [
    [
      'nothing lost',
      { found: seen(7), witnesses: [witness('state-file', 7)] },
      { certainty: 'exact', seconds: 0, canaries: 0, by: 'state-file' },
    ],
    [
      'three canaries lost',
      { found: seen(4), witnesses: [witness('state-file', 7)] },
      { certainty: 'exact', seconds: 15, canaries: 3, by: 'state-file' },
    ],
    [
      'the source lives, and knows of more than the state file',
      { found: seen(4), witnesses: [witness('source', 9, { lsn: null }), witness('state-file', 7)] },
      { certainty: 'exact', seconds: 25, canaries: 5, by: 'source' },
    ],
    [
      'the writer went before the source',
      { found: seen(4), witnesses: [witness('state-file', 7, { withinSeconds: null })] },
      { certainty: 'at-least', seconds: 15, canaries: 3, by: 'state-file' },
    ],
    [
      'of equal ones the one that knows the end',
      { found: seen(7), witnesses: [witness('repository', 7), witness('state-file', 7)] },
      { certainty: 'exact', seconds: 0, canaries: 0, by: 'state-file' },
    ],
    [
      'only the record is left',
      { found: seen(2), witnesses: [witness('repository', 6)] },
      { certainty: 'at-least', seconds: 20, canaries: 4, by: 'repository' },
    ],
    [
      'the restored cluster has newer ones than the record',
      { found: seen(9), witnesses: [witness('repository', 6)] },
      { certainty: 'at-least', seconds: 0, canaries: 0, by: 'repository' },
    ],
    ['nobody is left', { found: seen(9), witnesses: [] }, { certainty: 'unknown', seconds: null, canaries: null }],
    [
      'no canary was restored',
      { found: undefined, witnesses: [witness('state-file', 7)] },
      { certainty: 'unknown', seconds: null, canaries: null, by: 'state-file' },
    ],
    [
      'canaries of a timeline that was left before them are no witnesses',
      { found: seen(4), witnesses: [witness('state-file', 7)], way: left },
      { certainty: 'unknown', seconds: null, canaries: null },
    ],
    [
      'those from before it was left are',
      { found: seen(4), witnesses: [witness('state-file', 5)], way: left },
      { certainty: 'exact', seconds: 5, canaries: 1, by: 'state-file' },
    ],
    [
      'a later timeline counts before an earlier one, whatever the numbers',
      { found: seen(4), witnesses: [witness('repository', 5), witness('state-file', 4, { timeline: 2 })], way: left },
      { certainty: 'exact', seconds: 0, canaries: 0, by: 'state-file' },
    ],
    [
      'a timeline that the restore does not come from says nothing',
      { found: seen(4), witnesses: [witness('state-file', 9, { timeline: 3 })], way: left },
      { certainty: 'unknown', seconds: null, canaries: null },
    ],
  ];
  for (const [name, given, { by, ...expected }] of cases) {
    const loss = measureLoss({ found: undefined, witnesses: [], way, toTheEnd: true, ...given });
    const { certainty, seconds, canaries } = loss;
    assert.deepEqual({ certainty, seconds, canaries }, expected, name);
    assert.equal(loss.newest_acknowledged?.by, by, name);
  }
});

test('only what was measured exactly, and not given up on purpose, is an RPO', () => {
  const loss = (given: Partial<LossGiven>): Loss =>
    measureLoss({ found: seen(4), witnesses: [witness('state-file', 7)], way, toTheEnd: true, ...given });
  assert.equal(rpoOf(loss({})), 15);
  assert.equal(rpoOf(loss({ toTheEnd: false })), null);
  assert.equal(rpoOf(loss({ witnesses: [witness('repository', 7)] })), null);
  assert.equal(rpoOf(loss({ witnesses: [] })), null);
});
