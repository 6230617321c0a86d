import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExpectedObjects } from '@spillway/contract';
import { type FoundObjects, judgeObjects } from './objects.ts';
import { judgeAnswer } from './web.ts';

const expected: ExpectedObjects = {
  extensions: ['plpgsql'],
  tables: {
    sensor: { indexes: ['sensor_pkey', 'sensor_code'], constraints: ['sensor_pkey', 'sensor_site_fkey'] },
    alert: { indexes: [], constraints: [] },
  },
};
const sensor = {
  name: 'sensor',
  exists: true,
  indexes: [
    { name: 'sensor_pkey', valid: true },
    { name: 'sensor_code', valid: true },
  ],
  constraints: [
    { name: 'sensor_pkey', validated: true },
    { name: 'sensor_site_fkey', validated: true },
  ],
};
const alert = { name: 'alert', exists: true, indexes: [], constraints: [] };
const found: FoundObjects = { tables: [sensor, alert], extensions: ['plpgsql', 'more'] };

test('objects that are all there and whole pass', () => {
  const judged = judgeObjects(expected, found);
  for (const verdict of Object.values(judged)) assert.equal(verdict.result, 'passed');
  assert.equal(judged.indexes.expected, '2 valid indexes');
});

test('what is stolen, dropped, invalid or not validated is named', () => {
  const cases: readonly (readonly [
    change: FoundObjects,
    part: keyof ReturnType<typeof judgeObjects>,
    named: RegExp,
  ])[] = [
    [{ ...found, tables: [sensor, { ...alert, exists: false }] }, 'tables', /alert is missing/],
    [{ ...found, tables: [alert] }, 'tables', /sensor is missing/],
    [
      { ...found, tables: [{ ...sensor, indexes: [] }, alert] },
      'indexes',
      /sensor_pkey of sensor is missing; sensor_code/,
    ],
    [
      { ...found, tables: [{ ...sensor, indexes: sensor.indexes.map((each) => ({ ...each, valid: false })) }, alert] },
      'indexes',
      /sensor_pkey of sensor is not valid/,
    ],
    [
      {
        ...found,
        tables: [{ ...sensor, constraints: sensor.constraints.map((each) => ({ ...each, validated: false })) }, alert],
      },
      'constraints',
      /sensor_site_fkey of sensor is not validated/,
    ],
    [{ ...found, extensions: [] }, 'extensions', /plpgsql is missing/],
  ];
  for (const [change, part, named] of cases) {
    const verdict = judgeObjects(expected, change)[part];
    assert.equal(verdict.result, 'failed', part);
    assert.match(verdict.found, named);
  }
});

test('an answer by HTTP passes by all that is asked of it', () => {
  const body = '{"ready":true,"parts":[{"state":"up"}]}';
  const ask = { status: 200, contains: undefined, json: undefined };
  const cases: readonly (readonly [
    asked: Parameters<typeof judgeAnswer>[0],
    answer: Parameters<typeof judgeAnswer>[1],
    result: string,
  ])[] = [
    [ask, { status: 200, body }, 'passed'],
    [ask, { status: 503, body }, 'failed'],
    [ask, 'no answer in time', 'failed'],
    [{ ...ask, contains: '"ready"' }, { status: 200, body }, 'passed'],
    [{ ...ask, contains: 'absent' }, { status: 200, body }, 'failed'],
    [{ ...ask, json: { path: 'ready', equals: true } }, { status: 200, body }, 'passed'],
    [{ ...ask, json: { path: '$.parts[0].state', equals: 'up' } }, { status: 200, body }, 'passed'],
    [{ ...ask, json: { path: 'parts.0.state', equals: 'down' } }, { status: 200, body }, 'failed'],
    [{ ...ask, json: { path: 'toString', equals: 'x' } }, { status: 200, body }, 'failed'],
    [{ ...ask, json: { path: 'ready', equals: true } }, { status: 200, body: 'ready' }, 'failed'],
  ];
  for (const [asked, answer, result] of cases) {
    assert.equal(judgeAnswer(asked, answer).result, result, JSON.stringify([asked, answer]));
  }
});
