import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanes } from '@spillway/contract';
import fc from 'fast-check';
import { admit, type LaneJob, LOOKS_AT_ONCE } from './lanes.ts';

let number = 0;
const job = (cluster: string, lane: LaneJob['lane'], schedule: string | null = null): LaneJob => ({
  id: `${cluster}-${lane}-${schedule ?? 'asked'}-${++number}`,
  cluster,
  lane,
  schedule,
});

test('of one cluster one job a lane, of all clusters so many', () => {
  const [first, second, verify, other] = [
    job('a', 'backup'),
    job('a', 'backup'),
    job('a', 'prove'),
    job('b', 'backup'),
  ];
  assert.deepEqual(admit([first, second, verify, other], [], { atOnce: 3 }).start, [first.id, verify.id, other.id]);
  assert.deepEqual(admit([first, second, verify, other], [], { atOnce: 2 }).start, [first.id, verify.id]);
  assert.deepEqual(admit([second, other], [first], { atOnce: 4 }).start, [other.id]);
});

test('a restore goes first and waits for no number, but not beside another of its cluster', () => {
  const [backup, restore, again] = [job('a', 'backup'), job('a', 'restore'), job('a', 'restore')];
  assert.deepEqual(admit([backup, restore, again], [job('b', 'backup')], { atOnce: 1 }).start, [restore.id]);
});

test('looks take no lane and have a number of their own', () => {
  const looks = Array.from({ length: LOOKS_AT_ONCE + 2 }, () => job('a', 'look'));
  const { start } = admit([...looks, job('a', 'backup')], [job('a', 'prove')], { atOnce: 1 });
  assert.deepEqual(
    start,
    looks.slice(0, LOOKS_AT_ONCE).map(({ id }) => id),
  );
});

test('an incremental backup is done by a full one that waits or works, of the same cluster', () => {
  const [incremental, full] = [job('a', 'backup', 'incremental'), job('a', 'backup', 'full')];
  assert.deepEqual(admit([incremental, full], [], { atOnce: 2 }), { start: [full.id], superseded: [incremental.id] });
  assert.deepEqual(admit([incremental], [full], { atOnce: 2 }), { start: [], superseded: [incremental.id] });
  assert.deepEqual(admit([incremental], [job('b', 'backup', 'full')], { atOnce: 2 }).start, [incremental.id]);
});

test('whatever waits and works, no lane is taken twice and no number passed', () => {
  const jobs = fc
    .array(
      fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...lanes), fc.constantFrom(null, 'full', 'incremental')),
      {
        maxLength: 30,
      },
    )
    .map((all) => all.map(([cluster, lane, schedule]) => job(cluster, lane, lane === 'backup' ? schedule : null)));
  fc.assert(
    fc.property(jobs, fc.integer({ min: 1, max: 5 }), (queued, atOnce) => {
      // What works was let in before, turn by turn.
      let working: readonly LaneJob[] = [];
      let waiting: readonly LaneJob[] = queued;
      for (let turn = 0; waiting.length > 0; turn++) {
        assert.ok(turn <= queued.length, 'something begins in every turn in which all has ended');
        const { start, superseded } = admit(waiting, working, { atOnce });
        const now = [...working, ...waiting.filter(({ id }) => start.includes(id))];
        const laned = now.filter(({ lane }) => lane !== 'look').map(({ cluster, lane }) => `${cluster}/${lane}`);
        assert.equal(new Set(laned).size, laned.length);
        assert.ok(now.filter(({ lane }) => lane !== 'look' && lane !== 'restore').length <= atOnce);
        assert.ok(now.filter(({ lane }) => lane === 'look').length <= LOOKS_AT_ONCE);
        waiting = waiting.filter(({ id }) => !start.includes(id) && !superseded.includes(id));
        working = turn % 2 === 0 ? now.slice(1) : [];
      }
    }),
  );
});
