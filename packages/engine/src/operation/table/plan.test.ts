import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { parseTableName } from './name.ts';
import { byDependency, type PlanWish, planTables, type TableFound } from './plan.ts';
import type { Column, ForeignKey, Relation } from './relation.ts';

const id: Column = {
  number: 1,
  name: 'id',
  type: 'integer',
  type_oid: '23',
  type_modifier: -1,
  collation: null,
  not_null: true,
  identity: '',
  generated: '',
  default: null,
  binary: true,
  may_name_large_object: false,
};
let oids = 16_384;
const relation = (name: string, more: Partial<Relation> = {}): Relation => ({
  oid: String((oids += 1)),
  schema: 'public',
  name,
  kind: 'r',
  persistence: 'p',
  owner: 'water',
  row_security: false,
  columns: [id],
  key: [{ name: 'id', equals: 'OPERATOR(pg_catalog.=)' }],
  foreign_keys: [],
  deferrable_keys: [],
  sequences: [],
  triggers: [],
  lasting_rules: [],
  partitions: [],
  foreign_partitions: [],
  dependents: [],
  ...more,
});
const pointer = (from: Relation, to: Relation): ForeignKey => ({
  name: `${from.name}_${to.name}_fkey`,
  from: { schema: from.schema, name: from.name },
  from_oid: from.oid,
  to: { schema: to.schema, name: to.name },
  to_oid: to.oid,
  columns: ['id'],
  references: ['id'],
  equals: ['OPERATOR(pg_catalog.=)'],
  match_full: false,
  definition: `FOREIGN KEY (id) REFERENCES public.${to.name}(id)`,
  validated: true,
});
const found = (moment: Relation, live: Relation | undefined = moment): TableFound => ({
  asked: parseTableName(`"${moment.name}"`),
  moment,
  live,
});
const gone = (moment: Relation): TableFound => ({ asked: parseTableName(moment.name), moment, live: undefined });
const wish = (tables: readonly TableFound[], more: Partial<PlanWish> = {}): PlanWish => ({
  how: 'beside',
  tables,
  target: { kind: 'time', at: new Date('2026-11-28T14:30:00Z'), text: '2026-11-28 14:30:00+00:00' },
  reachedAt: new Date('2026-11-28T14:29:59Z'),
  now: new Date('2026-11-28T15:00:01Z'),
  isSameMajor: true,
  taken: tables.flatMap(({ live }) => (live === undefined ? [] : [live])),
  as: undefined,
  isUnlogged: false,
  publications: [],
  ...more,
});
const refused = (of: PlanWish, code: 'SPW_USAGE' | 'SPW_TABLE_UNFIT', why: RegExp): void =>
  assert.throws(
    () => planTables(of),
    (error) => isSpillwayError(error, code) && why.test(`${error.message}: ${error.why} (${error.hint})`),
    String(why),
  );

test('what is done goes by what was asked, and by whether the table is there', () => {
  const sensor = relation('sensor');
  const cases = [
    ['beside', found(sensor), 'like', 'sensor_20261128t1430', undefined],
    ['beside', gone(sensor), 'define', 'sensor_20261128t1430', undefined],
    ['swap', found(sensor), 'contents', 'sensor', 'sensor_before_20261128t150001'],
    ['swap', gone(sensor), 'define', 'sensor', undefined],
    ['file', found(sensor), 'file', undefined, undefined],
  ] as const;
  for (const [how, table, way, into, kept] of cases) {
    const [plan] = planTables(wish([table], { how }));
    assert.deepEqual([plan?.way, plan?.into?.name, plan?.kept?.name], [way, into, kept], how);
  }
});

test('a name beside is free, also of those that the same run makes, or is the one that was said', () => {
  const sensor = relation('sensor');
  const taken = [sensor, { schema: 'public', name: 'sensor_20261128t1430' }];
  const into = (more: Partial<PlanWish>): string | undefined => planTables(wish([found(sensor)], more))[0]?.into?.name;
  assert.equal(into({ taken }), 'sensor_20261128t1430_2');
  assert.equal(into({ taken: [{ schema: 'other', name: 'sensor_20261128t1430' }] }), 'sensor_20261128t1430');
  assert.equal(into({ as: 'Odd "name"' }), 'Odd "name"');
  refused(wish([found(sensor)], { taken, as: 'sensor' }), 'SPW_USAGE', /--as sensor is taken/);
  refused(wish([found(sensor), found(relation('pump'))], { as: 'x' }), 'SPW_USAGE', /2 tables were named/);
  refused(wish([found(sensor)], { how: 'swap', as: 'x' }), 'SPW_USAGE', /nothing is put beside/);
  // Two long names that are cut at the same place.
  const long = ['a', 'b'].map((end) => found(relation(`${'x'.repeat(62)}${end}`)));
  const names = planTables(wish(long)).map((plan) => plan.into?.name);
  assert.equal(new Set(names).size, 2, names.join());
});

test('tables that are pointed at come first, and a circle comes to an end', () => {
  const [a, b, c] = [relation('a'), relation('b'), relation('c')];
  const tables = [
    found({ ...a, foreign_keys: [pointer(a, b)] }),
    found({ ...b, foreign_keys: [pointer(b, c), pointer(a, b)] }),
    found({ ...c, foreign_keys: [pointer(b, c)] }),
  ];
  assert.deepEqual(
    byDependency(tables).map(({ moment }) => moment.name),
    ['c', 'b', 'a'],
  );
  const circle = [
    found({ ...a, foreign_keys: [pointer(a, b), pointer(b, a)] }),
    found({ ...b, foreign_keys: [pointer(b, a), pointer(a, b)] }),
  ];
  assert.deepEqual(
    byDependency(circle).map(({ moment }) => moment.name),
    ['b', 'a'],
  );
});

test('what cannot be brought back is refused with the reason', () => {
  const sensor = relation('sensor');
  const swap = (live: Partial<Relation>): PlanWish => wish([found(sensor, { ...sensor, ...live })], { how: 'swap' });
  refused(wish([found(relation('v', { kind: 'v' }))]), 'SPW_TABLE_UNFIT', /it was a view/);
  refused(wish([found(relation('m', { kind: 'm' }))]), 'SPW_TABLE_UNFIT', /it was a materialized view/);
  refused(wish([found(relation('u', { persistence: 'u' }))]), 'SPW_TABLE_UNFIT', /UNLOGGED.*dump list/);
  refused(wish([found(relation('u', { persistence: 'u' }))], { how: 'file' }), 'SPW_TABLE_UNFIT', /UNLOGGED/);
  const partition = { schema: 'public', name: 'far' };
  refused(wish([found(relation('p', { foreign_partitions: [partition] }))]), 'SPW_TABLE_UNFIT', /public\.far.*foreign/);
  refused(wish([found(sensor, { ...sensor, kind: 'v' })]), 'SPW_TABLE_UNFIT', /now it is a view/);
  refused(swap({ foreign_partitions: [partition] }), 'SPW_TABLE_UNFIT', /public\.far.*beside/);
  refused(swap({ lasting_rules: ['log_it'] }), 'SPW_TABLE_UNFIT', /log_it.*ALWAYS/);
  refused(
    swap({ deferrable_keys: [{ name: 'no_overlap', kind: 'x', columns: ['id'], nulls_distinct: true }] }),
    'SPW_TABLE_UNFIT',
    /no_overlap is a deferrable exclusion/,
  );
  const period = { ...pointer(sensor, sensor), definition: 'FOREIGN KEY (id, PERIOD at) REFERENCES …' };
  refused(swap({ foreign_keys: [period] }), 'SPW_TABLE_UNFIT', /is one of periods/);
  refused(
    swap({ columns: [id, { ...id, number: 2, name: 'n' }] }),
    'SPW_TABLE_UNFIT',
    /n was added since, must not be null/,
  );
  // Beside, the table has the columns of that moment.
  assert.equal(
    planTables(wish([found(sensor, { ...sensor, columns: [id, { ...id, number: 2, name: 'n' }] })])).length,
    1,
  );
});

test('a table named twice, or with one of its partitions, is refused', () => {
  const sensor = relation('sensor');
  refused(wish([found(sensor), found(sensor)]), 'SPW_USAGE', /named twice/);
  const part = relation('reading_2026');
  const reading = relation('reading', { kind: 'p', partitions: [part] });
  refused(wish([found(reading), found(part)]), 'SPW_USAGE', /reading_2026.* is part of/);
  refused(wish([found(part), found(reading)]), 'SPW_USAGE', /reading_2026.* is part of/);
});

test('a new table that would be published is refused, unless it is unlogged or none is made', () => {
  const tables = [found(relation('sensor'))];
  const all = [{ name: 'everything', schema: null }];
  const own = [{ name: 'water', schema: 'public' }];
  refused(wish(tables, { publications: all }), 'SPW_TABLE_UNFIT', /everything takes in every new table.*--unlogged/);
  refused(wish(tables, { publications: own, how: 'swap' }), 'SPW_TABLE_UNFIT', /water.*of schema public/);
  for (const more of [
    { publications: all, isUnlogged: true },
    { publications: all, how: 'file' as const },
    { publications: [{ name: 'other', schema: 'other' }] },
  ]) {
    assert.equal(planTables(wish(tables, more)).length, 1);
  }
});

test('what is not brought back with a table is said', () => {
  const reading = relation('reading');
  const sensor = relation('sensor', {
    columns: [id, { ...id, number: 2, name: 'photo', type: 'oid', may_name_large_object: true }],
    dependents: [
      { kind: 'view', name: 'public.broken' },
      { kind: 'child', name: 'public.pump' },
    ],
  });
  const pointed = { ...sensor, foreign_keys: [pointer(reading, sensor)] };
  const [plan] = planTables(wish([gone(pointed)], { taken: [reading] }));
  const notes = plan?.notes.join('\n') ?? '';
  assert.match(notes, /Large objects are not included: photo of public\.sensor/);
  assert.match(notes, /Rows of public\.pump, which inherit from public\.sensor, are not included/);
  assert.match(notes, /ALTER TABLE "public"\."reading" ADD CONSTRAINT reading_sensor_fkey FOREIGN KEY/);
  assert.match(notes, /View public\.broken read from it/);
  // Neither is said of a table that is there.
  const [there] = planTables(wish([found(pointed)]));
  assert.doesNotMatch(there?.notes.join('\n') ?? '', /ADD CONSTRAINT|View/);
  const [renamed] = planTables(wish([found(sensor, { ...sensor, name: 'sensors' })]));
  assert.match(renamed?.notes.join('\n') ?? '', /public\.sensors was called public\.sensor/);
});
