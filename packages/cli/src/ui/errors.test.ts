import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import { errorDocument } from '@spillway/contract/schemas';
import { coloursFor } from './colour.ts';
import {
  asSpillwayError,
  errorDocumentOf,
  exitCodeOf,
  renderError,
  renderStack,
  type ExitCircumstances,
} from './errors.ts';

const ordinary: ExitCircumstances = { signal: undefined, absentCode: undefined };
const exit = (thrown: unknown, circumstances: ExitCircumstances): number =>
  exitCodeOf(asSpillwayError(thrown, circumstances), circumstances);

test('an error is three lines: what, why, and a hint with the code', () => {
  const error = new SpillwayError('SPW_KEY_WRONG', 'cannot open the repository /srv/r', { why: 'no key slot opens' });
  assert.equal(
    renderError(error, coloursFor(false)),
    'spillway: cannot open the repository /srv/r\n  no key slot opens\n' +
      '  hint: check which secret the configuration names; the recovery key printed by init opens it too [SPW_KEY_WRONG]\n',
  );
  assert.equal(renderError(new SpillwayError('SPW_LOCKED', 'x'), coloursFor(false)).split('\n').length, 4);
});

test('an error as a document keeps to its schema', () => {
  const error = new SpillwayError('SPW_LOCKED', 'cannot lock main');
  assert.deepEqual(errorDocument.parse(errorDocumentOf(error, 11)), {
    type: 'error',
    code: 'SPW_LOCKED',
    message: 'cannot lock main',
    why: null,
    hint: error.hint,
    exit_code: 11,
  });
});

test('what was thrown decides the exit code', () => {
  const abort = new DOMException('aborted', 'AbortError');
  const cases: readonly (readonly [unknown, Partial<ExitCircumstances>, number])[] = [
    [new SpillwayError('SPW_KEY_WRONG', 'x'), {}, 12],
    [new TypeError('x is not a function'), {}, 1],
    ['a thrown text', {}, 1],
    [undefined, {}, 1],
    [abort, { signal: 'SIGINT' }, 130],
    [abort, { signal: 'SIGTERM' }, 143],
    [new SpillwayError('SPW_BACKUP_VOID', 'x'), { signal: 'SIGTERM' }, 143],
    [abort, {}, 130],
    [new SuppressedError(new TypeError('on the way out'), new SpillwayError('SPW_STORAGE_FULL', 'x')), {}, 21],
  ];
  for (const [thrown, circumstances, expected] of cases) {
    assert.equal(exit(thrown, { ...ordinary, ...circumstances }), expected, String(thrown));
  }
});

test('wal push answers 1 to 125 for every failure, which is what PostgreSQL counts', () => {
  const pushing: ExitCircumstances = { ...ordinary, archiving: true };
  const abort = new DOMException('aborted', 'AbortError');
  assert.equal(exit(new SpillwayError('SPW_WAL_CONFLICT', 'x'), pushing), 15);
  assert.equal(exit(new SpillwayError('SPW_STORAGE_FULL', 'x'), pushing), 21);
  assert.equal(exit(abort, { ...pushing, signal: 'SIGTERM' }), 1);
  assert.equal(exit(abort, { ...pushing, signal: 'SIGINT' }), 1);
  assert.equal(exit(abort, { ...pushing, signal: undefined }), 1);
  // A file of such a name is fetched: no failure of that may look like the end of WAL.
  assert.equal(exit(new SpillwayError('SPW_STORAGE_FULL', 'x'), { ...pushing, absentCode: 1 }), 150);
});

test('wal fetch answers 1 for an absent file alone, everything else is above 125', () => {
  const fetching: ExitCircumstances = { signal: undefined, absentCode: 1 };
  assert.equal(exit(new SpillwayError('SPW_WAL_ABSENT', 'x'), fetching), 1);
  assert.equal(exit(new SpillwayError('SPW_WAL_ABSENT', 'x'), { ...fetching, absentCode: 101 }), 101);
  const failures: readonly unknown[] = [
    new SpillwayError('SPW_STORAGE_UNREACHABLE', 'x'),
    new SpillwayError('SPW_KEY_WRONG', 'x'),
    new SpillwayError('SPW_CONFIG_MISSING', 'x'),
    new SpillwayError('SPW_USAGE', 'x'),
    new SpillwayError('SPW_OBJECT_DAMAGED', 'x'),
    new SpillwayError('SPW_INTERRUPTED', 'x'),
    new RangeError('x'),
    null,
  ];
  for (const failure of failures) assert.ok(exit(failure, fetching) > 125, String(failure));
  assert.equal(exit(new SpillwayError('SPW_WAL_ABSENT', 'x'), { ...fetching, signal: 'SIGTERM' }), 143);
});

test('the stack shows each cause', () => {
  const error = new SpillwayError('SPW_INTERNAL', 'outer', { cause: new Error('inner', { cause: 'deepest' }) });
  assert.match(renderStack(error), /outer[^]*caused by: Error: inner[^]*caused by: 'deepest'/);
});
