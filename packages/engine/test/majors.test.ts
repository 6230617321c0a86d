// The same odd cluster on every PostgreSQL major that is here: tablespace, unlogged table, prepared transaction, large
// object, a second database. Backed up while written to, its WAL received, brought back to a moment and to the end.
//
// One story a major, because a server's start and its recovery are what takes the time. Restores put the tablespace
// where it was, so the source is stopped and its tablespace emptied first.

import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkRelations, differences, fingerprint, giveTo, type LabCluster, listInstallations } from '@spillway/lab';
import type { RecoveryTarget } from '../src/operation/restore/target.ts';
import { makeStage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const majors = [...new Set((await listInstallations()).map(({ major }) => major))].filter((major) => major >= 15);

test('there are majors to test on, the oldest and the newest among them', () => {
  assert.ok(majors.includes(15) && majors.includes(18), `found ${majors.join(', ')}`);
});

for (const major of majors) {
  test(`PostgreSQL ${major}: an odd cluster comes back as it was, at a moment and at the end`, async () => {
    await using stage = await makeStage({ major, settings: { max_prepared_transactions: '4' } });
    const { cluster } = stage;
    const space = join(stage.folder, 'space');
    const emptySpace = async (): Promise<void> => {
      await rm(space, { recursive: true, force: true });
      await mkdir(space);
      await giveTo(cluster.account, space);
    };
    await emptySpace();
    await cluster.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
    await cluster.query('CREATE DATABASE second');
    await cluster.query(
      `CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, filler text);
       INSERT INTO account SELECT n, 0, repeat('x', 80) FROM generate_series(1, 5000) n;
       CREATE TABLE away TABLESPACE elsewhere AS SELECT n, md5(n::text) AS text FROM generate_series(1, 2000) n;
       CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 1000) AS n;
       CREATE INDEX ON fleeting (n);
       SELECT lo_from_bytea(424242, 'the first large object')`,
    );
    await cluster.query('CREATE TABLE other AS SELECT generate_series(1, 500) AS n', [], 'second');

    const receiving = stage.receive();
    const writer = startWriter(cluster);
    await writer.wrote(20);
    const full = await stage.backup();
    await writer.wrote(20);
    await writer.stop();
    await cluster.query("BEGIN; INSERT INTO account VALUES (900001, 1, 'promised'); PREPARE TRANSACTION 'promise'");
    await cluster.query("SELECT lo_put(424242, 4, 'other')");
    const incremental = await stage.backup({ type: 'incremental' });
    assert.deepEqual([full.damaged_pages, incremental.damaged_pages], [[], []]);
    assert.equal(Math.floor(incremental.postgres_version / 10_000), major);

    await cluster.query('UPDATE away SET text = upper(text) WHERE n <= 100');
    const atMoment = await stateOf(cluster);
    const [moment] = await cluster.query<{ text: string }>(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00' AS text",
    );
    await cluster.query('DELETE FROM away WHERE n > 1000');
    await cluster.query('INSERT INTO other SELECT generate_series(501, 600)', [], 'second');
    await cluster.query("SELECT lo_put(424242, 0, 'THE')");
    const atEnd = await stateOf(cluster);
    await stage.caughtUp(receiving);
    await receiving.stop();
    await cluster.stop();

    const text = moment?.text ?? '';
    const goals: readonly (readonly [RecoveryTarget, State])[] = [
      [{ kind: 'time', at: new Date(text), text }, atMoment],
      [{ kind: 'latest' }, atEnd],
    ];
    for (const [target, wanted] of goals) {
      await emptySpace();
      const { cluster: restored, planned } = await stage.restore({ target });
      assert.equal(planned.plan.backup.id, incremental.id);
      const found = await stateOf(restored);
      assert.deepEqual(differences(wanted.tables, found.tables), [], target.kind);
      assert.equal(found.largeObject, wanted.largeObject);
      assert.deepEqual(await restored.query('SELECT count(*)::int AS n FROM fleeting'), [{ n: 0 }]);
      assert.deepEqual(await restored.query('SELECT gid FROM pg_prepared_xacts'), [{ gid: 'promise' }]);
      await restored.query("COMMIT PREPARED 'promise'");
      assert.deepEqual(await restored.query('SELECT filler FROM account WHERE id = 900001'), [{ filler: 'promised' }]);
      const { ran, ok, output } = await checkRelations(restored);
      assert.ok(ran && ok, output);
      await restored.destroy();
    }
    assert.notEqual(atMoment.largeObject, atEnd.largeObject);
    assert.deepEqual(differences(atMoment.tables, atEnd.tables), ['postgres.public.away', 'second.public.other']);
  });
}

interface State {
  readonly tables: Awaited<ReturnType<typeof fingerprint>>;
  readonly largeObject: string;
}

async function stateOf(cluster: LabCluster): Promise<State> {
  const [row] = await cluster.query<{ bytes: string }>("SELECT convert_from(lo_get(424242), 'UTF8') AS bytes");
  return { tables: await fingerprint(cluster.connection), largeObject: row?.bytes ?? '' };
}

interface Writer {
  wrote(count: number): Promise<void>;
  stop(): Promise<void>;
}

function startWriter(cluster: LabCluster): Writer {
  let done = 0;
  let failure: unknown;
  const halt = new AbortController();
  const write = async (): Promise<void> => {
    const session = await cluster.connect();
    try {
      for (; !halt.signal.aborted; done++) {
        await session.query(
          `UPDATE account SET balance = balance + 1, filler = md5('${done}') WHERE id = ${(done * 7919) % 5000} + 1;
           UPDATE fleeting SET n = n + 1 WHERE n = ${done % 1000}`,
        );
      }
    } finally {
      await session.end();
    }
  };
  const running = write();
  running.catch((error: unknown) => {
    failure = error;
  });
  return {
    async wrote(count) {
      const wanted = done + count;
      await waitFor('transactions', () => {
        if (failure !== undefined) throw failure;
        return done >= wanted;
      });
    },
    async stop() {
      halt.abort();
      await running;
    },
  };
}
