// The core story on real servers: backed up while written to, WAL received, restored, and equal to its source.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { amcheck, differences, fingerprint, type LabCluster, listInstallations } from '@spillway/lab';
import { parseLsn } from '../src/postgres/lsn.ts';
import { makeStage, type Receiving, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const all = [...new Set((await listInstallations()).map(({ major }) => major))];
/** The newest and the oldest; `majors.test.ts` has a shorter story for each of them. */
const majors = all.filter((major) => major === Math.max(...all) || major === Math.min(...all));

for (const major of majors) {
  describe(`PostgreSQL ${major}`, () => {
    let stage: Stage;
    let receiving: Receiving;

    before(async () => {
      stage = await makeStage({ major });
      await stage.cluster.query(
        `CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, filler text);
         INSERT INTO account SELECT n, 0, repeat('x', 80) FROM generate_series(1, 20000) n;
         CREATE TABLE history (at timestamptz DEFAULT clock_timestamp(), account int, amount int);
         CREATE TABLE note (id serial PRIMARY KEY, text text)`,
      );
      receiving = stage.receive();
    });
    after(() => stage[Symbol.asyncDispose]());

    test('a cluster that is written to all the time is backed up, and restored equal to its source', async () => {
      const writers = startWriters(stage.cluster);
      await writers.wrote(50);
      const full = await stage.backup();
      await writers.wrote(50);
      const incremental = await stage.backup({ type: 'incremental' });
      await writers.wrote(50);
      await writers.stop();
      await stage.caughtUp(receiving);

      assert.deepEqual([full.type, incremental.type], ['full', 'incremental']);
      assert.deepEqual([full.damaged_pages, incremental.damaged_pages], [[], []]);

      const source = await fingerprint(stage.cluster.connection);
      for (const { id } of [full, incremental]) {
        const { cluster, recovery, planned } = await stage.restore({ backupId: id });
        assert.equal(planned.plan.backup.id, id);
        assert.deepEqual(differences(source, await fingerprint(cluster.connection)), []);
        // Recovery ends at the end of a record, before the server's own next position. Reading its tables moved that on:
        // hint bits are WAL where pages have checksums.
        const [now] = await stage.cluster.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
        assert.ok(
          (parseLsn(recovery.recovered_to_lsn ?? '') ?? 0n) <= (parseLsn(now?.lsn ?? '') ?? 0n),
          `${recovery.recovered_to_lsn}`,
        );
        assert.equal(recovery.timeline, 2);
        const { ok, output } = await amcheck(cluster);
        assert.ok(ok, output);
        await cluster.destroy();
      }
    });

    test('the restored server is one: it takes writes, keeps no settings of the recovery, and does not archive', async () => {
      const { cluster } = await stage.restore();
      const [row] = await cluster.query<{ settings: string }>(
        "SELECT pg_read_file('postgresql.auto.conf') AS settings",
      );
      assert.doesNotMatch(row?.settings ?? '', /restore_command|recovery_target/);
      const [mode] = await cluster.query<{ archive_mode: string }>('SHOW archive_mode');
      assert.equal(mode?.archive_mode, 'off');
      await cluster.stop();
      await cluster.start();
      await cluster.query("INSERT INTO note (text) VALUES ('after')");
      await cluster.destroy();
    });
  });
}

interface Writers {
  /** Waits for so many more transactions. */
  wrote(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Two clients that update, insert and delete as pgbench does. */
function startWriters(cluster: LabCluster): Writers {
  let done = 0;
  const halt = new AbortController();
  const write = async (client: number): Promise<void> => {
    const session = await cluster.connect();
    try {
      for (let n = client; !halt.signal.aborted; n += 2, done++) {
        const account = ((n * 7919) % 20_000) + 1;
        await session.query(
          `BEGIN; UPDATE account SET balance = balance + ${n} WHERE id = ${account};
           INSERT INTO history (account, amount) VALUES (${account}, ${n});
           INSERT INTO note (text) SELECT repeat(md5('${n}'), 40) FROM generate_series(1, 5);
           DELETE FROM note WHERE id = ${n}; END`,
        );
      }
    } finally {
      await session.end();
    }
  };
  const running = Promise.all([write(0), write(1)]);
  running.catch(() => undefined);
  return {
    wrote: async (count) => {
      const wanted = done + count;
      await waitFor('transactions', () => done >= wanted);
    },
    stop: async () => {
      halt.abort();
      await running;
    },
  };
}
