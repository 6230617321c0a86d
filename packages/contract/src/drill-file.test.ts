import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDrill } from './drill-file.ts';

const one = (check: object): unknown => ({ name: 'monthly', checks: [check] });

test('the shortest file gets every default', () => {
  assert.deepEqual(parseDrill({ name: 'weekly' }), {
    ok: true,
    drill: {
      name: 'weekly',
      backup: 'latest',
      target: 'latest',
      database: undefined,
      databases: undefined,
      objectives: { rto: undefined, rpo: undefined },
      checks: [],
      objects: {},
    },
  });
});

test('each expectation is read as it is meant', () => {
  const cases: readonly (readonly [given: object, expectation: object])[] = [
    [{ equals_source: true }, { kind: 'equals_source' }],
    [{ within: '2.5%' }, { kind: 'within', percent: 2.5 }],
    [{ at_least: 1 }, { kind: 'at_least', value: 1 }],
    [{ at_most: -3.5 }, { kind: 'at_most', value: -3.5 }],
    [{ equals: 0 }, { kind: 'equals', value: 0 }],
    [{ equals: null }, { kind: 'equals', value: null }],
    [{ is_true: true }, { kind: 'is_true' }],
    [{ plan_uses_index: 'sensor_pkey' }, { kind: 'plan_uses_index', of: 'sensor_pkey' }],
    [{ faster_than: '50ms' }, { kind: 'faster_than', limitMs: 50, runs: 5 }],
    [
      { faster_than: '1s', runs: 3 },
      { kind: 'faster_than', limitMs: 1000, runs: 3 },
    ],
  ];
  for (const [given, expectation] of cases) {
    const result = parseDrill(one({ sql: 'SELECT 1;\n', ...given }));
    assert.ok(result.ok, JSON.stringify(given));
    assert.deepEqual(result.drill.checks, [
      { kind: 'sql', name: 'SELECT 1', database: undefined, timeoutMs: 300_000, sql: 'SELECT 1;\n', expectation },
    ]);
  }
});

test('commands and questions by HTTP are read with their defaults, and a table without its parts', () => {
  const result = parseDrill({
    name: 'monthly',
    objectives: { rto: '30min' },
    checks: [
      { name: 'up', http: 'http://127.0.0.1:{port}/readyz', start: 'serve', json: { path: 'ready', equals: true } },
      { shell: 'psql -c "SELECT 1"', timeout: '5s' },
    ],
    objects: { water: { tables: { sensor: null, alert: { indexes: ['alert_pkey'] } } } },
  });
  assert.ok(result.ok);
  const [http, shell] = result.drill.checks;
  assert.deepEqual(http, {
    kind: 'http',
    name: 'up',
    database: undefined,
    timeoutMs: 60_000,
    url: 'http://127.0.0.1:{port}/readyz',
    start: 'serve',
    status: 200,
    contains: undefined,
    json: { path: 'ready', equals: true },
  });
  assert.equal(shell?.timeoutMs, 5000);
  assert.equal(result.drill.objectives.rto, 1_800_000);
  assert.deepEqual(result.drill.objects['water'], {
    extensions: [],
    tables: {
      sensor: { indexes: [], constraints: [] },
      alert: { indexes: ['alert_pkey'], constraints: [] },
    },
  });
});

test('what is wrong is told at its key, with what was meant', () => {
  const sql = 'SELECT 1';
  const wrong: readonly (readonly [raw: unknown, path: string, message: RegExp])[] = [
    [{}, 'name', /is missing/],
    [{ name: 'Monthly' }, 'name', /lower-case/],
    [{ name: 'm', objectivs: {} }, 'objectivs', /did you mean objectives/],
    [{ name: 'm', backup: 'newest!' }, 'backup', /latest, oldest, random/],
    [{ name: 'm', target: '2026-11-23T14:03:12' }, 'target', /a time with its zone/],
    [{ name: 'm', objectives: { rto: '30m' } }, 'objectives.rto', /unit/],
    [{ name: 'm', objectives: { rto: 30 } }, 'objectives.rto', /unit/],
    [{ name: 'm', databases: [] }, 'databases', /leave it out/],
    [{ name: 'm', checks: { sql } }, 'checks', /a list/],
    [one({ sql }), 'checks.0', /has no expectation; give it one of equals_source/],
    [one({ sql, at_least: 1, at_most: 2 }), 'checks.0', /at_least and at_most; a check has one/],
    [one({ sql, at_lest: 1 }), 'checks.0.at_lest', /did you mean at_least/],
    [one({ sql, at_least: '1' }), 'checks.0.at_least', /must be a number/],
    [one({ sql, equals_source: false }), 'checks.0.equals_source', /must be true/],
    [one({ sql, within: 5 }), 'checks.0.within', /such as 5%/],
    [one({ sql, is_true: true, runs: 3 }), 'checks.0.runs', /faster_than alone/],
    [one({ sql, is_true: true, status: 200 }), 'checks.0.status', /goes with http alone/],
    [one({ shell: 'true', equals: 1 }), 'checks.0.equals', /goes with sql alone/],
    [one({ at_least: 1 }), 'checks.0', /exactly one of sql, shell and http/],
    [one({ sql, shell: 'true', is_true: true }), 'checks.0', /exactly one of sql, shell and http/],
    [one({ http: 'ftp://x' }), 'checks.0.http', /URL of http/],
    [one({ http: 'http://x/{prt}' }), 'checks.0.http', /\{port\}/],
    [{ name: 'm', target: 'random', checks: [{ sql, equals_source: true }] }, 'checks.0', /target: latest alone/],
    [
      {
        name: 'm',
        checks: [
          { sql, equals_source: true },
          { sql: 'SELECT 2', database: 'other', equals_source: true },
        ],
      },
      'checks.1',
      /a snapshot is of one database/,
    ],
    [
      {
        name: 'm',
        checks: [
          { sql, is_true: true },
          { sql, equals: 1 },
        ],
      },
      'checks.1',
      /the name of another check/,
    ],
    [{ name: 'm', objects: { water: { table: {} } } }, 'objects.water.table', /did you mean tables/],
    [
      { name: 'm', objects: { water: { tables: { sensor: { index: [] } } } } },
      'objects.water.tables.sensor.index',
      /indexes/,
    ],
  ];
  for (const [raw, path, message] of wrong) {
    const result = parseDrill(raw);
    assert.ok(!result.ok, JSON.stringify(raw));
    const found = result.problems.map((problem) => `${problem.path.join('.')} ${problem.message}`).join('\n');
    const problem = result.problems.find((each) => each.path.join('.') === path);
    assert.match(problem?.message ?? `nothing at ${path}, but: ${found}`, message, JSON.stringify(raw));
  }
});
