// What a restored server does at its target, and as a standby of a primary that runs.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { amcheck, differences, fingerprint, freePort, type LabCluster } from '@spillway/lab';
import { startRestored } from '../src/operation/restore/start.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

describe('a restored server', () => {
  let stage: Stage;
  let target: string;
  let xid: string;

  before(async () => {
    stage = await makeStage({ settings: { max_connections: '31' } });
    const { cluster } = stage;
    await cluster.query("CREATE TABLE event (row text); INSERT INTO event VALUES ('base')");
    const receiving = stage.receive();
    await stage.backup();
    const [row] = await cluster.query<{ xid: string }>(
      "INSERT INTO event VALUES ('a') RETURNING pg_current_xact_id()::text AS xid",
    );
    xid = row?.xid ?? '';
    const [at] = await cluster.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    target = at?.lsn ?? '';
    await cluster.query("INSERT INTO event VALUES ('b')");
    await stage.caughtUp(receiving);
    await receiving.stop();
  });
  afterEach(() => stage.rest());
  after(() => stage[Symbol.asyncDispose]());

  const rows = async (cluster: LabCluster): Promise<string> =>
    (await cluster.query<{ row: string }>('SELECT row FROM event ORDER BY row')).map(({ row }) => row).join(' ');
  const autoConf = async (directory: string): Promise<string> =>
    readFile(join(directory, 'postgresql.auto.conf'), 'utf8');

  test('pauses at its target, can be looked at, and goes on when told', async () => {
    const planned = await stage.plan({ target: { kind: 'xid', xid }, action: 'pause' });
    await stage.lay(planned);
    const { cluster, recovery } = await stage.start(planned);
    assert.equal(recovery.state, 'paused');
    assert.equal(await rows(cluster), 'a base');
    await assert.rejects(cluster.query("INSERT INTO event VALUES ('no')"), /read-only/);
    await cluster.query('SELECT pg_wal_replay_resume()');
    await waitFor('the end of recovery', async () => {
      const [row] = await cluster.query<{ over: boolean }>('SELECT NOT pg_is_in_recovery() AS over');
      return row?.over === true;
    });
    await cluster.query("INSERT INTO event VALUES ('after')");
    assert.equal(await rows(cluster), 'a after base');
    await cluster.destroy();
  });

  test('shuts down at its target, which is success', async () => {
    const planned = await stage.plan({ target: { kind: 'lsn', lsn: target }, action: 'shutdown' });
    await stage.lay(planned);
    const { cluster, recovery } = await stage.start(planned);
    assert.deepEqual([recovery.state, recovery.pid, cluster.running], ['shut down', null, false]);
    assert.match(await autoConf(planned.plan.directory), /^recovery_target_action = 'shutdown'$/m);
    await cluster.destroy();
  });

  test('can neither pause nor shut down at the end of WAL, and a standby has no target', async () => {
    for (const action of ['pause', 'shutdown'] as const) {
      await assert.rejects(stage.plan({ action }), { code: 'SPW_USAGE', why: /the end of WAL is no target/ });
    }
    const standby = { primary: undefined, slot: undefined };
    await assert.rejects(stage.plan({ target: { kind: 'xid', xid }, standby }), { code: 'SPW_USAGE' });
    for (const primary of ['host=a password=b', "host=a\tpassword = 'b'", 'postgresql://user:secret@host/db']) {
      await assert.rejects(stage.plan({ standby: { ...standby, primary } }), { code: 'SPW_USAGE', why: /clear text/ });
    }
  });

  test('starts isolated: only this machine reaches it, and it reaches nothing', async () => {
    const planned = await stage.plan();
    await stage.lay(planned);
    const { directory } = planned.plan;
    await appendFile(join(directory, 'postgresql.conf'), "\nshared_preload_libraries = 'not_there'\n");
    const port = await freePort();
    await startRestored({
      planned,
      connection: stage.cluster.connection,
      binDirectory: stage.cluster.installation.binDirectory,
      port,
      isolated: true,
      logFile: `${directory}.log`,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    const cluster = await stage.adopt(directory, port);
    const [settings] = await cluster.query<{ listen: string; archive: string; subscriptions: string; jobs: string }>(
      `SELECT current_setting('listen_addresses') AS listen, current_setting('archive_mode') AS archive,
              current_setting('max_logical_replication_workers') AS subscriptions,
              current_setting('cron.launch_active_jobs', true) AS jobs`,
    );
    assert.deepEqual(settings, { listen: '127.0.0.1', archive: 'off', subscriptions: '0', jobs: 'off' });
    await cluster.destroy();
  });

  test('follows its primary as a standby: it catches up from the repository, then streams', async () => {
    const { cluster: primary } = stage;
    await primary.query("SELECT pg_create_physical_replication_slot('follower')");
    const { host, port, user, password } = primary.connection;
    const passfile = join(stage.folder, 'passfile');
    const planned = await stage.plan({
      standby: {
        primary: `host=${host} port=${port} user=${user} passfile='${passfile}' application_name=follower`,
        slot: 'follower',
      },
    });
    assert.equal(planned.plan.signal_file, 'standby.signal');
    assert.equal(planned.plan.lasting_settings['archive_mode'], undefined);
    await stage.lay(planned);
    await writeFile(passfile, `*:*:*:*:${password}\n`, { mode: 0o600 });
    const { uid, gid } = await stat(planned.plan.directory);
    await chown(passfile, uid, gid);
    await primary.query("INSERT INTO event VALUES ('before')");
    const { cluster, recovery } = await stage.start(planned);
    assert.deepEqual([recovery.state, recovery.streaming], ['standby', true]);
    const [sender] = await primary.query<{ name: string }>(
      "SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming'",
    );
    assert.equal(sender?.name, 'follower');
    await primary.query("INSERT INTO event VALUES ('streamed')");
    await waitFor('the row to arrive', async () => (await rows(cluster)).includes('streamed'));
    assert.deepEqual(differences(await fingerprint(primary.connection), await fingerprint(cluster.connection)), []);
    assert.ok(existsSync(join(planned.plan.directory, 'standby.signal')));
    assert.match(await autoConf(planned.plan.directory), /^restore_command = /m);
    // Promoted, it is a whole cluster, and still has its restore_command for whatever comes.
    await cluster.query('SELECT pg_promote()');
    assert.equal((await amcheck(cluster)).ok, true);
    await cluster.destroy();
    await primary.query("SELECT pg_drop_replication_slot('follower')");
  });
});
