import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CheckOutcome, checklistOf, ITEMS, type Measured } from './checklist.ts';
import { evidenceOf, failuresOf, type Told } from './record.ts';

const outcome = (
  kind: CheckOutcome['kind'],
  about: CheckOutcome['about'],
  result: CheckOutcome['result'] = 'passed',
) => ({
  name: `${kind} ${about}`,
  kind,
  about,
  result,
  expected: 'this',
  found: 'that',
  seconds: 0.1,
});

const whole: readonly CheckOutcome[] = [
  outcome('objects', 'tables'),
  outcome('objects', 'indexes'),
  outcome('objects', 'constraints'),
  outcome('sql', 'equals_source'),
  outcome('sql', 'faster_than'),
  outcome('pages', null),
];

const good: Measured = {
  download: { files: 10, bytes: 1000, seconds: 1 },
  recovery: { lsn: '0/3000000', seconds: 2 },
  checks: whole,
  rtoSeconds: 5,
  rtoObjectiveSeconds: 60,
  error: null,
};

const told = (change: Partial<Told> = {}): Told => ({
  ...good,
  run: '0123456789ab',
  drill: 'monthly',
  cluster: 'main',
  backup: '20261101T000000Z-aaaa1111',
  target: { kind: 'latest', value: null },
  recoveredToTime: null,
  phases: [],
  rpoSeconds: 1,
  rpoObjectiveSeconds: 900,
  startedAt: new Date(0),
  finishedAt: new Date(1000),
  host: 'here',
  versions: { spillway: '0', node: '24', postgres: '18.4' },
  ...change,
});

const results = (measured: Measured): readonly string[] => checklistOf(measured).map(({ result }) => result);
const without = (...about: readonly CheckOutcome['about'][]): Measured => ({
  ...good,
  checks: whole.filter((check) => !about.includes(check.about)),
});
const spoiled = (about: CheckOutcome['about'], kind?: CheckOutcome['kind']): Measured => ({
  ...good,
  checks: whole.map((check) =>
    check.about === about && (kind === undefined || check.kind === kind)
      ? { ...check, result: 'failed' as const }
      : check,
  ),
});

test('a drill that measured everything has the seven items of the plan, all passed', () => {
  assert.equal(ITEMS.length, 7);
  assert.deepEqual(
    checklistOf(good).map(({ item }) => item),
    ITEMS,
  );
  assert.deepEqual(
    results(good),
    ITEMS.map(() => 'passed'),
  );
  const { result, backup, details } = evidenceOf(told());
  assert.deepEqual([result, backup, failuresOf(details)], ['passed', '20261101T000000Z-aaaa1111', []]);
});

test('each item fails by what breaks it, and by nothing else', () => {
  const error = (phase: string): Measured['error'] => ({ phase, message: 'it broke', atFault: true });
  const broken: readonly (readonly [what: string, measured: Measured, failed: readonly number[]])[] = [
    ['a chunk is damaged', { ...good, download: null, recovery: null, error: error('lay') }, [0, 1]],
    ['the server does not recover', { ...good, recovery: null, error: error('start-and-recover') }, [1]],
    ['a table is stolen', spoiled('tables'), [2]],
    ['a count is wrong', spoiled('equals_source'), [2]],
    ['an index is dropped', spoiled('indexes'), [3]],
    ['a constraint is not valid', spoiled('constraints'), [3]],
    ['a query is slow', spoiled('faster_than'), [4]],
    ['a page is damaged', spoiled(null, 'pages'), [5]],
    ['it took too long', { ...good, rtoObjectiveSeconds: 0 }, [6]],
  ];
  for (const [what, measured, failed] of broken) {
    const found = results(measured).flatMap((result, index) => (result === 'failed' ? [index] : []));
    assert.deepEqual(found, failed, what);
    assert.equal(evidenceOf(told(measured)).result, 'failed', what);
  }
});

test('what was not measured is not passed, and fails the drill', () => {
  const lacking: readonly (readonly [what: string, measured: Measured, item: number])[] = [
    ['no download', { ...good, download: null }, 0],
    ['no recovery', { ...good, recovery: null }, 1],
    ['no tables', without('tables'), 2],
    ['no data', without('equals_source'), 2],
    ['no indexes', without('indexes'), 3],
    ['no constraints', without('constraints'), 3],
    ['no times', without('faster_than'), 4],
    ['no pages', without(null), 5],
    ['no health', { ...good, rtoSeconds: null }, 6],
  ];
  for (const [what, measured, item] of lacking) {
    assert.deepEqual(
      results(measured).flatMap((result, index) => (result === 'not-measured' ? [index] : [])),
      [item],
      what,
    );
    const { result, details } = evidenceOf(told(measured));
    assert.equal(result, 'failed', what);
    assert.match(failuresOf(details).join(), /not measured/, what);
  }
});

test('a drill passes exactly where nothing failed and nothing is missing', () => {
  const some = fc.subarray([...whole, outcome('shell', null), outcome('structure', null)]);
  const flags = fc.record({
    checks: some.chain((checks) =>
      fc.tuple(
        ...checks.map((check) => fc.boolean().map((ok) => (ok ? check : { ...check, result: 'failed' as const }))),
      ),
    ),
    rto: fc.option(fc.constantFrom(1, 100)),
    loss: fc.option(fc.constantFrom(1, 1000)),
    broken: fc.boolean(),
  });
  fc.assert(
    fc.property(flags, ({ checks, rto, loss, broken }) => {
      const error = broken ? { phase: 'check', message: 'it broke', atFault: false } : null;
      const { result, details } = evidenceOf(told({ checks, rtoSeconds: rto, rpoSeconds: loss, error }));
      const passed =
        !broken &&
        checks.every((check) => check.result === 'passed') &&
        details.checklist.every((item) => item.result === 'passed') &&
        loss === 1;
      assert.equal(result, passed ? 'passed' : 'failed');
      assert.equal(failuresOf(details).length === 0, passed);
    }),
  );
});

test('a failed drill speaks against its backup only where the backup is at fault', () => {
  const cases: readonly (readonly [change: Partial<Told>, backup: string | null])[] = [
    [spoiled('indexes'), null],
    [{ rpoSeconds: null }, null],
    [{ error: { phase: 'plan', message: 'no space', atFault: false } }, null],
    [{ error: { phase: 'lay', message: 'damaged', atFault: true } }, '20261101T000000Z-aaaa1111'],
    [spoiled(null, 'pages'), '20261101T000000Z-aaaa1111'],
  ];
  for (const [change, backup] of cases) {
    const evidence = evidenceOf(told(change));
    assert.deepEqual([evidence.result, evidence.backup], ['failed', backup]);
    assert.equal(evidence.details.backup, '20261101T000000Z-aaaa1111');
  }
});
