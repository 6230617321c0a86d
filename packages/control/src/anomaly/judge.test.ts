import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AnomaliesGiven, earlierLook, type EarlierLook, isWorthARecord, judgeAnomalies, openOf } from './judge.ts';
import { type PlaceProtection, protectionOf, type Retention, signsOfWeakening } from './protection.ts';

const DAY = 86_400_000;
const retention = (change: Partial<Retention> = {}): Retention => ({
  keepDays: 30,
  minimumProven: 1,
  pointInTimeMs: 7 * DAY,
  graceMs: DAY,
  ...change,
});
const place = (change: Partial<PlaceProtection> = {}): PlaceProtection => ({
  name: 'repository',
  retention: retention(),
  lock: { mode: 'compliance', forMs: 30 * DAY },
  bucket: [{ aspect: 'versioning', severity: 'ok', found: 'on', state: 'ok' }],
  ...change,
});

test('a setting that protects less than before is told, and one that protects more is not', () => {
  const cases: readonly (readonly [
    name: string,
    before: PlaceProtection[],
    after: PlaceProtection[],
    settings: readonly string[],
  ])[] = [
    ['nothing changed', [place()], [place()], []],
    ['fewer days', [place()], [place({ retention: retention({ keepDays: 2 }) })], ['keep_days']],
    ['more days', [place()], [place({ retention: retention({ keepDays: 60 }) })], []],
    ['one rule more', [place()], [place({ retention: retention({ keepCount: 5 }) })], []],
    [
      'the rules are gone: everything is kept',
      [place()],
      [place({ retention: retention({ keepDays: undefined }) })],
      [],
    ],
    [
      'rules where everything was kept',
      [place({ retention: retention({ keepDays: undefined }) })],
      [place()],
      ['what is kept'],
    ],
    ['a shorter window', [place()], [place({ retention: retention({ pointInTimeMs: DAY }) })], ['point_in_time']],
    [
      'a window where every moment was kept',
      [place({ retention: retention({ pointInTimeMs: undefined }) })],
      [place()],
      ['point_in_time'],
    ],
    ['no grace', [place()], [place({ retention: retention({ graceMs: 0 }) })], ['grace']],
    [
      'governance in place of compliance',
      [place()],
      [place({ lock: { mode: 'governance', forMs: 30 * DAY } })],
      ['object lock mode'],
    ],
    ['a shorter lock', [place()], [place({ lock: { mode: 'compliance', forMs: DAY } })], ['object lock']],
    ['no lock', [place()], [place({ lock: undefined })], ['object lock mode', 'object lock']],
    [
      'versioning off',
      [place()],
      [place({ bucket: [{ aspect: 'versioning', severity: 'failed', found: 'off', state: 'differs' }] })],
      ['bucket versioning'],
    ],
    [
      'a setting that may not be read',
      [place()],
      [place({ bucket: [{ aspect: 'versioning', severity: 'warning', found: '?', state: 'unknown' }] })],
      [],
    ],
    ['a bucket that does not answer', [place()], [place({ bucket: undefined })], []],
    ['a copy that is gone', [place(), place({ name: 'nas' })], [place()], ['place']],
    ['a new copy', [place()], [place(), place({ name: 'nas' })], []],
  ];
  for (const [name, before, after, settings] of cases) {
    const signs = signsOfWeakening(protectionOf(before), protectionOf(after));
    assert.deepEqual(
      signs.map(({ message }) => /: (.+) was weakened/.exec(message)?.[1]),
      settings,
      name,
    );
  }
});

test('of two settings at most one way is a weakening, and none leads from a setting to itself', () => {
  const some = fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined });
  const settings = fc
    .record({
      keepCount: some,
      keepDays: some,
      pointInTimeMs: some,
      graceMs: fc.nat(),
      minimumProven: fc.integer({ min: 1, max: 9 }),
    })
    .map((given) => protectionOf([place({ retention: given })]));
  fc.assert(
    fc.property(settings, settings, (one, other) => {
      assert.deepEqual(signsOfWeakening(one, one), []);
      const subjects = (before: typeof one, after: typeof one): readonly string[] =>
        signsOfWeakening(before, after).map(({ subject }) => subject.split(' = ')[0] ?? '');
      const there = subjects(one, other);
      assert.deepEqual(
        subjects(other, one).filter((subject) => there.includes(subject)),
        [],
      );
    }),
  );
});

const NOW = new Date('2026-11-28T14:00:00.000Z');
const given = (change: Partial<AnomaliesGiven> = {}): AnomaliesGiven => ({
  now: NOW,
  backups: [],
  files: [],
  protection: protectionOf([place()]),
  deletion: undefined,
  holds: [],
  earlier: [],
  accept: false,
  ...change,
});
const weak = protectionOf([place({ retention: retention({ keepDays: 2 }) })]);

/** The record that the look leaves, as the next one reads it. */
const recorded = (id: string, look: AnomaliesGiven): EarlierLook => {
  const { findings, accepted } = judgeAnomalies(look);
  return earlierLook({
    id,
    finished_at: look.now.toISOString(),
    result: openOf(findings).length === 0 ? 'passed' : 'failed',
    details: JSON.parse(
      JSON.stringify({ findings, accepted, protection: look.protection, deletion: look.deletion ?? null }),
    ) as Record<string, unknown>,
  });
};

test('a weakened setting is told until it is mended or accepted', () => {
  const first = recorded('1', given());
  const second = given({ earlier: [first], protection: weak });
  assert.deepEqual(
    openOf(judgeAnomalies(second).findings).map(({ rule }) => rule),
    ['weakened'],
  );
  const earlier = [first, recorded('2', second)];
  const third = judgeAnomalies(given({ earlier, protection: weak }));
  assert.equal(openOf(third.findings).length, 1, 'it is told again');
  assert.equal(third.baseline, '1', 'against what was in order');
  assert.equal(openOf(judgeAnomalies(given({ earlier })).findings).length, 0, 'it was mended');
  const accepting = given({ earlier, protection: weak, accept: true });
  const accepted = [...earlier, recorded('3', accepting)];
  assert.equal(openOf(judgeAnomalies(given({ earlier: accepted, protection: weak })).findings).length, 0);
  assert.equal(
    judgeAnomalies(given({ earlier: accepted, protection: weak })).baseline,
    '3',
    'which is the baseline now',
  );
  const weaker = protectionOf([place({ retention: retention({ keepDays: 1 }) })]);
  assert.equal(
    openOf(judgeAnomalies(given({ earlier: accepted, protection: weaker })).findings).length,
    1,
    'but not what came after',
  );
});

test('what happened between two looks stays open in the looks after it', () => {
  const hold = {
    id: 'h',
    action: 'release',
    cluster: 'water',
    backup: 'b',
    reason: 'closed',
    by: 'eve@host',
    at: NOW.toISOString(),
  } as const;
  const before = recorded('1', given({ now: new Date(NOW.getTime() - DAY) }));
  const found = given({ earlier: [before], holds: [hold] });
  assert.match(openOf(judgeAnomalies(found).findings)[0]?.message ?? '', /ended by eve@host: closed/);
  const later = given({ now: new Date(NOW.getTime() + DAY), earlier: [before, recorded('2', found)], holds: [hold] });
  assert.equal(openOf(judgeAnomalies(later).findings).length, 1);
  const accepted = [before, recorded('2', { ...found, accept: true })];
  assert.equal(openOf(judgeAnomalies({ ...later, earlier: accepted }).findings).length, 0);
});

test('a record is left where something changed, and once a day', () => {
  const look = given();
  const earlier = [recorded('1', look)];
  const again = (change: Partial<AnomaliesGiven>): boolean => {
    const next = given({ earlier, ...change });
    return isWorthARecord(next, judgeAnomalies(next));
  };
  assert.equal(isWorthARecord(look, judgeAnomalies(look)), true, 'the first');
  assert.equal(again({}), false);
  assert.equal(again({ now: new Date(NOW.getTime() + DAY) }), true);
  assert.equal(again({ protection: weak }), true);
  assert.equal(again({ accept: true }), true);
});

test('a record of another form says nothing, and breaks nothing', () => {
  const look = earlierLook({
    id: 'x',
    finished_at: NOW.toISOString(),
    result: 'passed',
    details: { findings: [{ key: 1 }, null], accepted: 'all', protection: { a: 7 }, deletion: [] },
  });
  assert.deepEqual([look.findings, look.accepted, look.protection, look.deletion], [[], [], {}, undefined]);
});
