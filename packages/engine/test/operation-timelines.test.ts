// Timelines: a restored server goes on under the same name, and what was, and what is, can both be brought back.

import assert from 'node:assert/strict';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { LabCluster } from '@spillway/lab';
import { recoveryWindow } from '../src/operation/backups.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const rows = async (cluster: LabCluster): Promise<readonly string[]> =>
  (await cluster.query<{ text: string }>('SELECT text FROM note ORDER BY text')).map(({ text }) => text);

describe('a cluster that was brought back to an earlier moment', () => {
  let stage: Stage;
  let first: LabCluster;
  let second: LabCluster;
  let forkedAt: string;

  before(async () => {
    stage = await makeStage();
    first = stage.cluster;
    const receiving = stage.receive();
    await first.query("CREATE TABLE note (text text); INSERT INTO note VALUES ('1 before the backup')");
    await stage.backup();
    await first.query("INSERT INTO note VALUES ('2 before the fork')");
    await first.query("SELECT pg_create_restore_point('fork')");
    // Much more than will be written on the new timeline, over several segments.
    await first.query(
      "INSERT INTO note VALUES ('3 given up'); CREATE TABLE ballast AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 5000) n",
    );
    await stage.caughtUp(receiving);
    await receiving.stop();

    ({ cluster: second } = await stage.restore({ target: { kind: 'name', name: 'fork' } }));
    [forkedAt = ''] = (await second.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at')).map(
      ({ at }) => at,
    );
  });
  after(() => stage[Symbol.asyncDispose]());

  test('its WAL is received on the new timeline, whose history is stored', async () => {
    const receiving = stage.receive({ from: second });
    await second.query("INSERT INTO note VALUES ('4 after the fork')");
    await stage.caughtUp(receiving, second);
    assert.equal(receiving.position()?.timeline, 2);
    await receiving.stop();
    const { timelines } = await checkWal({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual(
      timelines.map(({ timeline }) => timeline),
      [1, 2],
    );
  });

  test('the WAL that was given up is no gap on the way to the new timeline', async () => {
    const report = await checkWal({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual(report.gaps, []);
    const window = await recoveryWindow({ repository: stage.repository, cluster: stage.name });
    assert.equal(window.latest_timeline, 2);
    assert.deepEqual(window.gaps, []);
  });

  test('the latest moment is that of the new timeline, through both', async () => {
    const { cluster, planned, recovery } = await stage.restore();
    assert.equal(planned.plan.timeline, 2);
    assert.equal(recovery.timeline, 3);
    assert.deepEqual(await rows(cluster), ['1 before the backup', '2 before the fork', '4 after the fork']);
    await cluster.destroy();
  });

  test('the old timeline is had by asking for it', async () => {
    const { cluster, planned, recovery } = await stage.restore({ timeline: 1 });
    assert.equal(planned.plan.timeline, 1);
    // Timeline 2 is taken: the history files that were laid ready say so.
    assert.equal(recovery.timeline, 3);
    assert.deepEqual(await rows(cluster), ['1 before the backup', '2 before the fork', '3 given up']);
    await cluster.destroy();
  });

  test('a new timeline of which only the history is stored is passed over, and that is said', async () => {
    const wal = join(stage.repositoryPath, 'clusters', stage.name, 'wal');
    const objects = (await readdir(wal, { recursive: true })).filter(
      (name) => name.includes('00000002/') && !name.endsWith('.history'),
    );
    assert.ok(objects.length > 0);
    for (const [i, name] of objects.entries()) await rename(join(wal, name), join(stage.folder, `aside-${i}`));
    const { plan } = await stage.plan();
    for (const [i, name] of objects.entries()) await rename(join(stage.folder, `aside-${i}`), join(wal, name));
    assert.equal(plan.timeline, 1);
    assert.ok(
      plan.notes.some((note) => note.startsWith('Timeline 2 is newer')),
      plan.notes.join('\n'),
    );
  });

  test('a timeline that is not there is refused before anything is written', async () => {
    const targetDirectory = stage.place();
    await assert.rejects(stage.plan({ timeline: 7, targetDirectory }), {
      code: 'SPW_TARGET_UNREACHABLE',
      why: /timeline 7/,
    });
  });

  test('a second server of the same timeline number is refused', async () => {
    const planned = await stage.plan({ timeline: 1, target: { kind: 'immediate' } });
    // Its recovery learns of no other timeline, so it chooses the number of the one that is there.
    const without = {
      ...planned,
      wal: { ...planned.wal, catalog: { ...planned.wal.catalog, histories: new Set<never>() } },
    };
    await stage.lay(without);
    const { cluster: rival, recovery } = await stage.start(without);
    assert.equal(recovery.timeline, 2);
    const receiving = stage.receive({ from: rival });
    await assert.rejects(receiving.ended, { code: 'SPW_WAL_CONFLICT' });
    await rival.destroy();
  });

  test('backups go on on the new timeline and are restored from there', async () => {
    const { timeline, start_lsn } = await stage.backup({
      cluster: { name: stage.name, connection: second.connection },
      type: 'incremental',
    });
    assert.equal(timeline, 2);
    assert.ok(start_lsn !== forkedAt);
    const { cluster, planned } = await stage.restore();
    assert.deepEqual([planned.plan.timeline, planned.plan.backup.timeline], [2, 2]);
    assert.deepEqual(await rows(cluster), ['1 before the backup', '2 before the fork', '4 after the fork']);
    await cluster.destroy();
  });

  test('a receiver that was away during the promotion follows the switch, and keeps what came before it', async () => {
    const receiving = stage.receive({ from: second });
    await second.query("INSERT INTO note VALUES ('5 on the second')");
    await stage.caughtUp(receiving, second);
    await receiving.stop();
    const { cluster: third } = await stage.restore();
    const next = stage.receive({ from: third });
    await third.query("INSERT INTO note VALUES ('6 on the third')");
    await stage.caughtUp(next, third);
    await waitFor('timeline 3', () => next.position()?.timeline === 3);
    await next.stop();
    const { cluster, planned } = await stage.restore();
    assert.equal(planned.plan.timeline, 3);
    assert.deepEqual((await rows(cluster)).slice(-3), ['4 after the fork', '5 on the second', '6 on the third']);
    await cluster.destroy();
  });
});
