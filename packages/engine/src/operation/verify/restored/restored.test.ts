// Decisions about a restore that is verified: the moment, and what the programs of PostgreSQL say.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { amcheckReader, type Corruption } from './amcheck.ts';
import { momentIn } from './moment.ts';
import { parseWrongPage } from './pages.ts';

suite('the moment of a restore', () => {
  const from = new Date('2026-11-28T12:00:00Z');
  const until = (ms: number): { readonly from: Date; readonly to: Date } => ({
    from,
    to: new Date(from.getTime() + ms),
  });

  test('lies in the window, and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1e12 }), (seed, span) => {
        const at = momentIn(until(span), seed)?.getTime() ?? Number.NaN;
        assert.ok(at >= from.getTime() && at <= from.getTime() + span);
        assert.equal(momentIn(until(span), seed)?.getTime(), at);
      }),
    );
  });

  test('comes from the whole window: its first and last tenth too', () => {
    const tenths = new Set<number>();
    for (let n = 0; n < 200; n++) {
      const at = momentIn(until(10_000), String(n))?.getTime() ?? 0;
      tenths.add(Math.floor((at - from.getTime()) / 1000));
    }
    assert.deepEqual([...tenths].toSorted((a, b) => a - b).slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('is none where nothing lies behind the backup', () => {
    assert.equal(momentIn(until(0), 'x'), undefined);
    assert.equal(momentIn(until(-5), 'x'), undefined);
  });
});

const SAID = `heap table "water.public.sensor", block 3, offset 1:
    tuple data should begin at byte 24, but actually begins at byte 0 (4 attributes, no nulls)
heap table "water.public.odd ""name""":
    relfrozenxid 726 precedes something
btree index "water.public.sensor_pkey":
    ERROR:  heap tuple (0,7) from table "sensor" lacks matching index tuple within index "sensor_pkey"
    HINT:  Retrying verification using the function bt_index_parent_check() might provide a more specific error.
`;
const FOUND: readonly Corruption[] = [
  {
    what: 'heap table',
    relation: 'water.public.sensor',
    block: 3,
    problem: 'tuple data should begin at byte 24, but actually begins at byte 0 (4 attributes, no nulls)',
  },
  {
    what: 'heap table',
    relation: 'water.public.odd ""name""',
    block: null,
    problem: 'relfrozenxid 726 precedes something',
  },
  {
    what: 'btree index',
    relation: 'water.public.sensor_pkey',
    block: null,
    problem:
      'ERROR:  heap tuple (0,7) from table "sensor" lacks matching index tuple within index "sensor_pkey"; HINT:  Retrying verification using the function bt_index_parent_check() might provide a more specific error.',
  },
];

test('what pg_amcheck prints is read however it comes in pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(SAID.length), { maxLength: 20 }), fc.boolean(), (cuts, ended) => {
      const found: Corruption[] = [];
      const reader = amcheckReader((one) => found.push(one));
      const text = ended ? SAID : SAID.trimEnd();
      const ordered = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      for (let n = 1; n < ordered.length; n++) reader.read(text.slice(ordered[n - 1], ordered[n]));
      reader.end();
      assert.deepEqual(found, FOUND);
    }),
  );
});

test('a wrong page that pg_checksums tells is a path and a block, and its other errors are none', () => {
  const line = (path: string): string =>
    `pg_checksums: error: checksum verification failed in file "${path}", block 3: calculated checksum 5B0C but block contains 0`;
  assert.deepEqual(parseWrongPage(line('/srv/x/data/base/5/16384.1'), '/srv/x/data'), {
    path: 'base/5/16384.1',
    block: 3,
  });
  assert.deepEqual(parseWrongPage(line('/elsewhere/1'), '/srv/x/data'), { path: '/elsewhere/1', block: 3 });
  for (const other of ['pg_checksums: error: cluster must be shut down', 'Bad checksums:  1', '']) {
    assert.equal(parseWrongPage(other, '/srv/x/data'), undefined, other);
  }
});
