// Each rule as a table of measures and what they lead to; and that a draft which is dropped leaves no trace.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { emptyBalance, shareLost, weigh, WINDOW_MS } from './balance.ts';
import { measureOf, type Remembered, RuleEngine } from './engine.ts';
import { calm, type Limits, step } from './hysteresis.ts';
import type { Reading, Rule, Zone } from './rule.ts';

suite('hysteresis', () => {
  const above: Limits = { raisesAt: 10, clearsAt: 8, count: 1, isBelow: false };
  const below: Limits = { raisesAt: 3, clearsAt: 5, count: 1, isBelow: true };
  const cases: readonly (readonly [name: string, limits: Limits, measures: readonly number[], raised: string])[] = [
    ['raised beyond the limit, not at it', above, [9, 10, 10.1], '..R'],
    ['stays between the limits, cleared at the lower one', above, [11, 9, 8.1, 8, 9, 10], 'RRR...'],
    ['trembling around one limit raises one alert', above, [10.1, 9.9, 10.1, 9.9], 'RRRR'],
    ['three in a row are three in a row', { ...above, count: 3 }, [11, 11, 10, 11, 11, 11, 8], '.....R.'],
    ['cleared by one, whatever it took to raise', { ...above, count: 3 }, [11, 11, 11, 8, 11], '..R..'],
    ['below turns the line round', below, [4, 3, 2.9, 4, 4.9, 5], '..RRR.'],
    ['limits may be one', { ...above, clearsAt: 10 }, [10.1, 10, 10.1], 'R.R'],
  ];
  for (const [name, limits, measures, raised] of cases) {
    test(name, () => {
      let standing = calm;
      const got = measures.map((measure) => (standing = step(standing, measure, limits)).raised);
      assert.equal(got.map((is) => (is ? 'R' : '.')).join(''), raised);
    });
  }

  test('whatever comes, an alert changes only at its own limit, and only after the count', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 20, noNaN: true })),
        fc.integer({ min: 1, max: 4 }),
        (measures, count) => {
          const limits = { ...above, count };
          let standing = calm;
          let beyond = 0;
          for (const measure of measures) {
            const after = step(standing, measure, limits);
            beyond = measure > limits.raisesAt ? beyond + 1 : 0;
            if (after.raised && !standing.raised) assert.ok(beyond >= count);
            if (!after.raised && standing.raised) assert.ok(measure <= limits.clearsAt);
            standing = after;
          }
        },
      ),
    );
  });
});

suite('measures', () => {
  const at = Date.parse('2026-01-01T00:00:00Z');
  const before = { at, value: 100 };
  const cases: readonly (readonly [string, Rule['kind'], boolean, number, number, number | undefined])[] = [
    ['a value is its own measure', 'above', false, 0, 70, 70],
    ['a relative one is a share of the nominal value', 'below', true, 0, 70, 0.35],
    ['a change is one a minute', 'rate', false, 30_000, 110, 20],
    ['a fall is a change too', 'rate', false, 30_000, 90, 20],
    ['a relative change is a share of the nominal value', 'rate', true, 60_000, 150, 0.25],
    ['two readings at nearly one time say nothing of a rate', 'rate', false, 900, 200, undefined],
    ['nor do two with a long gap', 'rate', false, 16 * 60_000, 200, undefined],
    ['silence is not measured by readings', 'missing', false, 0, 70, undefined],
  ];
  for (const [name, kind, relative, elapsed, value, measure] of cases) {
    test(name, () => {
      assert.equal(measureOf({ kind, relative }, { nominalValue: 200 }, { at: at + elapsed, value }, before), measure);
    });
  }

  test('a first reading has no rate', () => {
    assert.equal(
      measureOf({ kind: 'rate', relative: false }, { nominalValue: 1 }, { at, value: 1 }, undefined),
      undefined,
    );
  });
});

suite('mass balance', () => {
  const zone: Zone = { id: 1, meters: [meter(1, 1), meter(2, -1), meter(3, -1)] };
  const sums = (...flows: readonly number[]) =>
    new Map(flows.map((total, index) => [index + 1, { total: total * 2, readings: 2 }]));
  const cases: readonly (readonly [name: string, flows: readonly number[], lost: number | undefined])[] = [
    ['what goes in comes out', [100, 60, 40], 0],
    ['a tenth leaks', [100, 60, 30], 0.1],
    ['a meter that reads too much gives less than nothing', [100, 70, 40], -0.1],
    ['a flow that turned round counts on the other side', [100, -20, 120], 0],
    ['nothing flows', [0, 0, 0], undefined],
    ['next to nothing flows', [4.9, 0, 0], undefined],
    ['a meter is silent', [100, 60], undefined],
  ];
  for (const [name, flows, lost] of cases) {
    test(name, () => {
      const got = shareLost(zone, sums(...flows));
      if (lost === undefined || got === undefined) assert.equal(got, lost);
      else assert.ok(Math.abs(got - lost) < 1e-12, String(got));
    });
  }

  test('a window counts when every meter is past it, and one that a meter missed does not count', () => {
    let balance = emptyBalance;
    const closed: number[] = [];
    const take = (id: number, window: number, value: number): void => {
      const { after, closed: now } = weigh(balance, zone, id, window * WINDOW_MS + 5, value);
      balance = after;
      closed.push(...now.map(({ at, lost }) => (assert.ok(Math.abs(lost - 0.5) < 1e-9), at / WINDOW_MS)));
    };
    for (const [id, flow] of [
      [1, 100],
      [2, 25],
      [3, 25],
    ] as const)
      take(id, 7, flow);
    assert.deepEqual(closed, []);
    take(1, 8, 100);
    take(2, 8, 25);
    assert.deepEqual(closed, []);
    // Meter 3 skips window 8.
    take(3, 9, 25);
    assert.deepEqual(closed, [7]);
    take(1, 9, 100);
    take(2, 9, 25);
    for (const id of [1, 2, 3]) take(id, 10, id === 1 ? 100 : 25);
    assert.deepEqual(closed, [7, 9]);
  });

  test('a meter that stays silent does not make windows pile up', () => {
    let balance = emptyBalance;
    for (let window = 0; window < 500; window += 1) {
      balance = weigh(balance, zone, 1, window * WINDOW_MS, 1).after;
    }
    assert.ok(balance.windows.size <= 30, String(balance.windows.size));
  });
});

suite('the engine', () => {
  const start = Date.parse('2026-01-01T00:00:00Z');
  const rule = (id: string, kind: Rule['kind'], more: Partial<Rule> = {}): Rule => ({
    id,
    kind,
    sensorKind: kind === 'above' || kind === 'rate' ? 'pressure' : null,
    severity: 'warning',
    message: id,
    raisesAt: 10,
    clearsAt: 8,
    count: 1,
    relative: false,
    ...more,
  });
  const remembered: Remembered = {
    rules: [
      rule('high', 'above'),
      rule('missing', 'missing', { raisesAt: 60, clearsAt: 60 }),
      rule('silent', 'silence', { raisesAt: 30, clearsAt: 30 }),
    ],
    sensors: [
      { id: 1, kind: 'pressure', nominalValue: 5, inService: true },
      { id: 2, kind: 'pressure', nominalValue: 5, inService: false },
      { id: 3, kind: 'level', nominalValue: 5, inService: true },
    ],
    zones: [],
    standing: [],
    newest: [],
  };
  const reading = (sensorId: number, seconds: number, value: number, quality = 0): Reading => ({
    sensorId,
    at: start + seconds * 1000,
    value,
    quality,
  });
  const told = (engine: RuleEngine, readings: readonly Reading[], seconds = 0): readonly string[] => {
    const { changes, keep } = engine.evaluate(readings, start + seconds * 1000);
    keep();
    return changes.map(({ kind, rule: { id }, sensorId }) => `${kind} ${id} ${sensorId ?? '-'}`);
  };
  const ticked = (engine: RuleEngine, seconds: number): readonly string[] => {
    const { changes, keep } = engine.tick(start + seconds * 1000);
    keep();
    return changes.map(({ kind, rule: { id }, sensorId }) => `${kind} ${id} ${sensorId ?? '-'}`);
  };

  test('raises and clears within one batch, in its order', () => {
    const engine = new RuleEngine(remembered, start);
    assert.deepEqual(told(engine, [reading(1, 1, 11), reading(1, 2, 7), reading(1, 3, 11)]), [
      'raise high 1',
      'clear high 1',
      'raise high 1',
    ]);
    assert.deepEqual(told(engine, [reading(1, 4, 11)]), []);
  });

  test('measures neither bad readings, nor old ones, nor those of a sensor out of service or of another kind', () => {
    const engine = new RuleEngine(remembered, start);
    const dull = [reading(1, 5, 5), reading(1, 6, 11, 2), reading(1, 5, 11), reading(1, 4, 11)];
    assert.deepEqual(told(engine, [...dull, reading(2, 1, 11), reading(3, 1, 11)]), []);
    assert.deepEqual(told(engine, [reading(1, 6, 11, 1)]), ['raise high 1']);
  });

  test('a draft that was not kept leaves no trace', () => {
    const engine = new RuleEngine(remembered, start);
    assert.equal(engine.evaluate([reading(1, 1, 11)], start).changes.length, 1);
    assert.deepEqual(told(engine, [reading(1, 1, 11)]), ['raise high 1']);
  });

  test('knows what stands from the database, and clears it', () => {
    const standing = [{ ruleId: 'high', sensorId: 1, zoneId: null }];
    const engine = new RuleEngine({ ...remembered, standing }, start);
    assert.deepEqual(told(engine, [reading(1, 1, 11), reading(1, 2, 8)]), ['clear high 1']);
  });

  test('misses a sensor that sent before and sends no more, and not one that never sent', () => {
    const engine = new RuleEngine(remembered, start);
    told(engine, [reading(1, 0, 5), reading(3, 0, 5)]);
    told(engine, [reading(1, 50, 5)], 50);
    assert.deepEqual(ticked(engine, 59), []);
    told(engine, [reading(1, 61, 5)], 61);
    assert.deepEqual(ticked(engine, 62), ['raise missing 3']);
    assert.deepEqual(told(engine, [reading(3, 63, 5)], 63), ['clear missing 3']);
  });

  test('misses a sensor that sends bad readings only', () => {
    const engine = new RuleEngine(remembered, start);
    told(engine, [reading(1, 0, 5), reading(3, 0, 5)]);
    told(engine, [reading(1, 61, 5), reading(3, 61, 5, 2)], 61);
    assert.deepEqual(ticked(engine, 62), ['raise missing 3']);
    assert.deepEqual(told(engine, [reading(3, 63, 5, 2)], 63), []);
    assert.deepEqual(told(engine, [reading(3, 64, 5, 1)], 64), ['clear missing 3']);
  });

  test('tells that nothing comes at all once, not once a sensor', () => {
    const engine = new RuleEngine(remembered, start);
    told(engine, [reading(1, 0, 5), reading(3, 0, 5)]);
    assert.deepEqual(ticked(engine, 31), ['raise silent -']);
    assert.deepEqual(ticked(engine, 600), []);
    assert.deepEqual(told(engine, [reading(1, 601, 5)], 601), ['clear silent -']);
    assert.deepEqual(ticked(engine, 602), ['raise missing 3']);
  });

  test('after a change of the catalogue it goes on where it was', () => {
    const counted = { ...remembered, rules: [rule('high', 'above', { count: 2 })] };
    const before = new RuleEngine(counted, start);
    told(before, [reading(1, 1, 11)]);
    const newest = [{ sensorId: 1, at: start + 1000, value: 11 }];
    const after = new RuleEngine({ ...counted, newest }, start + 5000, before);
    assert.deepEqual(told(after, [reading(1, 2, 11)]), ['raise high 1']);
    assert.equal(after.lastReadingAt, start + 2000);
  });
});

function meter(sensorId: number, direction: number): Zone['meters'][number] {
  return { sensorId, direction };
}
