// What a real server says of its statements: without the library, with it and no extension, and with both.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionSettings } from '@spillway/engine';
import { startCluster } from '@spillway/lab';
import { probeServer } from '../src/health/probe.ts';

const signal = AbortSignal.timeout(120_000);

test('the statements that take most are told once a minute, without literals, and what is missing in words', async () => {
  await using plain = await startCluster();
  const bare = await probeServer(plain.connection, signal);
  assert.equal(bare.figures?.inRecovery, false);
  assert.match(bare.statements?.missing ?? '', /not loaded.*a restart, and CREATE EXTENSION/);
  assert.deepEqual(bare.statements?.top, []);

  await using cluster = await startCluster({ settings: { shared_preload_libraries: 'pg_stat_statements' } });
  const { connection } = cluster;
  const loaded = await probeServer(connection, signal);
  assert.match(loaded.statements?.missing ?? '', /loaded, and not installed/);

  await cluster.query('CREATE SCHEMA "Odd one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd one"');
  await cluster.query(`SELECT pg_sleep(0.2), 'a secret' AS "${'wide '.repeat(12)}"`);
  await cluster.query(`DO $$ BEGIN PERFORM pg_sleep(0.3), 'another secret'; END $$`);
  for (let n = 0; n < 3; n++) await cluster.query(`SELECT count(*) FROM pg_class WHERE oid > ${n}`);
  await cluster.query(`CREATE ROLE reader LOGIN PASSWORD 'a secret of his'`);

  const known = await probeServer(connection, signal, loaded.statements);
  assert.equal(known.statements, loaded.statements, 'it is not asked again within the minute');
  const { statements } = await probeServer(connection, signal);
  assert.ok(statements !== undefined);
  assert.equal(statements.missing, null);
  assert.ok(statements.since instanceof Date);
  const { top } = statements;
  assert.equal(top.length, 5);
  assert.doesNotMatch(JSON.stringify(top), /secret/);
  const [first, second] = top;
  assert.deepEqual([first?.query, first?.database], ['DO …', 'postgres']);
  assert.match(second?.query ?? '', /^SELECT pg_sleep\(\$1\), \$2 AS "wide/);
  assert.ok((second?.meanMs ?? 0) >= 200 && (second?.maxMs ?? 0) >= 200 && second?.calls === 1, JSON.stringify(second));
  for (const [n, each] of top.entries()) {
    assert.ok(each.totalMs <= (top[n - 1]?.totalMs ?? Infinity) && each.calls > 0 && each.maxMs >= each.meanMs);
  }

  // A role that may see no texts of others still sees times; one that may not use the schema is told so.
  const as: ConnectionSettings = { ...connection, user: 'reader', password: 'a secret of his' };
  const refused = await probeServer(as, signal);
  assert.equal(refused.problem, null);
  assert.match(refused.statements?.missing ?? '', /GRANT USAGE ON SCHEMA "Odd one" TO reader/);
  await cluster.query('GRANT USAGE ON SCHEMA "Odd one" TO reader');
  const little = await probeServer(as, signal);
  assert.match(little.statements?.top[0]?.query ?? '', /pg_read_all_stats/);
});
