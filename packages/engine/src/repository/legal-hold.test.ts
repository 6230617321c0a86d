import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { activeHolds, type LegalHold } from './legal-hold.ts';

const record = (id: string, action: LegalHold['action'], backup: string, ends?: readonly string[]): LegalHold => ({
  id,
  action,
  cluster: 'main',
  backup,
  reason: 'a case',
  by: 'somebody@here',
  at: '2026-11-24T00:00:00.000Z',
  ...(ends && { ends }),
});

test('a hold ends by what names it, and no other does', () => {
  const records = [
    record('1', 'hold', 'a'),
    record('2', 'hold', 'a'),
    record('3', 'hold', 'b'),
    record('4', 'release', 'a', ['1']),
  ];
  assert.deepEqual(
    [...activeHolds(records)].map(([backup, holds]) => [backup, holds.map(({ id }) => id)]),
    [
      ['a', ['2']],
      ['b', ['3']],
    ],
  );
});

test('what is on hold does not depend on the order of the records, and a hold more never lets another go', () => {
  const records = fc
    .array(fc.record({ backup: fc.constantFrom('a', 'b', 'c'), ends: fc.array(fc.nat(9)), isHold: fc.boolean() }), {
      maxLength: 10,
    })
    .map((all) =>
      all.map(({ backup, ends, isHold }, at) =>
        isHold ? record(String(at), 'hold', backup) : record(String(at), 'release', backup, ends.map(String)),
      ),
    );
  const ids = (holds: ReturnType<typeof activeHolds>): readonly string[] =>
    [...holds.values()]
      .flat()
      .map(({ id }) => id)
      .toSorted();
  fc.assert(
    fc.property(records, fc.array(fc.nat(), { minLength: 10, maxLength: 10 }), (all, order) => {
      const shuffled = all
        .map((each, at) => ({ each, key: order[at] ?? 0 }))
        .toSorted((x, y) => x.key - y.key)
        .map(({ each }) => each);
      assert.deepEqual(ids(activeHolds(shuffled)), ids(activeHolds(all)));
      const more = ids(activeHolds([...all, record('more', 'hold', 'a')]));
      for (const id of ids(activeHolds(all))) assert.ok(more.includes(id));
      assert.ok(more.includes('more'));
    }),
  );
});
