import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { begun, decide, isLate, jitterOf, type Memory, type Rule } from './machine.ts';
import { occurrencesOf } from './occurrence.ts';

const at = (text: string): number => Date.parse(`2026-${text}Z`);
const rule = (of: Partial<Rule> & { readonly pattern?: string; readonly zone?: string } = {}): Rule => ({
  cluster: 'water',
  kind: 'full',
  occurrences: occurrencesOf(of.pattern ?? '0 2 * * *', of.zone ?? 'UTC'),
  jitterMs: 0,
  atOnce: false,
  ...of,
});
const handled = (text: string, success?: string): Memory => ({
  handledUpTo: at(text),
  lastSuccess: success === undefined ? undefined : at(success),
});
const NEVER: Memory = { handledUpTo: Number.NEGATIVE_INFINITY, lastSuccess: undefined };

test('what is due, missed and done, case by case', () => {
  const daily = rule();
  const cases: readonly (readonly [what: string, Rule, Memory, now: string, expected: unknown])[] = [
    ['before its time it waits for it', daily, handled('11-28T02:00'), '11-28T15:00', ['wait', '11-29T02:00']],
    ['at its time it is due', daily, handled('11-28T02:00'), '11-29T02:00', ['due', '11-29T02:00', 0]],
    ['a moment before it is not', daily, handled('11-28T02:00'), '11-29T01:59:59.999', ['wait', '11-29T02:00']],
    ['once begun it waits for the next', daily, handled('11-29T02:00'), '11-29T02:00', ['wait', '11-30T02:00']],
    ['late, it is due all the same', daily, handled('11-28T02:00'), '11-29T09:00', ['due', '11-29T02:00', 0]],
    ['three missed are one run', daily, handled('11-25T02:00'), '11-28T09:00', ['due', '11-28T02:00', 2]],
    ['a newer success did it', daily, handled('11-27T02:00', '11-28T02:20'), '11-28T09:00', ['wait', '11-29T02:00']],
    ['an older one did not', daily, handled('11-27T02:00', '11-27T23:00'), '11-28T09:00', ['due', '11-28T02:00', 0]],
    ['with nothing to count from it waits', daily, NEVER, '11-28T09:00', ['wait', '11-29T02:00']],
    ['a first one that must not wait is due', rule({ atOnce: true }), NEVER, '11-28T09:00', ['due', '11-28T09:00', 0]],
    [
      'but not where the repository has one',
      rule({ atOnce: true }),
      { ...NEVER, lastSuccess: at('11-28T08:00') },
      '11-28T09:00',
      ['wait', '11-29T02:00'],
    ],
    [
      'a clock that was set back repeats nothing',
      daily,
      handled('11-29T02:00'),
      '11-28T12:00',
      ['wait', '11-29T02:00'],
    ],
    ['nor when it comes there again', daily, handled('11-29T02:00'), '11-29T02:00', ['wait', '11-30T02:00']],
    [
      'a success in the future is believed',
      daily,
      handled('11-28T02:00', '11-28T23:00'),
      '11-28T12:00',
      ['wait', '11-29T02:00'],
    ],
    ['what never comes waits for ever', rule({ pattern: '0 0 30 2 *' }), NEVER, '11-28T12:00', ['wait', undefined]],
  ];
  for (const [what, of, memory, now, expected] of cases) {
    const verdict = decide(of, memory, at(now));
    const told =
      verdict.kind === 'wait'
        ? ['wait', verdict.until === undefined ? undefined : verdict.until]
        : ['due', verdict.occurrence, verdict.missed];
    const [kind, time, ...rest] = expected as [string, string | undefined, ...number[]];
    assert.deepEqual(told, [kind, time === undefined ? undefined : at(time), ...rest], what);
  }
});

test('jitter moves a run, by the same amount every time, and never past what it may', () => {
  const moved = rule({ jitterMs: 600_000 });
  const occurrence = at('11-29T02:00');
  const jitter = jitterOf(moved, occurrence);
  assert.ok(jitter > 0 && jitter < 600_000);
  assert.equal(jitterOf(moved, occurrence), jitter);
  assert.notEqual(jitterOf({ ...moved, cluster: 'power' }, occurrence), jitter);
  assert.deepEqual(decide(moved, handled('11-28T02:00'), occurrence), { kind: 'wait', until: occurrence + jitter });
  assert.equal(decide(moved, handled('11-28T02:00'), occurrence + jitter).kind, 'due');
  assert.deepEqual(
    decide(moved, handled('11-27T02:00'), occurrence),
    { kind: 'due', occurrence, missed: 1 },
    'with one missed before it, it has waited long enough',
  );
  assert.equal(isLate(moved, occurrence, occurrence + jitter), false);
  assert.equal(isLate(moved, occurrence, occurrence + 600_000 + 60_001), true);
  const spread = new Set(
    Array.from({ length: 200 }, (_, day) => Math.floor(jitterOf(moved, occurrence + day) / 60_000)),
  );
  assert.equal(spread.size, 10, 'every minute of the ten is used');
});

test('whatever the service sleeps through, every moment is begun once or made up for, and none twice', () => {
  const step = fc.integer({ min: 1, max: 40 * 60 }).map((minutes) => minutes * 60_000);
  fc.assert(
    fc.property(
      fc.constantFrom('0 2 * * *', '30 2 * * *', '0 */4 * * *', '15 * * * *', '0 6 * * 1#1'),
      fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'),
      fc.constantFrom('03-20T00:00', '10-20T00:00'),
      fc.constantFrom(0, 300_000),
      fc.array(step, { minLength: 5, maxLength: 80 }),
      (pattern, zone, start, jitterMs, steps) => {
        const of = rule({ pattern, zone, jitterMs });
        const began = at(start);
        let memory: Memory = { handledUpTo: began, lastSuccess: undefined };
        let now = began;
        let told = 0;
        const seen = new Set<number>();
        for (const sleep of steps) {
          now += sleep;
          const verdict = decide(of, memory, now);
          if (verdict.kind === 'wait') {
            assert.ok(verdict.until === undefined || verdict.until > now);
            continue;
          }
          assert.ok(verdict.occurrence <= now && verdict.occurrence > memory.handledUpTo);
          assert.ok(!seen.has(verdict.occurrence));
          seen.add(verdict.occurrence);
          told += 1 + verdict.missed;
          memory = begun(memory, verdict);
          assert.equal(decide(of, memory, now).kind, 'wait', 'begun once, it is not due again');
        }
        // All that lies so far back that no jitter holds it.
        assert.equal(told, of.occurrences.count(began, memory.handledUpTo));
        assert.ok(of.occurrences.count(memory.handledUpTo, now) <= 1);
      },
    ),
    { numRuns: 100 },
  );
});
