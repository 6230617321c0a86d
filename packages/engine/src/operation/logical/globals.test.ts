import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutKnown } from './globals.ts';

const sql = String.raw`\restrict abc
SET client_encoding = 'UTF8';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x';
CREATE ROLE "Keeper of ""pipes""";
ALTER ROLE "Keeper of ""pipes""" WITH LOGIN;
CREATE ROLE "Keeper";
CREATE ROLE reader;
ALTER ROLE reader SET work_mem TO '5MB';
GRANT reader TO "Keeper of ""pipes""" GRANTED BY postgres;
CREATE TABLESPACE fast OWNER postgres LOCATION '/srv/fast';
`;

test('what makes or changes a role or tablespace that is there is left out, and nothing else', () => {
  const made = withoutKnown(sql, new Set(['postgres', 'Keeper of "pipes"', 'fast', 'keeper']));
  assert.deepEqual(made.skipped, ['postgres', 'Keeper of "pipes"', 'fast']);
  assert.equal(made.restored, 2);
  assert.deepEqual(made.sql.split('\n'), [
    String.raw`\restrict abc`,
    "SET client_encoding = 'UTF8';",
    'CREATE ROLE "Keeper";',
    'CREATE ROLE reader;',
    "ALTER ROLE reader SET work_mem TO '5MB';",
    'GRANT reader TO "Keeper of ""pipes""" GRANTED BY postgres;',
    '',
  ]);
});

test('where nothing is known all is kept', () => {
  assert.deepEqual(withoutKnown(sql, new Set()), { sql, restored: 5, skipped: [] });
});
