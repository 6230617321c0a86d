// archive_command on a real server: alone, beside a receiver, checked, refused, and behind.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { flipBit } from '@spillway/lab';
import { admitSystem } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { fetchWal } from '../src/operation/wal/fetch.ts';
import { type PushSummary, pushWal, wasPushed } from '../src/operation/wal/push.ts';
import { segmentSize } from '../src/postgres/lsn.ts';
import type { Repository } from '../src/repository/repository.ts';
import { makeRepository, makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';
import { folderOf } from '../src/storage/port.ts';

const SIZE = segmentSize(1024 * 1024);

describe('a server with archive_command', () => {
  let stage: Stage;
  let repository: Repository;
  const events: OperationEvent[] = [];
  const pushed: (PushSummary | string)[] = [];

  before(async () => {
    stage = await makeStage({ settings: { archive_mode: 'on', archive_command: '' } });
    ({ repository } = stage);
    await stage.cluster.query('CREATE TABLE note (text text)');
    // As the command line does it.
    const command = await stage.fetchCommand(stage.cluster.dataDirectory, 0, async (_, path) => {
      const file = { cluster: stage.name, path: join(stage.cluster.dataDirectory, path) };
      try {
        if (await wasPushed({ ...file, location: repository.location })) pushed.push('ahead');
        else {
          pushed.push(
            await pushWal({
              ...file,
              repository,
              dataDirectory: stage.cluster.dataDirectory,
              report: (event) => events.push(event),
            }),
          );
        }
        return 0;
      } catch (error) {
        if (!isSpillwayError(error)) throw error;
        pushed.push(error.code);
        return error.exitCode;
      }
    });
    await stage.cluster.query(`ALTER SYSTEM SET archive_command = '${command}'`);
    await stage.cluster.query('SELECT pg_reload_conf()');
  });
  afterEach(() => stage.rest());
  after(() => stage[Symbol.asyncDispose]());

  /** Fills some segments; gives the name of the last one. */
  const fill = async (rows = 3000): Promise<string> => {
    await stage.cluster.query(`INSERT INTO note SELECT repeat(md5(n::text), 30) FROM generate_series(1, ${rows}) n`);
    const [row] = await stage.cluster.query<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
    return row?.name ?? '';
  };

  const archiver = async (): Promise<{ archived: string | null; failed: number }> => {
    const [row] = await stage.cluster.query<{ archived: string | null; failed: number }>(
      'SELECT last_archived_wal AS archived, failed_count::int AS failed FROM pg_stat_archiver',
    );
    return row ?? { archived: null, failed: 0 };
  };

  const archivedUpTo = (name: string): Promise<void> =>
    waitFor(`${name} to be archived`, async () => ((await archiver()).archived ?? '') >= name);

  test('is archived, and restored from that WAL alone', async () => {
    await stage.backup();
    await stage.cluster.query("INSERT INTO note VALUES ('after the backup')");
    await archivedUpTo(await fill());
    assert.equal((await archiver()).failed, 0);
    const {
      gaps,
      backups_without_wal: without,
      data,
    } = await checkWal({ repository, cluster: stage.name, data: true });
    assert.deepEqual([gaps, without, data?.damaged], [[], [], []]);
    const { cluster } = await stage.restore();
    const count = 'SELECT count(*)::int AS n, max(text) AS last FROM note';
    assert.deepEqual(await cluster.query(count), await stage.cluster.query(count));
    await cluster.destroy();
  });

  test('keeps the .backup file of a base backup', async () => {
    // As another tool would make one.
    const session = await stage.cluster.connect();
    await session.query("SELECT pg_backup_start('other', true)");
    await session.query('SELECT pg_backup_stop(false)');
    await session.end();
    await archivedUpTo(await fill(10));
    const [row] = await stage.cluster.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    const archive = new WalArchive(repository, stage.name, row?.id ?? '', SIZE);
    const kept: string[] = [];
    for await (const { kind, name } of archive.listBeside()) if (kind === 'walBackup') kept.push(name);
    assert.ok(kept.length >= 1);
    const destination = join(stage.folder, 'backup-file');
    const { dataDirectory } = stage.cluster;
    await fetchWal({ repository, cluster: stage.name, fileName: kept[0] ?? '', destination, dataDirectory });
  });

  test('and a receiver beside it store the same WAL, and neither is in the way of the other', async () => {
    const receiving = stage.receive({ flushIntervalMs: 1 });
    for (let i = 0; i < 4; i++) await fill(2000);
    const last = await fill(2000);
    await stage.caughtUp(receiving);
    await archivedUpTo(last);
    await receiving.stop();
    assert.equal((await archiver()).failed, 0);
    const { gaps, data } = await checkWal({ repository, cluster: stage.name, data: true });
    assert.deepEqual([gaps, data?.damaged], [[], []]);
    assert.ok(pushed.some((each) => typeof each === 'object' && each.outcome === 'there') || pushed.includes('ahead'));
  });

  test('is read to the last record by wal check --data, which names what is damaged', async () => {
    const look = async (from: Repository): Promise<readonly { object: string; why: string }[]> =>
      (await checkWal({ repository: from, cluster: stage.name, data: true })).data?.damaged ?? [];
    const [row] = await stage.cluster.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    const system = { systemIdentifier: row?.id ?? '', segmentBytes: SIZE };
    const archive = new WalArchive(repository, stage.name, system.systemIdentifier, SIZE);
    const segments = [...(await archive.catalog()).objects.values()].flat().filter(({ kind }) => kind === 'segment');
    // The fullest: behind a switch there is nothing that could be damaged.
    const [middle] = segments.slice(1, -1).toSorted((a, b) => b.storedBytes - a.storedBytes);
    assert.ok(middle !== undefined && segments.length >= 3);
    const name = middle.name.slice(-24);
    assert.deepEqual(await look(repository), []);

    const place = join(folderOf(repository.location) ?? '', middle.name);
    await flipBit(place, 5000);
    assert.deepEqual(
      (await look(repository)).map(({ object }) => object),
      [name],
    );
    await flipBit(place, 5000);
    assert.deepEqual(await look(repository), []);

    // The same WAL, damaged before it came: every object is sound, and one record is not.
    const other = await makeRepository(stage.folder);
    await admitSystem(other, stage.name, system);
    const copy = new WalArchive(other, stage.name, system.systemIdentifier, SIZE);
    for (const segment of segments) {
      const bytes = await archive.read(segment);
      if (segment === middle) bytes.writeUInt8(bytes.readUInt8(20_000) ^ 1, 20_000);
      await copy.write(segment.timeline, segment.start, bytes, new Date());
    }
    const [found, ...more] = await look(other);
    assert.deepEqual(more, []);
    assert.equal(found?.object, name);
    assert.match(found.why, /^the record at .* (has a wrong checksum|is none, and there is more WAL behind it)$/);
  });

  test('that falls behind catches up with few pushes, and the server counts what failed', async () => {
    const kept = repository;
    // A place where no repository is.
    repository = await makeRepository(stage.folder);
    await rm(folderOf(repository.location) ?? '', { recursive: true });
    const failedBefore = (await archiver()).failed;
    for (let i = 0; i < 12; i++) await fill(700);
    const last = await fill(700);
    await waitFor('a failure that is counted', async () => (await archiver()).failed > failedBefore);
    assert.ok(pushed.includes('SPW_STORAGE_UNREACHABLE'));
    repository = kept;
    pushed.length = 0;
    // The archiver pauses for a minute after three failures, unless it is told that its settings changed.
    await stage.cluster.query('SELECT pg_reload_conf()');
    await stage.cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'archiver'");
    await archivedUpTo(last);
    const ahead = pushed.reduce((sum, each) => sum + (typeof each === 'object' ? each.ahead : 0), 0);
    assert.ok(ahead >= 10, JSON.stringify(pushed));
    assert.ok(pushed.filter((each) => each === 'ahead').length >= 10);
    assert.deepEqual((await checkWal({ repository, cluster: stage.name })).gaps, []);
  });
});
