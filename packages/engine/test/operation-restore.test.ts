// Restores to each kind of target, and everything that a restore refuses to do.
//
// One history serves all: a backup, then commits one after the other with their moments noted, then an idle end.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { flipBit, freePort, type LabCluster, truncateFile } from '@spillway/lab';
import type { BackupSummary } from '../src/format/manifest.ts';
import type { PlannedRestore, PlanOptions } from '../src/operation/restore/plan.ts';
import type { RecoveryTarget } from '../src/operation/restore/target.ts';
import { segmentName, segmentSize } from '../src/postgres/lsn.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage, type Restored, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

interface Commit {
  readonly row: string;
  readonly xid: string;
  /** With microseconds, as PostgreSQL prints it in UTC. */
  readonly at: string;
  /** Where the record of the commit ends. */
  readonly end: string;
}

describe('a restore', () => {
  let stage: Stage;
  let backup: BackupSummary;
  let last: BackupSummary;
  let endOfWal: string;
  let beforeAll: Date;
  const commits: Commit[] = [];

  before(async () => {
    beforeAll = new Date();
    stage = await makeStage({ settings: { track_commit_timestamp: 'on', max_connections: '31' } });
    await stage.cluster.query("CREATE TABLE event (row text); INSERT INTO event VALUES ('base')");
    const receiving = stage.receive();
    // What made it a standby once must not make the restored one wait for a primary.
    await writeFile(join(stage.cluster.dataDirectory, 'standby.signal'), '');
    backup = await stage.backup();
    await rm(join(stage.cluster.dataDirectory, 'standby.signal'));
    const client = await stage.cluster.connect();
    await client.query("SET TimeZone = 'UTC'");
    for (const row of ['a', 'b', 'c', 'd']) {
      const [{ xid } = { xid: '' }] = (
        await client.query<{ xid: string }>(
          `INSERT INTO event VALUES ('${row}') RETURNING pg_current_xact_id()::text AS xid`,
        )
      ).rows;
      const [{ at, end } = { at: '', end: '' }] = (
        await client.query<{ at: string; end: string }>(
          `SELECT pg_xact_commit_timestamp('${xid}'::xid)::text AS at, pg_current_wal_lsn()::text AS end`,
        )
      ).rows;
      commits.push({ row, xid, at, end });
      if (row === 'b') await client.query("SELECT pg_create_restore_point('between')");
      if (row === 'c') last = await stage.backup({ type: 'incremental' });
    }
    await client.end();
    endOfWal = await stage.caughtUp(receiving);
    await receiving.stop();
  });
  afterEach(() => stage.rest());
  after(() => stage[Symbol.asyncDispose]());

  const commit = (row: string): Commit => {
    const found = commits.find((each) => each.row === row);
    if (found === undefined) throw new Error(`no row ${row}`);
    return found;
  };
  const time = (text: string): RecoveryTarget => ({
    kind: 'time',
    at: new Date(text.replace(' ', 'T').replace(/\+00$/, 'Z')),
    text,
  });
  /** Microseconds later, or earlier. */
  const shifted = (text: string, by: number): string => {
    const [, head = '', fraction = ''] = /^(.*?)(?:\.(\d+))?\+00$/.exec(text) ?? [];
    const micros =
      BigInt(Date.parse(`${head.replace(' ', 'T')}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0')) + BigInt(by);
    return `${new Date(Number(micros / 1_000_000n) * 1000).toISOString().slice(0, 19).replace('T', ' ')}.${String(micros % 1_000_000n).padStart(6, '0')}+00`;
  };
  const rows = async ({ cluster }: Restored): Promise<string> =>
    (await cluster.query<{ row: string }>('SELECT row FROM event ORDER BY row')).map(({ row }) => row).join(' ');

  const reached: readonly (readonly [name: string, options: () => Partial<PlanOptions>, rows: string])[] = [
    ['the end of WAL', () => ({}), 'a b base c d'],
    ['the end of the backup', () => ({ target: { kind: 'immediate' }, backupId: backup.id }), 'base'],
    ['the moment of a commit, to the microsecond', () => ({ target: time(commit('b').at) }), 'a b base'],
    ['a microsecond before a commit', () => ({ target: time(shifted(commit('b').at, -1)) }), 'a base'],
    ['the moment of a commit, exclusive', () => ({ target: time(commit('b').at), exclusive: true }), 'a base'],
    ['the moment of the last commit', () => ({ target: time(commit('d').at) }), 'a b base c d'],
    [
      'the moment of the last commit, exclusive',
      () => ({ target: time(commit('d').at), exclusive: true }),
      'a b base c',
    ],
    ['a position', () => ({ target: { kind: 'lsn', lsn: commit('a').end } }), 'a base'],
    ['the end of WAL as a position', () => ({ target: { kind: 'lsn', lsn: endOfWal } }), 'a b base c d'],
    ['a transaction', () => ({ target: { kind: 'xid', xid: commit('b').xid } }), 'a b base'],
    ['a transaction, exclusive', () => ({ target: { kind: 'xid', xid: commit('b').xid }, exclusive: true }), 'a base'],
    ['a named point', () => ({ target: { kind: 'name', name: 'between' } }), 'a b base'],
    [
      'a target after the second backup from the first',
      () => ({ target: { kind: 'xid', xid: commit('d').xid }, backupId: backup.id }),
      'a b base c d',
    ],
  ];
  for (const [name, options, expected] of reached) {
    test(`brings back ${name}`, async () => {
      const restored = await stage.restore(options());
      assert.equal(await rows(restored), expected);
      await restored.cluster.query("INSERT INTO event VALUES ('after')");
      await restored.cluster.destroy();
    });
  }

  test('to a target between two backups takes the backup before it', async () => {
    assert.equal((await stage.plan({ target: { kind: 'lsn', lsn: commit('b').end } })).plan.backup.id, backup.id);
    assert.equal((await stage.plan({ target: { kind: 'xid', xid: commit('d').xid } })).plan.backup.id, last.id);
    assert.equal((await stage.plan()).plan.backup.id, last.id);
  });

  const unreachable: readonly (readonly [name: string, options: () => Partial<PlanOptions>])[] = [
    [
      'a time before the first backup',
      () => ({ target: time(`${beforeAll.toISOString().slice(0, 23).replace('T', ' ')}+00`) }),
    ],
    ['a time that has not come', () => ({ target: time('2199-01-01 00:00:00+00') })],
    ['a position before the end of the first backup', () => ({ target: { kind: 'lsn', lsn: backup.start_lsn } })],
    ['a position beyond the end of WAL', () => ({ target: { kind: 'lsn', lsn: 'FF/0' } })],
    ['a transaction that never was', () => ({ target: { kind: 'xid', xid: '4000000' } })],
    [
      'a transaction that ended before the backup',
      () => ({ target: { kind: 'xid', xid: commit('a').xid }, backupId: last.id }),
    ],
    ['a name that was never given', () => ({ target: { kind: 'name', name: 'betwee' } })],
    ['a timeline that is not there', () => ({ timeline: 2 })],
    ['a time before the named backup', () => ({ target: time(commit('a').at), backupId: last.id })],
    ['a cluster without backups', () => ({ cluster: 'other' })],
  ];
  for (const [name, options] of unreachable) {
    test(`refuses ${name}, and writes nothing`, async () => {
      const targetDirectory = stage.place();
      await assert.rejects(stage.plan({ ...options(), targetDirectory }), (error) => {
        assert.ok(isSpillwayError(error, 'SPW_TARGET_UNREACHABLE'), String(error));
        assert.ok((error.why ?? '') !== '');
        return true;
      });
      assert.equal(existsSync(targetDirectory), false);
    });
  }

  test('refuses a folder that is not empty, and one in which a server runs', async () => {
    const used = stage.place();
    await mkdir(used);
    await writeFile(join(used, 'mine'), 'mine');
    await assert.rejects(stage.plan({ targetDirectory: used }), { code: 'SPW_FOLDER_NOT_EMPTY', why: /mine/ });
    await assert.rejects(stage.plan({ targetDirectory: stage.cluster.dataDirectory }), { code: 'SPW_SERVER_RUNNING' });
    await stage.cluster.query("INSERT INTO event VALUES ('still here'); DELETE FROM event WHERE row = 'still here'");
    // Filled between plan and restore.
    const targetDirectory = stage.place();
    const planned = await stage.plan({ targetDirectory });
    await mkdir(targetDirectory);
    await writeFile(join(targetDirectory, 'mine'), 'mine');
    await assert.rejects(stage.lay(planned), { code: 'SPW_FOLDER_NOT_EMPTY' });
    assert.deepEqual(await readdir(targetDirectory), ['mine']);
  });

  test('lays down the label as it was, the settings of the recovery, and no signal or label of before', async () => {
    const planned = await stage.plan({ target: { kind: 'lsn', lsn: commit('b').end }, exclusive: true });
    const { directory } = planned.plan;
    await stage.lay(planned, 'exit 200');
    const manifest = await readManifest(stage.repository, stage.name, backup.id);
    assert.equal(await readFile(join(directory, 'backup_label'), 'utf8'), manifest.head.backup_label);
    assert.equal(await readFile(join(directory, 'recovery.signal'), 'utf8'), '');
    const settings = await readFile(join(directory, 'postgresql.auto.conf'), 'utf8');
    assert.match(settings, new RegExp(`^recovery_target_lsn = '${commit('b').end}'$`, 'm'));
    for (const line of [
      "recovery_target_inclusive = 'false'",
      "recovery_target_timeline = '1'",
      "archive_mode = 'off'",
    ])
      assert.ok(settings.includes(line), settings);
    for (const name of ['postmaster.pid', 'tablespace_map', 'standby.signal'])
      assert.equal(existsSync(join(directory, name)), false);
    for (const entry of manifest.entries) {
      if (entry.kind === 'link' || entry.path === 'standby.signal') continue;
      assert.ok(existsSync(join(directory, entry.path)), entry.path);
    }
  });

  test('into a folder whose parents are not there makes them so that the server can get in', async () => {
    const umask = process.umask(0o077);
    const restored = await stage.restore({ targetDirectory: join(stage.place(), 'deep', 'down') }).finally(() => {
      process.umask(umask);
    });
    assert.equal(await rows(restored), 'a b base c d');
    await restored.cluster.destroy();
  });

  test('below a folder that the server could not pass is refused where it is to be started, and else noted', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('only root restores what another account runs');
    const closed = stage.place();
    await mkdir(closed, { mode: 0o700 });
    const targetDirectory = join(closed, 'deep', 'down');
    await assert.rejects(stage.plan({ targetDirectory, toStart: true }), (error) => {
      assert.ok(isSpillwayError(error, 'SPW_FOLDER_CLOSED'), String(error));
      assert.ok(error.why?.includes(`cannot enter ${closed} (mode 0700`), error.why);
      return true;
    });
    assert.deepEqual(await readdir(closed), []);
    const noted = ({ plan }: PlannedRestore): boolean =>
      plan.notes.some((note) => note.includes(`chmod o+x ${closed}`));
    assert.equal(noted(await stage.plan({ targetDirectory })), true);
    // pg_wal too must be reached.
    const walDirectory = join(closed, 'wal');
    await assert.rejects(stage.plan({ walDirectory, toStart: true }), { code: 'SPW_FOLDER_CLOSED' });
    await chmod(closed, 0o711);
    assert.equal(noted(await stage.plan({ targetDirectory, toStart: true })), false);
  });

  test('is started by hand as well, and asks for all WAL by itself', async () => {
    const planned = await stage.plan();
    const { directory } = planned.plan;
    await stage.lay(planned, await stage.fetchCommand(directory, 2));
    const cluster = await stage.adopt(directory, await freePort());
    stage.fetched.length = 0;
    await cluster.start();
    await writable(cluster);
    assert.deepEqual(
      (await cluster.query<{ row: string }>('SELECT row FROM event ORDER BY row')).map(({ row }) => row).join(' '),
      'a b base c d',
    );
    assert.ok(
      stage.fetched.some((line) => /^[0-9A-F]{24} 0$/.test(line)),
      stage.fetched.join(),
    );
    assert.ok(stage.fetched.includes('00000002.history 1'));
    assert.deepEqual(
      stage.fetched.filter((line) => !/ [01]$/.test(line)),
      [],
    );

    // It still has the folder and the settings of its recovery: that must stop neither its backup nor the restore of that.
    const receiving = stage.receive({ from: cluster });
    await cluster.query("INSERT INTO event VALUES ('e')");
    const own = await stage.backup({ cluster: { name: stage.name, connection: cluster.connection } });
    await stage.caughtUp(receiving, cluster);
    await receiving.stop();
    const second = await stage.restore();
    assert.equal(second.planned.plan.backup.id, own.id);
    assert.equal(await rows(second), 'a b base c d e');
    await second.cluster.destroy();
    await cluster.destroy();
  });

  describe('from a damaged repository', () => {
    /** Pack files, with those that only the last backup needs at the end. */
    const packs = async (): Promise<readonly string[]> => {
      const folder = join(stage.repositoryPath, 'packs');
      const names = await readdir(folder, { recursive: true, withFileTypes: true });
      return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    };

    test('with a bit flipped in a pack ends with its name, and leaves nothing that starts', async () => {
      const all = await packs();
      const sizes = await Promise.all(all.map(async (path) => ({ path, bytes: (await readFile(path)).length })));
      const largest = sizes.toSorted((a, b) => b.bytes - a.bytes)[0]?.path ?? '';
      await flipBit(largest, 5000);
      const targetDirectory = stage.place();
      // To its own end: what follows may have a gap where the server of the test before removed WAL before it was received.
      const planned = await stage.plan({ targetDirectory, backupId: backup.id, target: { kind: 'immediate' } });
      await assert.rejects(stage.lay(planned), { code: 'SPW_OBJECT_DAMAGED' });
      await flipBit(largest, 5000);
      assert.ok(existsSync(targetDirectory));
      assert.equal(existsSync(join(targetDirectory, 'global/pg_control')), false);
    });

    test('with a pack that is gone or cut short takes the older backup, and says so; with none left it is an error', async () => {
      const known = new Set(await packs());
      await stage.cluster.query('CREATE TABLE more AS SELECT md5(n::text) AS filler FROM generate_series(1, 20000) n');
      const receiving = stage.receive({ from: stage.cluster });
      const newer = await stage.backup({ type: 'incremental' });
      await stage.caughtUp(receiving);
      await receiving.stop();
      const own = (await packs()).filter((path) => !known.has(path));
      assert.ok(own.length > 0);
      assert.equal((await stage.plan({ timeline: 1 })).plan.backup.id, newer.id);
      for (const path of own) await truncateFile(path, 100);
      const { plan } = await stage.plan({ timeline: 1 });
      assert.notEqual(plan.backup.id, newer.id);
      assert.ok(
        plan.notes.some((note) => note.includes(newer.id)),
        plan.notes.join('\n'),
      );
      const aside = `${join(stage.repositoryPath, 'packs')}-aside`;
      await rename(join(stage.repositoryPath, 'packs'), aside);
      await assert.rejects(stage.plan({ timeline: 1 }), (error) =>
        isSpillwayError(error, 'SPW_OBJECT_MISSING', 'SPW_OBJECT_DAMAGED'),
      );
      await rename(aside, join(stage.repositoryPath, 'packs'));
    });

    test('with WAL missing between backup and target refuses all that lies behind, and names the gap', async () => {
      const wal = join(stage.repositoryPath, 'clusters', stage.name, 'wal');
      const segment = (await readdir(wal, { recursive: true, withFileTypes: true })).filter(
        (entry) => entry.isFile() && entry.parentPath.endsWith('00000001'),
      );
      // The one that holds `d`, which no backup reaches without it.
      const planned = await stage.plan({ timeline: 1, target: { kind: 'xid', xid: commit('d').xid } });
      const [, second] = planned.way.steps;
      assert.ok(second !== undefined);
      const wanted = segmentName(second.timeline, second.start, segmentSize(backup.wal_segment_bytes));
      const missing = segment.find(({ name }) => name === wanted);
      assert.ok(missing !== undefined);
      const path = join(missing.parentPath, missing.name);
      const content = await readFile(path);
      await rm(path);
      await assert.rejects(stage.plan({ timeline: 1, backupId: last.id }), {
        code: 'SPW_TARGET_UNREACHABLE',
        why: /WAL is missing/,
      });
      await writeFile(path, content);
      await stage.plan({ timeline: 1, backupId: last.id });
    });
  });
});

async function writable(cluster: LabCluster): Promise<void> {
  await waitFor('the end of recovery', async () => {
    const [row] = await cluster.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    return row?.recovering === false;
  });
}
