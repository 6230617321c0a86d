// Backups over the replication protocol: restored and equal to their source, alike those that are read beside the data
// directory, from a standby, with the least rights, and what makes them void.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import {
  amcheck,
  differences,
  fingerprint,
  flipBit,
  freePort,
  giveTo,
  type LabCluster,
  listInstallations,
} from '@spillway/lab';
import type { Manifest } from '../src/format/manifest.ts';
import { listBackups } from '../src/operation/backups.ts';
import { checkCluster, type Probe } from '../src/operation/check.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeRepository, makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const run = promisify(execFile);
const installed = new Set((await listInstallations()).map(({ major }) => major));

for (const major of [15, 18].filter((each) => installed.has(each))) {
  describe(`a backup over the replication protocol of PostgreSQL ${major}`, () => {
    let stage: Stage;
    const spaces: string[] = [];

    before(async () => {
      stage = await makeStage({ major });
      for (const name of ['north', 'south']) {
        const space = join(stage.folder, name);
        await mkdir(space);
        await giveTo(stage.cluster.account, space);
        await stage.cluster.query(`CREATE TABLESPACE ${name} LOCATION '${space}'`);
        spaces.push(space);
      }
      await stage.cluster.query(
        `CREATE TABLE quiet AS SELECT n, repeat(md5(n::text), 10) AS filler FROM generate_series(1, 10000) n;
         CREATE TABLE busy (n int PRIMARY KEY, filler text);
         INSERT INTO busy SELECT n, repeat(md5(n::text), 5) FROM generate_series(1, 20000) n;
         CREATE TABLE northern TABLESPACE north AS SELECT n, md5(n::text) AS filler FROM generate_series(1, 10000) n;
         CREATE TABLE southern TABLESPACE south AS SELECT generate_series(1, 1000) AS n;
         CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 1000) AS n`,
      );
    });
    after(() => stage[Symbol.asyncDispose]());

    const pathOf = async (table: string): Promise<string> => {
      const [row] = await stage.cluster.query<{ path: string }>(`SELECT pg_relation_filepath('${table}') AS path`);
      return row?.path ?? '';
    };
    const manifestOf = (id: string): Promise<Manifest> => readManifest(stage.repository, stage.name, id);
    const listed = async (): Promise<number> =>
      (await listBackups({ repository: stage.repository, cluster: stage.name })).length;

    test('holds what one beside the data directory holds, and stores next to nothing again', async () => {
      const { dataDirectory } = stage.cluster;
      const left = ['backup_label.old', 'pg_internal.init.77', 'base/pgsql_tmp77', 'pg_replslot/x', 'base/5/t3_16999'];
      for (const name of left) await writeFile(join(dataDirectory, name), 'x');
      await stage.cluster.query('CHECKPOINT');
      const local = await stage.backup();
      const stream = await stage.backup({ source: 'stream' });
      for (const name of left) await rm(join(dataDirectory, name));
      assert.deepEqual([stream.source, stream.type, stream.damaged_page_count], ['stream', 'full', 0]);
      assert.ok(stream.new_bytes < 200_000, `${stream.new_bytes} new bytes`);
      assert.equal(stream.read_bytes, stream.bytes);
      const [ours, theirs] = [await manifestOf(stream.id), await manifestOf(local.id)];
      const names = ({ entries }: Manifest): readonly string[] =>
        [...entries].map((entry) => {
          const at = 'tablespace' in entry ? `${entry.tablespace}:` : '';
          return entry.kind === 'link' ? entry.path : `${entry.kind} ${at}${entry.path} ${entry.mode} ${entry.uid}`;
        });
      assert.deepEqual(names(ours), names(theirs));
      assert.match(ours.head.backup_label, new RegExp(`LABEL: spillway ${stream.id}\nSTART TIMELINE: 1\n$`));
      assert.equal(ours.head.tablespace_map, theirs.head.tablespace_map);
      assert.deepEqual(stream.tablespaces.map(({ path }) => path).toSorted(), spaces);
      assert.deepEqual(
        stream.tablespaces.map(({ path, bytes }) => `${path} ${bytes}`).toSorted(),
        local.tablespaces.map(({ path, bytes }) => `${path} ${bytes}`).toSorted(),
      );
    });

    test('reads all, whatever was asked for, and lets no incremental one that follows take its times for those of files', async () => {
      const stream = await stage.backup({ source: 'stream', type: 'incremental' });
      assert.equal(stream.type, 'full');
      const files = [...(await manifestOf(stream.id)).entries].filter((entry) => entry.kind === 'file');
      assert.ok(files.every(({ ctime, inode }) => ctime === '0' && inode === '0'));
      const local = await stage.backup({ type: 'incremental' });
      // All but pg_control, which is read apart.
      if (local.unchanged_by !== 'wal-summaries') assert.ok(local.read_bytes >= local.bytes - 8192);
    });

    test('names a page that was damaged on disk by file and block, in a tablespace too', async () => {
      await stage.cluster.query('CHECKPOINT');
      const [quiet, northern] = [await pathOf('quiet'), await pathOf('northern')];
      // In the second chunk of the file, and in the first block.
      const damage: readonly (readonly [string, number])[] = [
        [quiet, 40],
        [northern, 0],
      ];
      const flip = async (): Promise<void> => {
        for (const [file, block] of damage) {
          await flipBit(join(stage.cluster.dataDirectory, file), 8192 * block + 4000);
        }
      };
      await flip();
      const { damaged_pages: damaged } = await stage.backup({ source: 'stream' });
      await flip();
      assert.deepEqual(
        damaged,
        damage.map(([file, block]) => ({ file, block })).toSorted((a, b) => a.file.localeCompare(b.file)),
      );
      assert.deepEqual((await stage.backup({ source: 'stream' })).damaged_pages, []);
    });

    test('needs a user that may replicate and nothing more', async () => {
      await stage.cluster.query(
        `CREATE ROLE copier LOGIN REPLICATION PASSWORD 'copy'; CREATE ROLE stranger LOGIN PASSWORD 'copy'`,
      );
      const as = (user: string) => ({
        cluster: { name: stage.name, connection: { ...stage.cluster.connection, user, password: 'copy' } },
        source: 'stream' as const,
      });
      const listedBefore = await listed();
      await assert.rejects(stage.backup(as('stranger')), (error) => {
        assert.ok(isSpillwayError(error, 'SPW_POSTGRES_DENIED'));
        assert.match(error.hint ?? '', /ALTER ROLE "stranger" REPLICATION/);
        return true;
      });
      assert.equal(await listed(), listedBefore);
      assert.equal((await stage.backup(as('copier'))).damaged_page_count, 0);

      // `check` says the same beforehand, and asks for no files.
      const checked = async (user: string): Promise<readonly Probe[]> =>
        checkCluster({ ...as(user), repository: stage.repository, slot: stage.slot });
      const probe = (probes: readonly Probe[], name: string) => probes.find((each) => each.name === name);
      const [copier, stranger] = [await checked('copier'), await checked('stranger')];
      assert.equal(probe(copier, 'data directory'), undefined);
      assert.equal(probe(copier, 'replication')?.status, 'ok');
      assert.equal(probe(copier, 'pages')?.status, 'warning');
      assert.match(probe(copier, 'pages')?.hint ?? '', /GRANT EXECUTE .* TO "?copier/);
      assert.equal(probe(stranger, 'replication')?.status, 'failed');
      assert.match(probe(stranger, 'replication')?.hint ?? '', /ALTER ROLE "stranger" REPLICATION/);

      // It may not read pages again: what is wrong stays wrong, and is told with the way to mend that.
      await stage.cluster.query('CHECKPOINT');
      const quiet = await pathOf('quiet');
      const events: OperationEvent[] = [];
      await flipBit(join(stage.cluster.dataDirectory, quiet), 4000);
      const { damaged_pages: damaged } = await stage.backup({
        ...as('copier'),
        report: (event) => events.push(event),
      });
      await flipBit(join(stage.cluster.dataDirectory, quiet), 4000);
      assert.deepEqual(damaged, [{ file: quiet, block: 0 }]);
      assert.ok(events.some((event) => event.type === 'notice' && event.message.includes('GRANT EXECUTE')));
    });

    test('whose connection is ended midway is void, not listed, and in nobody’s way', async () => {
      const listedBefore = await listed();
      let asked = false;
      const cut = stage.backup({
        source: 'stream',
        workers: 1,
        report: (event) => {
          if (asked || event.type !== 'progress' || event.phase !== 'copying files') return;
          asked = true;
          void stage.cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE state = 'backup'");
        },
        compressionLevel: 12,
        repository: await makeRepository(stage.folder),
      });
      await assert.rejects(cut, { code: 'SPW_BACKUP_VOID' });
      assert.ok(asked);
      assert.equal(await listed(), listedBefore);
      await waitFor(
        'the server to end the backup',
        async () => (await stage.cluster.query('SELECT 1 FROM pg_stat_progress_basebackup')).length === 0,
      );
      assert.deepEqual(await stage.cluster.query('SELECT slot_name FROM pg_replication_slots'), []);
    });

    test('is stopped when it is told to, and leaves neither a backup nor a session', async () => {
      const listedBefore = await listed();
      const controller = new AbortController();
      const stopped = stage.backup({
        source: 'stream',
        signal: controller.signal,
        report: (event) => {
          if (event.type === 'progress' && event.phase === 'copying files') controller.abort(new Error('told to'));
        },
      });
      await assert.rejects(stopped, /told to/);
      assert.equal(await listed(), listedBefore);
      await waitFor(
        'its sessions to end',
        async () =>
          (await stage.cluster.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'spillway'")).length ===
          0,
      );
    });

    test('made while rows are written is restored equal to its source', async () => {
      const writing = { on: true };
      const writer = (async () => {
        const client = await stage.cluster.connect();
        try {
          for (let n = 0; writing.on; n++) {
            await client.query(
              `UPDATE busy SET filler = repeat(md5(random()::text), 5) WHERE n % 50 = ${n % 50};
               INSERT INTO northern SELECT n, 'more' FROM generate_series(1, 100) n`,
            );
            if (n % 5 === 0) await client.query('CHECKPOINT');
          }
        } finally {
          await client.end();
        }
      })();
      const receiving = stage.receive();
      await stage.caughtUp(receiving);
      const { damaged_pages: damaged } = await stage.backup({ source: 'stream' });
      writing.on = false;
      await writer;
      assert.deepEqual(damaged, []);
      await stage.caughtUp(receiving);
      await receiving.stop();
      const source = await fingerprint(stage.cluster.connection);
      await stage.cluster.stop();
      for (const space of spaces) await rm(space, { recursive: true });
      const { cluster } = await stage.restore();
      assert.deepEqual(differences(source, await fingerprint(cluster.connection)), []);
      assert.ok(source.has('postgres.public.northern') && source.has('postgres.public.southern'));
      assert.deepEqual(await cluster.query('SELECT count(*)::int AS n FROM fleeting'), [{ n: 0 }]);
      const { ok, output } = await amcheck(cluster);
      assert.ok(ok, output);
      await cluster.destroy();
    });
  });
}

describe('a backup over the replication protocol of a standby', () => {
  let stage: Stage;
  let standby: LabCluster;

  before(async () => {
    stage = await makeStage();
    const { cluster } = stage;
    await cluster.query(
      'CREATE TABLE rows AS SELECT n, repeat(md5(n::text), 10) AS filler FROM generate_series(1, 30000) n',
    );
    await cluster.stop();
    const dataDirectory = join(stage.folder, 'standby');
    // With its owner.
    await run('cp', ['-a', cluster.dataDirectory, dataDirectory]);
    const { host, port, user, password } = cluster.connection;
    await appendFile(
      join(dataDirectory, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=${host} port=${port} user=${user} password=${password}'\n`,
    );
    await writeFile(join(dataDirectory, 'standby.signal'), '');
    await giveTo(cluster.account, join(dataDirectory, 'standby.signal'));
    await cluster.start();
    standby = await stage.adopt(dataDirectory, await freePort());
    await standby.start();
    await waitFor(
      'the standby to stream',
      async () => (await cluster.query('SELECT 1 FROM pg_stat_replication')).length > 0,
    );
  });
  after(() => stage[Symbol.asyncDispose]());

  const source = (of: LabCluster) => ({
    cluster: { name: stage.name, connection: of.connection },
    source: 'stream' as const,
  });

  test('is restored with what was committed until it ended', async () => {
    await stage.cluster.query("INSERT INTO rows VALUES (0, 'before'); CHECKPOINT");
    const summary = await stage.backup(source(standby));
    assert.equal(summary.taken_from, 'standby');
    assert.match(
      (await readManifest(stage.repository, stage.name, summary.id)).head.backup_label,
      /BACKUP FROM: standby/,
    );
    const { cluster } = await stage.restore();
    assert.deepEqual(
      differences(await fingerprint(stage.cluster.connection), await fingerprint(cluster.connection)),
      [],
    );
    await cluster.destroy();
  });

  test('is void when the standby is promoted meanwhile, says so, and is not listed', async () => {
    const listed = (await listBackups({ repository: stage.repository, cluster: stage.name })).length;
    let isPromoted = false;
    const promotedMeanwhile = stage.backup({
      ...source(standby),
      workers: 1,
      report: (event) => {
        if (isPromoted || event.type !== 'progress' || event.phase !== 'copying files') return;
        isPromoted = true;
        // Synchronous: nothing more is read until the standby is one no more.
        const { account, installation, dataDirectory } = standby;
        execFileSync(join(installation.binDirectory, 'pg_ctl'), ['promote', '-w', '-D', dataDirectory], {
          cwd: dataDirectory,
          stdio: 'ignore',
          ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
        });
      },
    });
    await assert.rejects(promotedMeanwhile, { code: 'SPW_BACKUP_VOID', why: /promoted/ });
    assert.ok(isPromoted);
    assert.equal((await listBackups({ repository: stage.repository, cluster: stage.name })).length, listed);
    // The server is not in the middle of a backup any more.
    assert.deepEqual(await standby.query('SELECT 1 FROM pg_stat_progress_basebackup'), []);
  });
});
