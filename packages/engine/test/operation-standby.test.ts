// Backups taken from a standby, beside its data directory, while its primary goes on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { amcheck, differences, fingerprint, freePort, type LabCluster } from '@spillway/lab';
import { listBackups } from '../src/operation/backups.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

describe('a backup taken from a standby', () => {
  let stage: Stage;
  let standby: LabCluster;

  before(async () => {
    stage = await makeStage({ settings: { wal_keep_size: '256MB' } });
    await stage.cluster.query(
      'CREATE TABLE note AS SELECT n, repeat(md5(n::text), 20) AS filler FROM generate_series(1, 8000) n',
    );
    await stage.backup();
    standby = await startStandby(stage);
  });
  after(() => stage[Symbol.asyncDispose]());

  const fromStandby = () => ({ cluster: { name: stage.name, connection: standby.connection } });

  /** Until the standby has replayed what its primary has written. */
  const caughtUp = async (): Promise<void> => {
    const [row] = await stage.cluster.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    await waitFor(`the standby to replay ${row?.lsn}`, async () => {
      const [there] = await standby.query<{ done: boolean }>('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done', [
        row?.lsn,
      ]);
      return there?.done === true;
    });
  };

  test('receives its own WAL from it, needs no switch of a segment, and restores to the primary', async () => {
    await stage.cluster.query('UPDATE note SET filler = filler || n WHERE n % 7 = 0; CHECKPOINT');
    await caughtUp();
    const summary = await stage.backup(fromStandby());
    assert.deepEqual([summary.taken_from, summary.source, summary.type], ['standby', 'local', 'full']);
    const { head } = await readManifest(stage.repository, stage.name, summary.id);
    assert.match(head.backup_label, /^BACKUP FROM: standby$/m);
    assert.deepEqual(await standby.query('SELECT slot_name FROM pg_replication_slots'), []);
    // Nothing was written on the primary since: its end is the backup's.
    const { cluster } = await stage.restore({ backupId: summary.id });
    assert.deepEqual(
      differences(await fingerprint(stage.cluster.connection), await fingerprint(cluster.connection)),
      [],
    );
    const inspection = await amcheck(cluster);
    assert.ok(inspection.ok, inspection.output);
    await cluster.destroy();
  });

  test('while the primary is written to, with a receiver on the primary, restores and passes amcheck', async () => {
    const receiving = stage.receive();
    const enough = new AbortController();
    const writer = (async () => {
      for (let n = 0; !enough.signal.aborted; n++) {
        await stage.cluster.query(`UPDATE note SET filler = md5(random()::text) WHERE n % 50 = ${n % 50}`);
        if (n % 5 === 0) await stage.cluster.query('CHECKPOINT');
      }
    })();
    const summary = await stage.backup(fromStandby()).finally(() => enough.abort());
    await writer;
    await stage.caughtUp(receiving);
    await receiving.stop();
    const { cluster } = await stage.restore({ backupId: summary.id });
    assert.deepEqual(
      differences(await fingerprint(stage.cluster.connection), await fingerprint(cluster.connection)),
      [],
    );
    const inspection = await amcheck(cluster);
    assert.ok(inspection.ok, inspection.output);
    await cluster.destroy();
  });

  test('that is incremental takes over what the last one of the same standby has', async () => {
    await caughtUp();
    const summary = await stage.backup({ ...fromStandby(), type: 'incremental' });
    assert.equal(summary.type, 'incremental');
    const { cluster } = await stage.restore({ backupId: summary.id });
    assert.deepEqual(
      differences(await fingerprint(stage.cluster.connection), await fingerprint(cluster.connection)),
      [],
    );
    await cluster.destroy();
  });

  test('is void when the standby is promoted meanwhile, and says so', async () => {
    const listed = (await listBackups({ repository: stage.repository, cluster: stage.name })).length;
    let isPromoted = false;
    const promotedMeanwhile = stage.backup({
      ...fromStandby(),
      workers: 1,
      report: (event) => {
        if (isPromoted || event.type !== 'progress' || event.phase !== 'copying files') return;
        isPromoted = true;
        // Synchronous: the backup goes on only when the standby is one no more.
        const { account, installation, dataDirectory } = standby;
        execFileSync(join(installation.binDirectory, 'pg_ctl'), ['promote', '-w', '-D', dataDirectory], {
          cwd: dataDirectory,
          stdio: 'ignore',
          ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
        });
      },
    });
    await assert.rejects(promotedMeanwhile, { code: 'SPW_BACKUP_VOID', why: /promoted/ });
    assert.equal((await listBackups({ repository: stage.repository, cluster: stage.name })).length, listed);
  });
});

/** From the newest backup; it streams from the stage's cluster. */
async function startStandby(stage: Stage): Promise<LabCluster> {
  const planned = await stage.plan({ standby: { primary: undefined, slot: undefined } });
  await stage.lay(planned);
  const { directory } = planned.plan;
  const { host, port, user, password } = stage.cluster.connection;
  await appendFile(
    join(directory, 'postgresql.auto.conf'),
    `primary_conninfo = 'host=${host} port=${port} user=${user} password=${password}'\nhot_standby = on\nrestore_command = ''\n`,
  );
  const standby = await stage.adopt(directory, await freePort());
  await standby.start();
  return standby;
}
