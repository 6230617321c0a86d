import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BackupFacts, isoWeek, judgeBackups, judgeDumps, type RetentionPolicy } from './policy.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const DAY_MS = 86_400_000;
const NONE: ReadonlySet<string> = new Set();

const backup = (
  id: string,
  daysAgo: number,
  more: Partial<BackupFacts> & { readonly system?: string } = {},
): BackupFacts => {
  const at = new Date(NOW.getTime() - daysAgo * DAY_MS).toISOString();
  return {
    summary: { id, started_at: at, finished_at: at, system_identifier: more.system ?? '1' },
    usable: more.usable ?? true,
    proven: more.proven ?? false,
    heldBy: more.heldBy,
    legalHold: more.legalHold,
  };
};
const policy = (rules: Partial<RetentionPolicy>): RetentionPolicy => ({ minimumProven: 1, ...rules });
const kept = (backups: readonly BackupFacts[], rules: Partial<RetentionPolicy>, bases = NONE): readonly string[] =>
  judgeBackups(backups, policy(rules), bases, NOW)
    .filter(({ keep }) => keep)
    .map(({ id }) => id);
const reasons = (backups: readonly BackupFacts[], rules: Partial<RetentionPolicy>, id: string): readonly string[] =>
  judgeBackups(backups, policy(rules), NONE, NOW).find((each) => each.id === id)?.reasons ?? [];

test('without any rule everything is kept, and that is said', () => {
  const list = [backup('a', 900), backup('b', 1)];
  assert.deepEqual(kept(list, {}), ['a', 'b']);
  assert.deepEqual(reasons(list, {}, 'a'), ['no retention is configured']);
});

test('each rule keeps what it names, and every reason is told', () => {
  const list = [backup('a', 400), backup('b', 40), backup('c', 3), backup('d', 2.1), backup('e', 2), backup('f', 0)];
  assert.deepEqual(kept(list, { keepCount: 2 }), ['e', 'f']);
  assert.deepEqual(kept(list, { keepDays: 3 }), ['c', 'd', 'e', 'f']);
  assert.deepEqual(kept(list, { keepDaily: 3 }), ['c', 'e', 'f']);
  assert.deepEqual(kept(list, { keepMonthly: 2 }), ['b', 'f']);
  assert.deepEqual(kept(list, { keepYearly: 5 }), ['a', 'f']);
  assert.deepEqual(kept(list, { keepDays: 0 }), ['f']);
  assert.deepEqual(reasons(list, { keepDays: 30, keepMonthly: 3, keepCount: 1 }, 'f'), [
    'newest',
    'within 30 days',
    'one of the newest 1',
    'monthly of 2026-11',
  ]);
  assert.deepEqual(reasons(list, { keepDays: 30 }, 'a'), ['400 days old, and no rule keeps it']);
});

test('what is on legal hold stays, says why, and takes no place of a rule that counts', () => {
  const list = [backup('a', 900, { legalHold: 'case 4711' }), backup('b', 5), backup('c', 1), backup('d', 0)];
  assert.deepEqual(kept(list, { keepCount: 2 }), ['a', 'c', 'd']);
  assert.deepEqual(reasons(list, { keepCount: 2 }, 'a'), ['on legal hold: case 4711']);
  const dumps = ['a', 'b', 'c'].map((id) => ({ id, source: 'logical', finished_at: NOW.toISOString() }));
  const judged = judgeDumps(dumps, policy({ keepCount: 1 }), NOW, new Map([['a', 'case 4711']]));
  assert.deepEqual(
    judged.map(({ keep }) => keep),
    [true, false, true],
  );
});

test('the last proven backup stays, and an unproven newer one never takes its place', () => {
  const list = [backup('a', 50, { proven: true }), backup('b', 40, { proven: true }), backup('c', 1), backup('d', 0)];
  assert.deepEqual(kept(list, { keepCount: 1 }), ['b', 'd']);
  assert.deepEqual(kept(list, { keepCount: 1, minimumProven: 2 }), ['a', 'b', 'd']);
  assert.deepEqual(kept(list, { keepCount: 1, minimumProven: 0 }), ['b', 'd']);
  assert.deepEqual(reasons(list, { keepCount: 1 }, 'b'), ['last proven']);
});

test('a backup that cannot be restored counts for nothing, and pushes no other out', () => {
  const list = [backup('a', 3), backup('b', 2), backup('c', 1, { usable: false }), backup('d', 0, { usable: false })];
  assert.deepEqual(kept(list, { keepCount: 2 }), ['a', 'b', 'c', 'd']);
  assert.deepEqual(kept(list, { keepDaily: 1 }), ['b', 'd']);
});

test('a backup that cannot be restored goes no sooner than a good one would', () => {
  const list = [backup('a', 4), backup('b', 3, { usable: false }), backup('c', 2), backup('d', 1), backup('e', 0)];
  assert.deepEqual(kept(list, { keepCount: 4 }), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(reasons(list, { keepCount: 4 }, 'b'), [
    'one of the newest 4, though it cannot be restored as it is',
  ]);
  assert.deepEqual(kept(list, { keepCount: 3 }), ['c', 'd', 'e']);
  assert.deepEqual(reasons(list, { keepCount: 3 }, 'b'), [
    '3 days old, and no rule keeps it; it cannot be restored as it is',
  ]);
  assert.deepEqual(kept(list, { keepDaily: 4 }), ['a', 'b', 'c', 'd', 'e']);
});

test('what is in use or needed for the window is kept whatever the rules say', () => {
  const list = [backup('a', 30, { heldBy: 'restorer' }), backup('b', 20), backup('c', 10), backup('d', 0)];
  assert.deepEqual(kept(list, { keepCount: 1 }, new Set(['c'])), ['a', 'c', 'd']);
  assert.deepEqual(reasons(list, { keepCount: 1 }, 'a'), ['in use by a restore on restorer']);
  // With a window and no other rule, all backups in it stay.
  assert.deepEqual(kept(list, { pointInTimeMs: 15 * DAY_MS }, new Set(['b'])), ['a', 'b', 'c', 'd']);
  assert.deepEqual(kept(list.slice(1), { pointInTimeMs: 5 * DAY_MS }, new Set(['c'])), ['c', 'd']);
});

test('backups of an earlier system go by days alone', () => {
  const list = [backup('a', 90, { system: '0' }), backup('b', 20, { system: '0' }), backup('c', 1), backup('d', 0)];
  assert.deepEqual(kept(list, { keepCount: 1 }), ['a', 'b', 'd']);
  assert.deepEqual(kept(list, { keepCount: 1, keepDays: 30 }), ['b', 'c', 'd']);
});

test('weeks are those of ISO 8601, in UTC', () => {
  for (const [at, week] of [
    ['2026-11-22T23:59:59Z', '2026-W47'],
    ['2026-11-23T00:00:00Z', '2026-W48'],
    ['2027-01-03T00:00:00Z', '2026-W53'],
    ['2024-12-30T00:00:00Z', '2025-W01'],
    ['2021-01-03T00:00:00Z', '2020-W53'],
  ] as const)
    assert.equal(isoWeek(new Date(at)), week);
});

test('dumps go by count and days, each kind by itself', () => {
  const dump = (id: string, source: string, daysAgo: number) => ({
    id,
    source,
    finished_at: new Date(NOW.getTime() - daysAgo * DAY_MS).toISOString(),
  });
  const list = [dump('a', 'logical', 9), dump('b', 'schema', 8), dump('c', 'logical', 2), dump('d', 'logical', 1)];
  const keeps = (rules: Partial<RetentionPolicy>): readonly string[] =>
    judgeDumps(list, policy(rules), NOW)
      .filter(({ keep }) => keep)
      .map(({ id }) => id);
  assert.deepEqual(keeps({ keepDaily: 1 }), ['a', 'b', 'c', 'd']);
  assert.deepEqual(keeps({ keepCount: 2 }), ['b', 'c', 'd']);
  assert.deepEqual(keeps({ keepDays: 1 }), ['b', 'd']);
});

const anyBackups = fc
  .array(
    fc.record({
      daysAgo: fc.integer({ min: 0, max: 8000 }),
      usable: fc.boolean(),
      proven: fc.boolean(),
      old: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((list) =>
    list
      .toSorted((a, b) => b.daysAgo - a.daysAgo)
      .map(({ daysAgo, usable, proven, old }, n) =>
        // Tenths of days, so that many fall on one.
        backup(String(n), daysAgo / 10, { usable, proven, system: old && n < list.length / 3 ? '0' : '1' }),
      ),
  );
const some = fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined });
const anyPolicy = fc.record({
  keepCount: some,
  keepDays: some,
  keepDaily: some,
  keepWeekly: some,
  keepMonthly: some,
  keepYearly: some,
  minimumProven: fc.integer({ min: 1, max: 4 }),
});

test('judged again after the removal, what stayed stays', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (list, rules) => {
      const once = new Set(kept(list, rules));
      assert.deepEqual(
        kept(
          list.filter(({ summary }) => once.has(summary.id)),
          rules,
        ),
        [...once],
      );
    }),
    { numRuns: 500 },
  );
});

test('a policy that allows more keeps all that one that allows less keeps', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, anyPolicy, (list, less, more) => {
      const max = (a: number | undefined, b: number | undefined): number | undefined =>
        a === undefined && b === undefined ? undefined : Math.max(a ?? 0, b ?? 0);
      // keep_days that was not configured is no smaller than one that is: it decides over an earlier system's backups.
      const keepDays = less.keepDays === undefined ? undefined : max(less.keepDays, more.keepDays);
      const larger = {
        keepCount: max(less.keepCount, more.keepCount),
        keepDays,
        keepDaily: max(less.keepDaily, more.keepDaily),
        keepWeekly: max(less.keepWeekly, more.keepWeekly),
        keepMonthly: max(less.keepMonthly, more.keepMonthly),
        keepYearly: max(less.keepYearly, more.keepYearly),
        minimumProven: Math.max(less.minimumProven, more.minimumProven),
      };
      fc.pre(Object.entries(less).some(([name, value]) => name !== 'minimumProven' && value !== undefined));
      const after = new Set(kept(list, larger));
      for (const id of kept(list, less)) assert.ok(after.has(id), id);
    }),
    { numRuns: 500 },
  );
});

test('the newest, the minimum of proven ones and the count are kept whatever else is said', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (list, rules) => {
      const after = new Set(kept(list, rules));
      const count = (all: readonly BackupFacts[]): number => all.filter(({ summary }) => after.has(summary.id)).length;
      if (list.length > 0) assert.ok(after.has(list.at(-1)?.summary.id ?? ''));
      const proven = list.filter((each) => each.proven && each.usable);
      assert.ok(count(proven) >= Math.min(proven.length, rules.minimumProven));
      const usable = list.filter(
        (each) => each.usable && each.summary.system_identifier === list.at(-1)?.summary.system_identifier,
      );
      assert.ok(count(usable) >= Math.min(usable.length, rules.keepCount ?? 1));
    }),
    { numRuns: 500 },
  );
});
