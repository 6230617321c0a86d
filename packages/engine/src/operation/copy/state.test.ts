import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import { judgePlace, type PlaceFacts } from './state.ts';

const whole: PlaceFacts = {
  name: 'far',
  required: true,
  forCopy: false,
  missing: { backups: 0, walObjects: 0, bytes: 0, all: false },
  damagedObjects: 0,
};
const missing = (backups: number, walObjects: number, all = false): NonNullable<PlaceFacts['missing']> => ({
  backups,
  walObjects,
  bytes: 1,
  all,
});
const away = new SpillwayError('SPW_STORAGE_UNREACHABLE', 'it does not answer');
const foreign = new SpillwayError('SPW_REPOSITORY_EXISTS', 'it is no copy');
const { missing: _, ...unseen } = whole;

const cases: readonly (readonly [what: string, facts: PlaceFacts, status: string, words: RegExp])[] = [
  ['has all', whole, 'ok', /has all/],
  ['has all but what is on its way', { ...whole, missing: missing(0, 8) }, 'ok', /has all/],
  ['lacks WAL', { ...whole, missing: missing(0, 9) }, 'warning', /lacks 9 WAL objects/],
  ['lacks backups', { ...whole, missing: missing(2, 0) }, 'warning', /lacks 2 backups/],
  ['is a place for copies that is behind', { ...whole, forCopy: true, missing: missing(2, 9) }, 'ok', /lacks 2/],
  [
    'is a place for copies that was never made',
    { ...whole, forCopy: true, missing: missing(2, 9, true) },
    'warning',
    /no copy yet/,
  ],
  ['is damaged', { ...whole, damagedObjects: 3 }, 'failed', /3 damaged/],
  ['is required and away', { ...unseen, failure: away }, 'failed', /cannot be looked at/],
  ['is away and not required', { ...unseen, required: false, failure: away }, 'warning', /cannot be looked at/],
  ['is away and for copies', { ...unseen, forCopy: true, failure: away }, 'ok', /not mounted/],
  ['is another repository', { ...unseen, required: false, failure: foreign }, 'failed', /no copy/],
  ['is another repository, and for copies', { ...unseen, forCopy: true, failure: foreign }, 'failed', /no copy/],
];

for (const [what, facts, status, words] of cases) {
  test(`a place that ${what}: ${status}`, () => {
    const verdict = judgePlace(facts);
    assert.equal(verdict.status, status);
    assert.match(verdict.message, words);
    // Whatever is not well says what to do.
    assert.ok(status === 'ok' || (verdict.hint ?? '') !== '');
  });
}
