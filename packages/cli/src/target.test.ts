import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { parseTarget, type TargetOptions } from './target.ts';

const refusal = (options: TargetOptions): string => {
  try {
    return JSON.stringify(parseTarget(options));
  } catch (error) {
    if (isSpillwayError(error, 'SPW_USAGE')) return `${error.message}; ${error.hint}`;
    throw error;
  }
};

test('a time with a zone is that moment, however the zone is written', () => {
  const moment = '2026-11-23T12:03:12.000Z';
  const ways = [
    '2026-11-23T14:03:12+02:00',
    '2026-11-23 14:03:12+02:00',
    '2026-11-23 14:03:12 +02:00',
    '2026-11-23 14:03:12+02',
    '2026-11-23 14:03:12 +0200',
    '2026-11-23T12:03:12Z',
    '2026-11-23 12:03:12 UTC',
    '2026-11-23t07:33:12-04:30',
  ].map((at) => at.replace('t', 'T'));
  for (const at of ways) {
    const target = parseTarget({ at });
    assert.ok(target.kind === 'time');
    assert.equal(target.at.toISOString(), moment, at);
    assert.equal(new Date(target.text.replace(' ', 'T').replace(' ', '')).toISOString(), moment, target.text);
  }
});

test('microseconds reach PostgreSQL, which can tell them apart', () => {
  const target = parseTarget({ at: '2026-11-23 12:03:12.123456Z' });
  assert.ok(target.kind === 'time');
  assert.equal(target.text, '2026-11-23 12:03:12.123456+00:00');
  assert.equal(target.at.toISOString(), '2026-11-23T12:03:12.123Z');
});

test('a time without a zone is refused, and the answer shows how to write it', () => {
  for (const at of ['2026-11-23 14:03:12', '2026-11-23T14:03', '2026-11-23 14:03:12.5']) {
    assert.match(refusal({ at }), /does not say its time zone; write it with its zone.*--at '2026-11-23T14:03/);
  }
});

test('what is no time, position, transaction or name is refused', () => {
  const cases: readonly TargetOptions[] = [
    { at: 'yesterday' },
    { at: '2026-02-30 10:00:00Z' },
    { at: '2026-11-23 25:00:00Z' },
    { at: '2026-11-23Z' },
    { lsn: '16B374D848' },
    { lsn: '0/123456789' },
    { xid: '-1' },
    { xid: '2' },
    { xid: '0x10' },
    { name: '' },
    { name: 'x'.repeat(64) },
  ];
  for (const options of cases) assert.match(refusal(options), /is not/, JSON.stringify(options));
});

test('a restore has one target, and --exclusive needs one to stop before', () => {
  assert.match(refusal({ xid: '700', immediate: true }), /one target/);
  assert.match(refusal({ exclusive: true }), /nothing to stop before/);
  assert.match(refusal({ exclusive: true, name: 'x' }), /nothing to stop before/);
  assert.deepEqual(parseTarget({}), { kind: 'latest' });
  assert.deepEqual(parseTarget({ lsn: '16/b374d848', exclusive: true }), { kind: 'lsn', lsn: '16/B374D848' });
  assert.deepEqual(parseTarget({ immediate: true }), { kind: 'immediate' });
});
