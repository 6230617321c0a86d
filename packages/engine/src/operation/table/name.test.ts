import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { freeName, momentWord, parseTableName, quoteIdentifier, quoteLiteral, quoteName, showName } from './name.ts';

test('a name is read as SQL reads it', () => {
  const cases: readonly (readonly [text: string, schema: string | undefined, name: string])[] = [
    ['sensor', undefined, 'sensor'],
    ['public.sensor', 'public', 'sensor'],
    ['Public.Sensor', 'public', 'sensor'],
    ['"My Table"', undefined, 'My Table'],
    ['"Odd Schema"."Valve ""x"""', 'Odd Schema', 'Valve "x"'],
    ['"a.b".c$1', 'a.b', 'c$1'],
    ['größe', undefined, 'größe'],
    ['"; DROP TABLE sensor; --"', undefined, '; DROP TABLE sensor; --'],
    [' sensor ', undefined, 'sensor'],
  ];
  for (const [text, schema, name] of cases) assert.deepEqual(parseTableName(text), { schema, name, text }, text);
});

test('what is no name is refused', () => {
  const cases = [
    '',
    ' ',
    'My Table',
    'sensor; DROP TABLE sensor',
    'sensor--',
    '"sensor',
    'sensor"',
    '""',
    'a..b',
    '.a',
    'a.',
    'water.public.sensor',
    '1st',
    'a b',
    '"a\0b"',
    "x'y",
    'é'.repeat(40),
  ];
  for (const text of cases) {
    assert.throws(
      () => parseTableName(text),
      (error) => isSpillwayError(error, 'SPW_USAGE'),
      text,
    );
  }
});

test('a quoted name is read back as the name it was', () => {
  const names = fc.string({ minLength: 1, maxLength: 15, unit: 'grapheme' }).filter((name) => !name.includes('\0'));
  fc.assert(
    fc.property(names, names, (schema, name) => {
      fc.pre(Buffer.byteLength(schema) <= 63 && Buffer.byteLength(name) <= 63);
      const text = quoteName({ schema, name });
      const read = parseTableName(text);
      assert.deepEqual({ schema: read.schema, name: read.name }, { schema, name });
      const shown = parseTableName(showName({ schema, name }));
      assert.deepEqual({ schema: shown.schema, name: shown.name }, { schema, name });
    }),
  );
});

test('quotes are doubled, and a backslash means itself', () => {
  assert.equal(quoteIdentifier('a"b'), '"a""b"');
  assert.equal(quoteLiteral("it's"), "'it''s'");
  assert.equal(quoteLiteral("\\'"), " E'\\\\'''");
});

test('a new name says where its rows are from', () => {
  const at = new Date('2026-11-28T14:30:00.123Z');
  const cases: readonly (readonly [target: Parameters<typeof momentWord>[0], word: string])[] = [
    [{ kind: 'time', at: new Date('2026-11-28T14:30:00Z'), text: '' }, '20261128t1430'],
    [{ kind: 'time', at: new Date('2026-11-28T14:30:05.9Z'), text: '' }, '20261128t143005'],
    [{ kind: 'latest' }, '20261128t1430'],
    [{ kind: 'immediate' }, '20261128t1430'],
    [{ kind: 'lsn', lsn: '16/B374D848' }, 'lsn_16_b374d848'],
    [{ kind: 'xid', xid: '81234' }, 'xid_81234'],
    [{ kind: 'name', name: 'before release "1.2"' }, 'before_release_1_2_'],
  ];
  for (const [target, word] of cases) assert.equal(momentWord(target, at), word);
});

test('a new name is free, and fits, whatever it is made of', () => {
  assert.equal(freeName('sensor', '20261128t1430', new Set()), 'sensor_20261128t1430');
  assert.equal(
    freeName('sensor', '20261128t1430', new Set(['sensor_20261128t1430', 'sensor_20261128t1430_2'])),
    'sensor_20261128t1430_3',
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 63, unit: 'grapheme' }), fc.integer({ min: 0, max: 20 }), (name, count) => {
      const taken = new Set<string>();
      for (let made = 0; made <= count; made += 1) {
        const free = freeName(name, 'before_20261128t143000', taken);
        assert.ok(Buffer.byteLength(free) <= 63);
        assert.ok(!taken.has(free));
        taken.add(free);
      }
    }),
  );
});
