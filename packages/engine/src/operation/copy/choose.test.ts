import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BackupFacts, judgeBackups, judgeDumps, type RetentionPolicy } from '../expire/policy.ts';
import { choose, type Choice } from './choose.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-23T12:00:00Z');

interface Known extends BackupFacts {
  readonly at: 'source' | 'target' | 'both';
}

/** What the copy decides, from what is where. */
function decide(all: readonly Known[], policy: RetentionPolicy, named?: ReadonlySet<string>): readonly Choice[] {
  const at = (place: Known['at']): ReadonlySet<string> =>
    new Set(all.filter((each) => each.at === place || each.at === 'both').map(({ summary }) => summary.id));
  return choose(judgeBackups(all, policy, new Set(), NOW), at('source'), at('target'), named);
}

const facts = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 14 }).chain((ages) =>
  fc.tuple(
    ...ages
      .toSorted((a, b) => b - a)
      .map((days) =>
        fc
          .record({
            usable: fc.boolean(),
            proven: fc.boolean(),
            at: fc.constantFrom<Known['at']>('source', 'target', 'both'),
          })
          .map((rest): Known => {
            const time = new Date(NOW.getTime() - days * DAY_MS).toISOString();
            return {
              ...rest,
              summary: { id: `b${days}`, started_at: time, finished_at: time, system_identifier: '7' },
            };
          }),
      ),
  ),
);

const few = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
const policies: fc.Arbitrary<RetentionPolicy> = fc.record({
  keepCount: few,
  keepDays: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined }),
  keepWeekly: few,
  keepMonthly: few,
  minimumProven: fc.integer({ min: 1, max: 3 }),
});

test('a copy right after a copy has nothing to bring, and an expiry at the place takes nothing of it', () => {
  fc.assert(
    fc.property(facts, policies, (all, policy) => {
      const brought = new Set(
        decide(all, policy)
          .filter(({ action }) => action === 'copy')
          .map(({ id }) => id),
      );
      const after = all.map((each): Known => (brought.has(each.summary.id) ? { ...each, at: 'both' } : each));
      assert.deepEqual(
        decide(after, policy).filter(({ action }) => action === 'copy'),
        [],
      );
      const there = after.filter(({ at }) => at !== 'source');
      for (const { id, keep } of judgeBackups(there, policy, new Set(), NOW)) if (brought.has(id)) assert.ok(keep, id);
    }),
    { numRuns: 500 },
  );
});

test('what is named is copied whatever the policy says, and nothing else', () => {
  fc.assert(
    fc.property(facts, policies, (all, policy) => {
      const named = new Set(all.filter((_, at) => at % 2 === 0).map(({ summary }) => summary.id));
      for (const { id, action } of decide(all, policy, named)) {
        const at = all.find(({ summary }) => summary.id === id)?.at;
        assert.equal(action, at === 'both' ? 'there' : named.has(id) ? 'copy' : 'left');
      }
    }),
  );
});

test('dumps are judged by kind, and what the place has alone counts', () => {
  const dump = (id: string, days: number): { id: string; source: string; finished_at: string } => ({
    id,
    source: 'logical',
    finished_at: new Date(NOW.getTime() - days * DAY_MS).toISOString(),
  });
  const judged = judgeDumps([dump('a', 9), dump('b', 5), dump('c', 1)], { keepCount: 2, minimumProven: 1 }, NOW);
  assert.deepEqual(
    choose(judged, new Set(['a', 'b']), new Set(['c'])).map(({ id, action }) => [id, action]),
    [
      ['a', 'left'],
      ['b', 'copy'],
    ],
  );
});
