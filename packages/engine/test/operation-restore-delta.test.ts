// Restores in place, unfinished restores gone on with, and roots that go elsewhere.
//
// One cluster with a tablespace, a link of a user, zeros and several databases serves all; it stands beside its restores, so
// each of them must move the tablespace.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  chown,
  cp,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { amcheck, differences, fingerprint, type Fingerprint, flipBit, type LabCluster } from '@spillway/lab';
import type { BackupSummary } from '../src/format/manifest.ts';
import { parseTablespaceMap } from '../src/operation/restore/layout.ts';
import { FINISHING_MARKER } from '../src/operation/restore/fetch-script.ts';
import { KEPT_WAL_FOLDER } from '../src/operation/restore/kept-wal.ts';
import { MARKER_FILE } from '../src/operation/restore/marker.ts';
import type { PlanOptions, PlannedRestore } from '../src/operation/restore/plan.ts';
import { restore, type RestoreSummary } from '../src/operation/restore/lay.ts';
import { manifestName } from '../src/format/names.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { Repository } from '../src/repository/repository.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { processFile } from './process-file.ts';
import type { RestoreEnd, RestoreOrder } from './restore-process.ts';

describe('a restore in place', () => {
  let stage: Stage;
  let backup: BackupSummary;
  let source: Fingerprint;
  let oid: number;
  let elsewhere: string;

  before(async () => {
    stage = await makeStage({ initdbArguments: ['--allow-group-access'] });
    const { cluster } = stage;
    const { uid, gid } = await stat(cluster.dataDirectory);
    elsewhere = join(stage.folder, 'elsewhere');
    const tablespace = join(stage.folder, 'tablespace with space');
    for (const folder of [elsewhere, tablespace]) {
      await mkdir(folder);
      await chown(folder, uid, gid);
    }
    await writeFile(join(elsewhere, 'extra.conf'), '');
    await writeFile(join(cluster.dataDirectory, 'server.key'), 'secret', { mode: 0o400 });
    await chown(join(cluster.dataDirectory, 'server.key'), uid, gid);
    await symlink(join(elsewhere, 'extra.conf'), join(cluster.dataDirectory, 'extra.conf'));
    await cluster.query(`CREATE TABLESPACE apart LOCATION '${tablespace}'`);
    await cluster.query('CREATE DATABASE big');
    await cluster.query('CREATE TABLE event AS SELECT n, md5(n::text) AS filler FROM generate_series(1, 20000) n');
    await cluster.query('CREATE INDEX ON event (filler)');
    await cluster.query('CREATE TABLE apart_event TABLESPACE apart AS SELECT * FROM event');
    await cluster.query(
      'CREATE TABLE filler AS SELECT md5((n * 7)::text) AS row FROM generate_series(1, 120000) n',
      [],
      'big',
    );
    const [row] = await cluster.query<{ oid: number }>("SELECT oid::int FROM pg_tablespace WHERE spcname = 'apart'");
    oid = row?.oid ?? 0;
    const receiving = stage.receive();
    backup = await stage.backup();
    await cluster.query('UPDATE event SET filler = md5(filler) WHERE n % 3 = 0; DELETE FROM apart_event WHERE n < 100');
    await stage.caughtUp(receiving);
    await receiving.stop();
    source = await fingerprint(cluster.connection);
  });
  afterEach(() => stage.rest());
  after(() => stage[Symbol.asyncDispose]());

  const options = (directory: string, more: Partial<PlanOptions> = {}): Partial<PlanOptions> => ({
    targetDirectory: directory,
    tablespacesInto: `${directory}.spaces`,
    ...more,
  });
  const lay = async (planned: PlannedRestore, restoreCommand = 'exit 200'): Promise<RestoreSummary> =>
    restore({
      repository: stage.repository,
      planned,
      workers: 2,
      restoreCommand,
      signal: new AbortController().signal,
      report: () => undefined,
    });
  /** Starts what was laid, and compares all of it with the source. */
  const equalsSource = async (planned: PlannedRestore): Promise<LabCluster> => {
    // A folder may be started twice.
    await rm(`${planned.plan.directory}.socket`, { recursive: true, force: true });
    const { cluster } = await stage.start(planned);
    assert.deepEqual(differences(source, await fingerprint(cluster.connection)), []);
    const found = await amcheck(cluster);
    assert.equal(found.ok, true, JSON.stringify(found));
    return cluster;
  };
  const control = (directory: string): string => join(directory, 'global/pg_control');

  test('of what was damaged fetches and writes only what differs, and leaves nothing else', async () => {
    const directory = stage.place();
    const first = await stage.plan(options(directory));
    const whole = await lay(first, await stage.fetchCommand(directory));
    const cluster = await equalsSource(first);
    await cluster.query('DROP TABLE event; CREATE TABLE later AS SELECT 1 AS n');
    await cluster.stop();

    // Every way in which files can differ.
    const manifest = await readManifest(stage.repository, stage.name, backup.id);
    const files = [...manifest.entries].filter((entry) => entry.kind === 'file' && entry.tablespace === undefined);
    const large = files.filter(
      (entry) => entry.path.startsWith('base/') && entry.kind === 'file' && entry.bytes > 100_000,
    );
    const [one, two, three, four] = large.map(({ path }) => join(directory, path));
    assert.ok(one !== undefined && two !== undefined && three !== undefined && four !== undefined);
    const readOnly = join(directory, 'server.key');
    await flipBit(one, 5000);
    await truncate(two, 10_000);
    await appendFile(three, 'more');
    await chmod(three, 0o666);
    const other = join(stage.folder, 'second name');
    await rm(four);
    await writeFile(other, 'must stay as it is');
    await link(other, four);
    await writeFile(join(directory, 'base', 'stranger'), '');
    const outside = join(stage.folder, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'mine'), 'mine');
    await symlink(outside, join(directory, 'base', 'link-out'));
    await rm(join(directory, 'pg_multixact'), { recursive: true });
    await symlink(outside, join(directory, 'pg_multixact'));
    await rm(join(directory, 'extra.conf'));
    await writeFile(join(directory, 'pg_wal', '0000000100000000000000FF'), 'old');

    await assert.rejects(stage.plan(options(directory)), { code: 'SPW_FOLDER_NOT_EMPTY', hint: /--delta/ });
    const dry = await stage.plan(options(directory, { delta: true, compare: { workers: 2, report: () => undefined } }));
    assert.ok(existsSync(control(directory)), 'a plan touches nothing');
    assert.equal(dry.plan.mode, 'delta');
    assert.equal(dry.plan.changes?.compared, true);
    assert.ok((dry.plan.changes?.removed ?? 0) >= 5, JSON.stringify(dry.plan.changes));
    assert.ok(
      dry.plan.fetch_bytes < first.plan.fetch_bytes * 0.8,
      `${dry.plan.fetch_bytes} of ${first.plan.fetch_bytes}`,
    );

    const planned = await stage.plan(options(directory, { delta: true }));
    const done = await lay(planned, await stage.fetchCommand(directory));
    // What lies between the chunks of so small a backup is read with them only within bounds: see `stretches.ts`.
    assert.ok(done.fetched_bytes < whole.fetched_bytes * 0.9, `${done.fetched_bytes} of ${whole.fetched_bytes}`);
    // It had gone on to a timeline of its own, of which the repository has nothing.
    const kept = await readdir(join(directory, 'pg_wal', KEPT_WAL_FOLDER));
    assert.ok(
      kept.some((name) => /^00000002[0-9A-F]{16}$/.test(name)) && kept.includes('00000002.history'),
      kept.join(' '),
    );
    assert.ok(dry.plan.notes.some((note) => note.includes(KEPT_WAL_FOLDER)));
    assert.equal(existsSync(join(directory, FINISHING_MARKER)), false);
    assert.equal((await stat(readOnly)).mode & 0o777, 0o400);
    assert.ok(done.written_bytes < whole.written_bytes * 0.8, `${done.written_bytes} of ${whole.written_bytes}`);
    assert.equal(await readFile(other, 'utf8'), 'must stay as it is');
    assert.equal(await readFile(join(outside, 'mine'), 'utf8'), 'mine');
    for (const gone of ['base/stranger', 'base/link-out', 'pg_wal/0000000100000000000000FF', MARKER_FILE]) {
      assert.equal(existsSync(join(directory, gone)), false, gone);
    }
    assert.equal((await stat(three)).mode & 0o777, 0o640);
    assert.equal((await lstat(join(directory, 'pg_multixact'))).isDirectory(), true);
    assert.equal(await readlink(join(directory, 'extra.conf')), join(elsewhere, 'extra.conf'));
    await (await equalsSource(planned)).destroy();
    await rm(`${directory}.spaces`, { recursive: true });
  });

  test('refuses a server that runs, a folder of something else, and another cluster', async () => {
    const running = options(stage.cluster.dataDirectory, { delta: true });
    await assert.rejects(stage.plan(running), { code: 'SPW_SERVER_RUNNING' });
    const foreign = stage.place();
    await mkdir(foreign);
    await writeFile(join(foreign, 'thesis.txt'), 'mine');
    await assert.rejects(stage.plan(options(foreign, { delta: true })), {
      code: 'SPW_FOLDER_NOT_EMPTY',
      why: /no PostgreSQL data directory: it holds thesis\.txt/,
    });
    const another = await makeStage();
    try {
      await another.cluster.stop();
      const there = another.cluster.dataDirectory;
      await assert.rejects(stage.plan(options(there, { delta: true })), { code: 'SPW_SYSTEM_MISMATCH' });
      const { plan } = await stage.plan(options(there, { delta: true, otherSystem: true }));
      assert.equal(plan.mode, 'delta');
    } finally {
      await another[Symbol.asyncDispose]();
    }
    // The source's own tablespace, which its server has in use.
    await assert.rejects(stage.plan({ targetDirectory: stage.place() }), {
      code: 'SPW_FOLDER_NOT_EMPTY',
      why: /not empty/,
    });
  });

  for (const [name, delta] of [
    ['into an empty folder', false],
    ['in place', true],
  ] as const) {
    test(`that is killed again and again ${name} is gone on with, and is whole in the end`, async () => {
      const directory = stage.place();
      const order = (killAt: number): RestoreOrder => ({
        handle: stage.repository.handle,
        cluster: stage.name,
        backupId: backup.id,
        directory,
        delta,
        tablespacesInto: `${directory}.spaces`,
        killAt,
      });
      if (delta) {
        await lay(await stage.plan(options(directory)));
        await flipBit(join(directory, 'base/1/1259'), 100);
        await writeFile(join(directory, 'pg_wal', '0000000100000000000000FF'), 'old');
      }
      const modes: string[] = [];
      // Early, in the midst, and at each of the last steps, between which marker and pg_control change places.
      let reports = 0;
      for (const killAt of [1, 2, 3, 6, -4, -3, -2, -1, 0]) {
        const end = await perform(order(killAt < 0 ? Math.max(1, reports + killAt + 1) : killAt));
        if (end === undefined) {
          assert.equal(existsSync(control(directory)), false, `pg_control after a kill at report ${killAt}`);
        } else {
          assert.equal(end.error, undefined);
          modes.push(end.mode);
          reports = end.reports;
          // Whole before it was to be killed: as if it had been at its very end.
          if (killAt !== 0) await rm(control(directory));
        }
      }
      assert.equal(modes.at(-1), 'resume');
      const planned = await stage.plan(options(directory, { delta: true }));
      await lay(planned, await stage.fetchCommand(directory));
      await (await equalsSource(planned)).destroy();
      await rm(`${directory}.spaces`, { recursive: true });
    });
  }

  test('of an unfinished restore goes on with its backup, and refuses another one', async () => {
    const directory = stage.place();
    const end = await perform({
      handle: stage.repository.handle,
      cluster: stage.name,
      backupId: backup.id,
      directory,
      delta: false,
      tablespacesInto: `${directory}.spaces`,
      killAt: 3,
    });
    assert.equal(end, undefined);
    const receiving = stage.receive();
    const newer = await stage.backup({ type: 'incremental' });
    await stage.caughtUp(receiving);
    await receiving.stop();
    const { plan } = await stage.plan(options(directory));
    assert.deepEqual([plan.mode, plan.backup.id], ['resume', backup.id]);
    assert.ok(
      plan.notes.some((note) => note.includes('is gone on with')),
      plan.notes.join('\n'),
    );
    await assert.rejects(stage.plan(options(directory, { backupId: newer.id })), {
      code: 'SPW_FOLDER_NOT_EMPTY',
      hint: new RegExp(`--backup ${backup.id}`),
    });
    await assert.rejects(stage.plan(options(directory, { cluster: 'other' })), { code: 'SPW_FOLDER_NOT_EMPTY' });
    assert.equal((await stage.plan(options(directory, { backupId: newer.id, delta: true }))).plan.mode, 'resume');
  });

  test('of an unfinished restore whose backup has expired goes on with another one, with delta alone', async () => {
    const directory = stage.place();
    const order = { handle: stage.repository.handle, cluster: stage.name, directory, delta: false };
    await perform({ ...order, backupId: backup.id, tablespacesInto: `${directory}.spaces`, killAt: 3 });
    const receiving = stage.receive();
    const newer = await stage.backup({ type: 'incremental' });
    await stage.caughtUp(receiving);
    await receiving.stop();
    const path = join(stage.folder, 'where-it-expired');
    await cp(stage.repositoryPath, path, { recursive: true });
    const repository = new Repository({ ...stage.repository.handle, location: { kind: 'filesystem', path } });
    await repository.storage.remove(manifestName(stage.name, backup.id));
    await assert.rejects(stage.plan(options(directory, { repository })), {
      code: 'SPW_BACKUP_UNKNOWN',
      why: new RegExp(`${backup.id}, which is not in the repository any more`),
      hint: /--delta/,
    });
    const planned = await stage.plan(options(directory, { repository, delta: true }));
    assert.deepEqual([planned.plan.mode, planned.plan.backup.id], ['resume', newer.id]);
    assert.match(planned.plan.notes.join('\n'), new RegExp(`${backup.id}.* what fits of it is kept`));
    await restore({
      repository,
      planned,
      workers: 2,
      restoreCommand: await stage.fetchCommand(directory),
      signal: new AbortController().signal,
      report: () => undefined,
    });
    await (await equalsSource(planned)).destroy();
  });

  test('puts tablespaces and pg_wal elsewhere, and keeps links, modes and the label', async () => {
    const directory = stage.place();
    const to = `${directory}-moved`;
    const wal = `${directory}-wal`;
    const planned = await stage.plan({
      targetDirectory: directory,
      tablespaces: [{ which: 'apart', to }],
      walDirectory: wal,
    });
    assert.deepEqual(
      planned.plan.tablespaces.map(({ name, path }) => [name, path]),
      [['apart', to]],
    );
    await lay(planned, await stage.fetchCommand(directory));
    const { head } = await readManifest(stage.repository, stage.name, planned.plan.backup.id);
    assert.equal(await readFile(join(directory, 'backup_label'), 'utf8'), head.backup_label);
    const map = parseTablespaceMap(await readFile(join(directory, 'tablespace_map'), 'utf8'));
    assert.deepEqual(map, [{ oid, path: to }]);
    assert.equal(await readlink(join(directory, 'pg_wal')), wal);
    assert.equal((await stat(directory)).mode & 0o777, 0o750);
    const cluster = await equalsSource(planned);
    assert.equal(await readlink(join(directory, 'pg_tblspc', String(oid))), to);
    const [row] = await cluster.query<{ path: string }>(`SELECT pg_tablespace_location(${oid}) AS path`);
    assert.equal(row?.path, to);
    // In place once more: its own roots are known by its links.
    await cluster.stop();
    await writeFile(join(wal, 'notes.txt'), 'mine');
    const again = await stage.plan({
      targetDirectory: directory,
      tablespaces: [{ which: String(oid), to }],
      walDirectory: wal,
      delta: true,
    });
    await lay(again, await stage.fetchCommand(directory));
    assert.equal(await readFile(join(wal, 'notes.txt'), 'utf8'), 'mine');
    assert.ok((await readdir(join(wal, KEPT_WAL_FOLDER))).length > 0);
    await (await equalsSource(again)).destroy();
    for (const folder of [to, wal]) await rm(folder, { recursive: true });
  });

  test('of one database fetches less, replays what was written to the others, and leaves those to be dropped', async () => {
    const receiving = stage.receive();
    const { cluster } = stage;
    // Writes to the database that is left out, while the backup runs and after it.
    const writer = await cluster.connect('big');
    const stopping = new AbortController();
    const writing = (async () => {
      for (let n = 0; !stopping.signal.aborted; n++) {
        await writer.query(`UPDATE filler SET row = md5(row) WHERE ctid = '(${n % 200},1)'`);
      }
    })();
    await stage.backup();
    stopping.abort();
    await writing;
    for (const statement of [
      'UPDATE filler SET row = md5(row)',
      'CREATE INDEX ON filler (row)',
      'VACUUM filler',
      'CHECKPOINT',
      "DELETE FROM filler WHERE row < '5'",
      'VACUUM FULL filler',
    ]) {
      await writer.query(statement);
    }
    await writer.end();
    await stage.caughtUp(receiving);
    await receiving.stop();
    const all = await stage.plan(options(stage.place()));
    const planned = await stage.plan(options(stage.place(), { databases: ['postgres'] }));
    assert.deepEqual(planned.plan.databases?.left_empty, ['big']);
    assert.ok(
      planned.plan.fetch_bytes < all.plan.fetch_bytes * 0.8,
      `${planned.plan.fetch_bytes} of ${all.plan.fetch_bytes}`,
    );
    const done = await lay(planned, await stage.fetchCommand(planned.plan.directory));
    assert.ok(done.fetched_bytes <= planned.plan.fetch_bytes * 1.5);
    const restored = await stage.start(planned);
    const mine = new Map([...source].filter(([table]) => table.startsWith('postgres.')));
    const client = await restored.cluster.connect();
    const { rows } = await client.query<{ n: string }>('SELECT count(*)::text AS n FROM event');
    await client.end();
    assert.equal(rows[0]?.n, '20000');
    await assert.rejects(restored.cluster.connect('big'));
    await restored.cluster.query('DROP DATABASE big');
    assert.deepEqual(differences(mine, await fingerprint(restored.cluster.connection)), []);
    await restored.cluster.destroy();
    await assert.rejects(stage.plan(options(stage.place(), { databases: ['bgi'] })), {
      code: 'SPW_USAGE',
      why: /it has .*big/,
    });
  });
});

/** Undefined where it was killed. */
async function perform(order: RestoreOrder): Promise<RestoreEnd | undefined> {
  const child = fork(processFile(join(import.meta.dirname, 'restore-process.ts')), {
    serialization: 'advanced',
  });
  const { promise, resolve, reject } = Promise.withResolvers<RestoreEnd | undefined>();
  let end: RestoreEnd | undefined;
  child.on('message', (message) => {
    end = message as RestoreEnd;
  });
  child.once('error', reject);
  child.once('exit', (code, signal) => {
    if (signal === 'SIGKILL' || end !== undefined) resolve(end);
    else reject(new Error(`the restore ended with ${code}`));
  });
  child.send(order);
  return promise;
}
