// A receiver through a promotion: from a standby that becomes the primary under it, to another address, and from one that was promoted while it
// was away and has not all of the old timeline.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LabCluster } from '@spillway/lab';
import { checkWal } from '../src/operation/wal/check.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import type { Repository } from '../src/repository/repository.ts';
import { installationForStandbys, makeStandby } from './make-standby.ts';
import { makeRepository, makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const installation = await installationForStandbys();

if (installation !== undefined)
  describe('a receiver through a promotion', () => {
    let stage: Stage;
    let standby: LabCluster;
    let late: Repository;

    before(async () => {
      stage = await makeStage({ installation, settings: { max_wal_size: '3MB', min_wal_size: '2MB' } });
      const { cluster, repository } = stage;
      await cluster.query('CREATE TABLE note (text text)');
      // A second repository, whose receiver stops long before the promotion.
      late = await makeRepository(stage.folder);
      stage.repository = late;
      await stage.backup();
      const receiving = stage.receive();
      await cluster.query("INSERT INTO note VALUES ('early')");
      await stage.caughtUp(receiving);
      await receiving.stop();
      await cluster.query('SELECT pg_drop_replication_slot($1)', [stage.slot]);
      for (let i = 0; i < 6; i++) {
        await cluster.query('INSERT INTO note SELECT repeat(md5(n::text), 30) FROM generate_series(1, 1000) n');
        await cluster.query('SELECT pg_switch_wal()');
      }
      await cluster.query('CHECKPOINT');
      stage.repository = repository;
      standby = await makeStandby(stage);
      await stage.backup();
    });
    after(async () => {
      await stage[Symbol.asyncDispose]();
    });

    test('from a standby it goes on under it when the standby is promoted', async () => {
      const receiving = stage.receive({ from: standby });
      await stage.cluster.query("INSERT INTO note VALUES ('on the old primary')");
      const [row] = await stage.cluster.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at');
      const wanted = parseLsn(row?.at ?? '') ?? 0n;
      await waitFor(
        'WAL by way of the standby',
        () => (parseLsn(receiving.position()?.durable_lsn ?? '') ?? 0n) >= wanted,
      );
      await stage.cluster.stop('fast');
      await standby.query('SELECT pg_promote()');
      await standby.query("INSERT INTO note VALUES ('on the new primary')");
      await stage.caughtUp(receiving, standby);
      assert.equal(receiving.position()?.timeline, 2);
      await receiving.stop();
      // The first address is that of the old primary, which is down, and then back on its old timeline.
      const others = { otherAddresses: [standby.connection] };
      for (const what of ['down', 'back']) {
        if (what === 'back') await stage.cluster.start();
        const following = stage.receive(others);
        await standby.query(`INSERT INTO note VALUES ('the old one is ${what}')`);
        await stage.caughtUp(following, standby);
        assert.equal(following.position()?.timeline, 2);
        await following.stop();
      }
      const { gaps, timelines, data } = await checkWal({
        repository: stage.repository,
        cluster: stage.name,
        data: true,
      });
      assert.deepEqual([gaps, data?.damaged], [[], []]);
      assert.deepEqual(
        timelines.map(({ timeline }) => timeline),
        [1, 2],
      );
    });

    test('that was away finds out that WAL before the switch is missing, and says why', async () => {
      const kept = stage.repository;
      stage.repository = late;
      try {
        await standby.query('SELECT pg_drop_replication_slot($1)', [stage.slot]);
        const receiving = stage.receive({ from: standby });
        await standby.query("INSERT INTO note VALUES ('much later')");
        await stage.caughtUp(receiving, standby);
        const told = receiving.events.filter((event) => event.type === 'notice' && event.level === 'warning');
        assert.match(JSON.stringify(told), /WAL is missing.*promoted to timeline 2/);
        await receiving.stop();
        const { gaps } = await checkWal({ repository: late, cluster: stage.name });
        assert.equal(gaps.length, 1);
        assert.equal(gaps[0]?.cause, 'promoted-before-received');
      } finally {
        stage.repository = kept;
      }
    });
  });
