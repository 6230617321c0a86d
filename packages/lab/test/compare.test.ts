// Fingerprints tell equal data from different data; amcheck tells a sound cluster from a damaged one.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  amcheck,
  differences,
  fingerprint,
  flipBit,
  installationWithTools,
  listInstallations,
  startCluster,
} from '../src/index.ts';

test('a fingerprint depends on rows and their values, not on their order, in every database', async () => {
  await using cluster = await startCluster();
  await cluster.query('CREATE DATABASE other');
  await cluster.query(
    `CREATE TABLE a (n int, t text); CREATE TABLE b (n int, t text);
     INSERT INTO a SELECT n, n::text FROM generate_series(1, 100) n;
     INSERT INTO b SELECT n, n::text FROM generate_series(100, 1, -1) n;
     CREATE UNLOGGED TABLE fleeting (n int)`,
  );
  await cluster.query(
    'CREATE TABLE c (n int) PARTITION BY RANGE (n); CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (9)',
    [],
    'other',
  );
  const before = await fingerprint(cluster.connection);
  assert.deepEqual([...before.keys()].toSorted(), ['other.public.c1', 'postgres.public.a', 'postgres.public.b']);
  assert.equal(before.get('postgres.public.a'), before.get('postgres.public.b'));
  assert.deepEqual(differences(before, await fingerprint(cluster.connection)), []);

  await cluster.query("UPDATE a SET t = 'x' WHERE n = 50");
  await cluster.query('INSERT INTO c VALUES (1)', [], 'other');
  const after = await fingerprint(cluster.connection);
  assert.deepEqual(differences(before, after), ['other.public.c1', 'postgres.public.a']);
  await cluster.query("UPDATE a SET t = '50' WHERE n = 50");
  assert.deepEqual(differences(before, await fingerprint(cluster.connection)), ['other.public.c1']);
  await cluster.query('UPDATE b SET n = NULL, t = NULL WHERE n = 1; DROP TABLE a');
  assert.deepEqual(differences(before, await fingerprint(cluster.connection)), [
    'other.public.c1',
    'postgres.public.a',
    'postgres.public.b',
  ]);
});

for (const installation of await listInstallations()) {
  test(`amcheck passes on a sound ${installation.version} cluster and fails on one with a flipped bit`, async () => {
    await using cluster = await startCluster({ installation });
    await cluster.query(
      'CREATE TABLE t (n int PRIMARY KEY, t text); INSERT INTO t SELECT n, n::text FROM generate_series(1, 20000) n',
    );
    const sound = await amcheck(cluster);
    assert.deepEqual({ ran: sound.ran, ok: sound.ok }, { ran: true, ok: true }, sound.output);
    assert.equal(
      /pg_checksums: none/.test(sound.output),
      (await installationWithTools(installation.major)) === undefined,
    );

    const [file] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('t_pkey') AS path");
    assert.ok(file !== undefined);
    await cluster.stop();
    await flipBit(join(cluster.dataDirectory, file.path), 3 * 8192 + 4000);
    await cluster.start();
    const damaged = await amcheck(cluster);
    assert.equal(damaged.ok, false, damaged.output);
  });
}
