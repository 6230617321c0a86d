// Base backups over a session of real servers: the facts, the start and stop, and what makes one void.

import assert from 'node:assert/strict';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { openBaseBackup, readServer, toldDataDirectory } from '../src/postgres/basebackup.ts';
import type { Session } from '../src/postgres/connection.ts';
import { majors, makeCluster, type Throwaway, waitFor } from './throwaway.ts';

for (const major of majors) {
  describe(`PostgreSQL ${major}`, () => {
    let cluster: Throwaway;
    let watcher: Session;

    before(async () => {
      cluster = await makeCluster({ major, initdb: ['--wal-segsize=2'] });
      await cluster.start();
      watcher = await cluster.session();
    });

    after(async () => {
      await watcher[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    });

    test('the facts of the server are read', async () => {
      const space = join(cluster.folder, 'space');
      await mkdir(space);
      if (cluster.account !== undefined) await chown(space, cluster.account.uid, cluster.account.gid);
      await watcher.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
      const facts = await readServer(watcher);
      const [row] = await watcher.query<{ id: string; oid: number }>(
        `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS id,
           (SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere') AS oid`,
      );
      assert.equal(facts.major, major);
      assert.equal(Math.floor(facts.versionNumber / 10_000), major);
      assert.equal(facts.dataDirectory, cluster.dataDirectory);
      assert.equal(facts.systemIdentifier, row?.id);
      assert.deepEqual(facts.tablespaces, [{ oid: row?.oid, location: space }]);
      assert.deepEqual(
        [facts.inRecovery, facts.timeline, facts.walSegmentSize, facts.blockSize, facts.dataChecksums],
        [false, 1, 2 * 1024 * 1024, 8192, true],
      );
      assert.deepEqual(
        [facts.walLevel, facts.fullPageWrites, facts.maxWalSenders, facts.archiveMode],
        ['replica', true, 10, 'off'],
      );
    });

    test('a primary may have full_page_writes off, and a role that may not see the folder is told what to grant', async () => {
      await watcher.query('ALTER SYSTEM SET full_page_writes = off');
      await watcher.query('SELECT pg_reload_conf()');
      await waitFor('the setting', async () => {
        const [row] = await watcher.query<{ value: string }>("SELECT current_setting('full_page_writes') AS value");
        return row?.value === 'off';
      });
      assert.equal((await readServer(watcher)).fullPageWrites, false);
      await watcher.query('ALTER SYSTEM RESET full_page_writes');
      await watcher.query('SELECT pg_reload_conf()');
      await watcher.query('CREATE ROLE small LOGIN');
      await waitFor('the setting', async () => {
        const [row] = await watcher.query<{ value: string }>("SELECT current_setting('full_page_writes') AS value");
        return row?.value === 'on';
      });
      await watcher.query('SET ROLE small');
      // Only who reads beside the data directory has to know where it is.
      const seen = await readServer(watcher);
      await watcher.query('RESET ROLE');
      assert.throws(() => toldDataDirectory(seen, watcher.settings), { code: 'SPW_POSTGRES_DENIED' });
    });

    test('a backup begins and ends, and the label says where', async () => {
      await using session = await cluster.session();
      const backup = openBaseBackup(session);
      const start = await backup.startBackup('a "label"', { fast: true });
      await watcher.query('CREATE TABLE written_meanwhile AS SELECT generate_series(1, 1000)');
      const stop = await backup.stopBackup({ waitForArchive: false });
      assert.equal(stop.startLsn, start.startLsn);
      assert.equal(stop.timeline, start.timeline);
      assert.ok(stop.stopLsn > start.startLsn);
      assert.match(stop.backupLabel, /^LABEL: a "label"$/m);
      assert.match(stop.tablespaceMap, /^\d+ .*\/space\n/);
      assert.equal(backup.voided.aborted, false);
      await assert.rejects(backup.stopBackup({ waitForArchive: false }), { code: 'SPW_INTERNAL' });
    });

    test('a session that is lost makes the backup void, and says so at once', async () => {
      await using session = await cluster.session();
      const backup = openBaseBackup(session);
      await backup.startBackup('lost', { fast: true });
      const aborted = new Promise((resolve) => backup.voided.addEventListener('abort', resolve, { once: true }));
      const ended = await watcher.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%pg_backup_start%'",
      );
      assert.equal(ended.length, 1);
      await aborted;
      assert.ok(isSpillwayError(backup.voided.reason, 'SPW_BACKUP_VOID'));
      await assert.rejects(backup.stopBackup({ waitForArchive: false }), { code: 'SPW_BACKUP_VOID' });
    });

    test('a stop that is cancelled leaves a void backup, and the server forgets it', async () => {
      await using session = await cluster.session();
      const backup = openBaseBackup(session);
      await backup.startBackup('cancelled', { fast: true });
      const signal = AbortSignal.abort(new Error('enough'));
      await assert.rejects(backup.stopBackup({ waitForArchive: false, signal }), /enough/);
      await assert.rejects(backup.stopBackup({ waitForArchive: false }), { code: 'SPW_BACKUP_VOID' });
    });

    test('a standby that is promoted during its backup makes it void', async () => {
      await watcher[Symbol.asyncDispose]();
      await cluster.stop();
      await cluster.makeStandby();
      await cluster.start();
      watcher = await cluster.session();
      const facts = await readServer(watcher);
      assert.deepEqual([facts.inRecovery, facts.timeline, facts.fullPageWrites], [true, 1, true]);
      await using session = await cluster.session();
      const backup = openBaseBackup(session);
      await backup.startBackup('promoted', { fast: true });
      await watcher.query('SELECT pg_promote()');
      await assert.rejects(backup.stopBackup({ waitForArchive: false }), (error) => {
        assert.ok(isSpillwayError(error, 'SPW_BACKUP_VOID'));
        assert.match(String(error.cause), /SPW|could not/);
        return true;
      });
      assert.equal((await readServer(watcher)).timeline, 2);
    });
  });
}
