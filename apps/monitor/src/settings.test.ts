// Settings that are wrong are named before anything starts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from './settings.ts';

const least = { DATABASE_URL: 'postgres://u:p@h/d', MONITOR_TOKENS_FILE: '/t' };

test('little is needed', () => {
  const settings = readSettings(least);
  assert.deepEqual(settings.database, { url: 'postgres://u:p@h/d' });
  assert.equal(settings.port, 8000);
});

const wrong: readonly (readonly [name: string, variables: Readonly<Record<string, string>>, said: RegExp])[] = [
  ['no database', { MONITOR_TOKENS_FILE: '/t' }, /either DATABASE_URL or DATABASE_URL_FILE/],
  ['two databases', { ...least, DATABASE_URL_FILE: '/f' }, /either/],
  ['another database', { ...least, DATABASE_URL: 'mysql://h/d' }, /DATABASE_URL/],
  ['a port that is none', { ...least, MONITOR_PORT: '70000' }, /MONITOR_PORT/],
  ['a spool without room', { ...least, MONITOR_SPOOL_BYTES: '12' }, /MONITOR_SPOOL_BYTES/],
  ['no tokens', { DATABASE_URL: 'postgres://h/d' }, /MONITOR_TOKENS_FILE/],
];
for (const [name, variables, said] of wrong) {
  test(`${name} is refused`, () => assert.throws(() => readSettings(variables), said));
}
