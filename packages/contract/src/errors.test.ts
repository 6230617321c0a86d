import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorTable, exitCodes, isSpillwayError, SpillwayError } from './errors.ts';

test('every error has a full sentence, a hint in a phrase, and an exit code of the table', () => {
  const known = new Set<number>(Object.values(exitCodes));
  for (const [code, { meaning, hint, exit }] of Object.entries(errorTable)) {
    assert.match(code, /^SPW_[A-Z]+(?:_[A-Z]+)*$/);
    assert.match(meaning, /^[A-Z].*\.$/, code);
    assert.doesNotMatch(hint, /\.$/, code);
    assert.ok(known.has(exit) && exit !== 0, code);
  }
});

test('an error keeps its cause, and takes its reason from it', () => {
  const cause = new Error('ENOSPC: no space left');
  const error = new SpillwayError('SPW_STORAGE_FULL', 'cannot write packs/aa/1', { cause });
  assert.equal(error.cause, cause);
  assert.equal(error.why, cause.message);
  assert.equal(error.exitCode, 21);
  assert.ok(isSpillwayError(error, 'SPW_STORAGE_FULL'));
  assert.ok(!isSpillwayError(error, 'SPW_LOCKED'));
});
