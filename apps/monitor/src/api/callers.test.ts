// Who may do what, and cursors that are good for one question alone.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../problem.ts';
import { callerOf, type Callers, hashToken, mayActAs, type Role, roles } from './callers.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';

suite('callers', () => {
  const callers: Callers = new Map([[hashToken('s3cret'), { name: 'plant', role: 'ingest' }]]);
  const headers: readonly (readonly [header: string | undefined, known: boolean])[] = [
    ['Bearer s3cret', true],
    ['bearer  s3cret', true],
    ['Bearer s3cre', false],
    ['Bearer ', false],
    ['Basic s3cret', false],
    [`Bearer ${hashToken('s3cret')}`, false],
    ['', false],
    [undefined, false],
  ];
  for (const [header, known] of headers) {
    test(`"${header}" is ${known ? 'known' : 'a stranger'}`, () => {
      assert.equal(callerOf(callers, header)?.name, known ? 'plant' : undefined);
    });
  }

  test('operators read too, senders only send, readers only read', () => {
    const may = roles.flatMap((role) =>
      roles.filter((wanted) => mayActAs({ name: 'x', role }, wanted)).map((wanted): [Role, Role] => [role, wanted]),
    );
    assert.deepEqual(may, [
      ['ingest', 'ingest'],
      ['operator', 'operator'],
      ['operator', 'read'],
      ['read', 'read'],
    ]);
  });
});

suite('cursors', () => {
  const question = { kind: 'flow', municipality_id: 3 };

  test('bring back the key they were made of', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 3 }), (key) => {
        assert.deepEqual(decodeCursor(question, key.length, encodeCursor(question, key)), key);
      }),
    );
  });

  test('are none for another question, nor when made up', () => {
    const cursor = encodeCursor(question, [5]);
    const made = Buffer.from('["x",5]').toString('base64url');
    const object = Buffer.from('[{},{}]').toString('base64url');
    for (const [asked, given] of [
      [{ ...question, kind: 'level' }, cursor],
      [question, 'nonsense'],
      [question, made],
      [question, object],
      [question, cursor.slice(0, -2)],
    ] as const) {
      assert.throws(
        () => decodeCursor(asked, 1, given),
        (error) => error instanceof Problem && error.status === 400,
      );
    }
  });

  test('without one the first page is meant', () => assert.equal(decodeCursor(question, 1, undefined), undefined));
});
