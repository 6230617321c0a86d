// The control file and the pages of real clusters of each major that is here.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseControlFile } from '../src/postgres/control.ts';
import { formatLsn } from '../src/postgres/lsn.ts';
import { relationFile } from '../src/postgres/exclusion.ts';
import { verifyPages } from '../src/postgres/page.ts';
import { majors, makeCluster, type Throwaway } from './throwaway.ts';

for (const major of majors) {
  describe(`PostgreSQL ${major}`, () => {
    let cluster: Throwaway;

    before(async () => {
      cluster = await makeCluster({ major, initdb: ['--wal-segsize=4'], configuration: { wal_level: 'logical' } });
      await cluster.start();
      await using session = await cluster.session();
      await session.query('CREATE TABLE filled AS SELECT n, md5(n::text) FROM generate_series(1, 50000) AS n');
      await session.query('CREATE INDEX ON filled (n)');
      await session.query('VACUUM filled');
      await session.query('CHECKPOINT');
    });

    after(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    const controlFile = (): Promise<Buffer> => readFile(join(cluster.dataDirectory, 'global', 'pg_control'));

    test('the control file says what the server says', async () => {
      await using session = await cluster.session();
      const control = parseControlFile(await controlFile());
      const [row] = await session.query<Record<string, unknown>>(
        `SELECT system_identifier::text, pg_control_version, catalog_version_no, checkpoint_lsn::text, redo_lsn::text,
           timeline_id, prev_timeline_id, full_page_writes, next_xid, checkpoint_time, max_data_alignment,
           database_block_size, blocks_per_segment, wal_block_size, bytes_per_wal_segment, data_page_checksum_version
         FROM pg_control_system(), pg_control_checkpoint(), pg_control_init()`,
      );
      assert.deepEqual(
        {
          system_identifier: control.systemIdentifier,
          pg_control_version: control.pgControlVersion,
          catalog_version_no: control.catalogVersion,
          checkpoint_lsn: formatLsn(control.checkPoint),
          redo_lsn: formatLsn(control.redo),
          timeline_id: control.timeline,
          prev_timeline_id: control.previousTimeline,
          full_page_writes: control.fullPageWrites,
          next_xid: `${control.nextXid >> 32n}:${control.nextXid & 0xffffffffn}`,
          checkpoint_time: control.checkPointAt,
          max_data_alignment: 8,
          database_block_size: control.blockSize,
          blocks_per_segment: control.relationSegmentBlocks,
          wal_block_size: control.walBlockSize,
          bytes_per_wal_segment: control.walSegmentSize,
          data_page_checksum_version: control.dataChecksumVersion,
        },
        { ...row },
      );
      assert.equal(control.walSegmentSize, 4 * 1024 * 1024);
      assert.equal(control.state, 'in production');
      assert.equal(control.walLevel, 'logical');
      const settings = await session.query<{ name: string; setting: string }>(
        "SELECT name, setting FROM pg_settings WHERE name LIKE 'max\\_%'",
      );
      const setting = (name: string): number => Number(settings.find((each) => each.name === name)?.setting);
      assert.equal(control.maxConnections, setting('max_connections'));
      assert.equal(control.maxWorkerProcesses, setting('max_worker_processes'));
      assert.equal(control.maxWalSenders, setting('max_wal_senders'));
      assert.equal(control.maxPreparedTransactions, setting('max_prepared_transactions'));
      assert.equal(control.maxLocksPerTransaction, setting('max_locks_per_transaction'));
    });

    test('a control file that is torn, cut or of another version is refused', async () => {
      const whole = await controlFile();
      for (const at of [0, 16, 100, 255, 280]) {
        const torn = Buffer.from(whole);
        torn.writeUInt8(torn.readUInt8(at) ^ 1, at);
        assert.throws(
          () => parseControlFile(torn),
          { code: 'SPW_DATA_DIRECTORY', why: /torn or damaged/ },
          `byte ${at}`,
        );
      }
      const old = Buffer.from(whole);
      old.writeUInt32LE(1201, 8);
      assert.throws(() => parseControlFile(old), { code: 'SPW_DATA_DIRECTORY', why: /version 1201/ });
      assert.throws(() => parseControlFile(whole.subarray(0, 200)), { code: 'SPW_DATA_DIRECTORY' });
    });

    test('every page of the cluster has the checksum that is computed, and a flipped bit is found in any of them', async () => {
      let pages = 0;
      let flipped = 0;
      let missed = 0;
      const { relationSegmentBlocks } = parseControlFile(await controlFile());
      for (const path of await filesBelow(cluster.dataDirectory)) {
        const relation = relationFile(path);
        if (relation === undefined) continue;
        const bytes = await readFile(join(cluster.dataDirectory, path));
        const firstBlock = relation.segment * relationSegmentBlocks;
        const checked = verifyPages(bytes, firstBlock, (block) =>
          assert.fail(`page ${block} of ${path} is called damaged`),
        );
        assert.equal(checked * 8192, bytes.length);
        if (checked === 0 || pages % 10 !== 0) {
          pages += checked;
          continue;
        }
        // Each field of the head, then a place in the middle and the end.
        for (const at of [0, 4, 8, 10, 12, 14, 16, 18, 20, 24, 4000, 8191]) {
          bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
          const found: number[] = [];
          verifyPages(bytes, firstBlock, (block) => found.push(block));
          if (found.length === 0) missed++;
          else assert.deepEqual(found, [firstBlock], `a flipped bit at ${at} of ${path}`);
          flipped++;
          bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
        }
        pages += checked;
      }
      assert.ok(pages > 1000, `only ${pages} pages were seen`);
      // A sum of 16 bits is the same by chance once in 65,535 times.
      assert.ok(flipped > 500 && missed <= 2, `${missed} of ${flipped} flipped bits were not found`);
    });

    // The program comes with the machine's PostgreSQL, and not with the embedded one: for that there is no such test.
    if (major === 15)
      test('pg_controldata prints the same', async () => {
        const { stdout } = await promisify(execFile)(
          join(cluster.binDirectory, 'pg_controldata'),
          [cluster.dataDirectory],
          {
            env: { LC_ALL: 'C', TZ: 'UTC' },
          },
        );
        const printed = new Map(
          stdout.split('\n').map((line) => [line.split(':')[0], line.slice(line.indexOf(':') + 1).trim()]),
        );
        const control = parseControlFile(await controlFile());
        assert.equal(printed.get('Database system identifier'), control.systemIdentifier);
        assert.equal(printed.get('Database cluster state'), control.state);
        assert.equal(
          new Date(`${printed.get('pg_control last modified')} UTC`).getTime(),
          control.modifiedAt.getTime(),
        );
        assert.equal(printed.get('Latest checkpoint location'), formatLsn(control.checkPoint));
        assert.equal(printed.get('Minimum recovery ending location'), formatLsn(control.minRecoveryPoint));
        assert.equal(printed.get("Min recovery ending loc's timeline"), String(control.minRecoveryTimeline));
        assert.equal(printed.get('Backup start location'), formatLsn(control.backupStart));
        assert.equal(printed.get('Backup end location'), formatLsn(control.backupEnd));
        assert.equal(printed.get('End-of-backup record required'), control.backupEndRequired ? 'yes' : 'no');
        assert.equal(printed.get('wal_level setting'), control.walLevel);
        assert.equal(printed.get('wal_log_hints setting'), control.walLogHints ? 'on' : 'off');
        assert.equal(printed.get('max_connections setting'), String(control.maxConnections));
      });
  });
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
