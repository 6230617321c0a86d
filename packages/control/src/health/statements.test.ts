import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingOf, type Offer, shownText } from './statements.ts';

test('what is missing is told with what it wants', () => {
  const offer: Offer = {
    loaded: true,
    version: '1.12',
    schema: 'public',
    usable: true,
    database: 'water',
    role: 'spillway',
  };
  const cases: readonly (readonly [offer: Partial<Offer>, said: RegExp | undefined])[] = [
    [{}, undefined],
    [{ version: '1.9' }, undefined],
    [{ version: '2.0' }, undefined],
    [{ version: '1.8' }, /old version 1\.8: it wants ALTER EXTENSION pg_stat_statements UPDATE in the database water/],
    [{ version: null, schema: null }, /loaded, and not installed: it wants CREATE EXTENSION .* in the database water/],
    [{ usable: false }, /^the role spillway may not use .* GRANT USAGE ON SCHEMA public TO spillway in the database/],
    [{ loaded: false }, /not loaded: it wants shared_preload_libraries = 'pg_stat_statements' and a restart$/],
    [{ loaded: false, version: null }, /, a restart, and CREATE EXTENSION pg_stat_statements in the database water$/],
  ];
  for (const [change, said] of cases) {
    const found = missingOf({ ...offer, ...change });
    if (said === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', said);
  }
  assert.match(missingOf(undefined) ?? '', /did not say/);
});

test('queries are shown on one line and cut; of other commands the first word, as their text may hold a secret', () => {
  const long = `SELECT ${'x'.repeat(300)}`;
  const cases: readonly (readonly [text: string, shown: string])[] = [
    ['SELECT $1', 'SELECT $1'],
    ['select *\n  from t\n where id = $1 ', 'select * from t where id = $1'],
    ['WITH a AS (SELECT $1) INSERT INTO t TABLE a', 'WITH a AS (SELECT $1) INSERT INTO t TABLE a'],
    ['/* from: x */ -- y\n ( SELECT $1) UNION SELECT $2', 'SELECT $1) UNION SELECT $2'],
    ["ALTER ROLE app PASSWORD 'secret'", 'ALTER …'],
    ["create user app password 'secret'", 'CREATE …'],
    ["EXPLAIN SELECT 'secret'", 'EXPLAIN …'],
    ["DO $$ BEGIN PERFORM 'secret'; END $$", 'DO …'],
    ["/* SELECT */ ALTER ROLE app PASSWORD 'secret'", 'ALTER …'],
    ["selection 'secret'", 'SELECTION …'],
    ["'secret'", 'a command …'],
    ['/* never closed', 'a command …'],
    ['<insufficient privilege>', 'not shown: the role lacks pg_read_all_stats'],
    ['', 'not shown: the role lacks pg_read_all_stats'],
    [long, `${long.slice(0, 199)}…`],
    [`SELECT '${'💧'.repeat(300)}'`, `SELECT '${'💧'.repeat(191)}…`],
  ];
  for (const [text, shown] of cases) assert.equal(shownText(text), shown);
});
