// BASE_BACKUP over a replication connection: what comes in which order, and how it ends when it does not end well.

import assert from 'node:assert/strict';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import type { BackupMessage, BackupStream } from '../src/postgres/basebackup-stream.ts';
import { connectReplication } from '../src/postgres/replication.ts';
import { type TarEntry, TarReader } from '../src/postgres/tar.ts';
import { majors, makeCluster, relay, type Throwaway, waitFor } from './throwaway.ts';

const MIB = 1024 * 1024;

for (const major of majors) {
  describe(`a base backup streamed from PostgreSQL ${major}`, () => {
    let cluster: Throwaway;

    before(async () => {
      cluster = await makeCluster({ major });
      await cluster.start();
      const space = join(cluster.folder, 'space');
      await mkdir(space);
      if (cluster.account !== undefined) await chown(space, cluster.account.uid, cluster.account.gid);
      await using session = await cluster.session();
      await session.query(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
      await session.query('CREATE TABLE away TABLESPACE elsewhere AS SELECT generate_series(1, 100) AS n');
      // More than all buffers on the way hold, so that the server is still sending when we do something to it.
      await session.query(
        `CREATE TABLE filler AS SELECT string_agg(md5(random()::text), '') AS bytes
         FROM generate_series(1, 48 * 32768) n GROUP BY n % 8192`,
      );
      await session.query('CHECKPOINT');
    });
    after(() => cluster[Symbol.asyncDispose]());

    const isIdle = async (): Promise<boolean> => {
      await using session = await cluster.session();
      return (await session.query('SELECT 1 FROM pg_stat_progress_basebackup')).length === 0;
    };

    test('comes with its start, its tablespaces before the data directory, pg_control last, and its end', async () => {
      await using replication = await connectReplication(cluster.settings);
      const stream = replication.baseBackup({ label: "it's one" });
      const seen = await readAll(stream);
      const { start } = seen;
      assert.ok(start !== undefined && stream.end !== undefined);
      assert.ok(stream.end.stopLsn > start.startLsn);
      assert.deepEqual([start.timeline, stream.end.timeline], [1, 1]);
      assert.ok(start.bytes > 48 * MIB, `${start.bytes} bytes`);
      assert.deepEqual(
        start.tablespaces.map(({ location }) => location),
        [join(cluster.folder, 'space')],
      );
      assert.deepEqual(seen.archives, [start.tablespaces[0]?.oid, undefined]);
      const paths = seen.entries.map(({ path }) => path);
      assert.ok(paths.indexOf('backup_label') > 0 && paths.indexOf('tablespace_map') > 0);
      assert.equal(paths.at(-1), 'global/pg_control');
      assert.match(seen.contents.get('backup_label')?.toString() ?? '', /\nLABEL: it's one\n/);
      const file = await readFile(join(cluster.dataDirectory, 'PG_VERSION'));
      assert.ok(seen.contents.get('PG_VERSION')?.equals(file));
      assert.equal((await replication.identifySystem()).timeline, 1, 'the session can be used again');
    });

    test('waits for a slow consumer with a bounded queue', async () => {
      await using replication = await connectReplication(cluster.settings);
      const stream = replication.baseBackup({ label: 'slow', queueBytesMax: MIB });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      await using session = await cluster.session();
      const sent = async (): Promise<number> => {
        const [row] = await session.query<{ sent: string }>(
          'SELECT backup_streamed AS sent FROM pg_stat_progress_basebackup',
        );
        return Number(row?.sent ?? 0);
      };
      let last = -1;
      await waitFor('the server to come to a stop', async () => {
        const previous = last;
        last = await sent();
        return last > 0 && last === previous;
      });
      assert.ok(last < 40 * MIB, `${last} bytes were sent`);
      await iterator.return?.();
      await waitFor('the server to end the backup', isIdle);
    });

    test('whose connection is cut is void', async () => {
      await using between = await relay(cluster.port);
      await using replication = await connectReplication({ ...cluster.settings, port: between.port });
      const stream = replication.baseBackup({ label: 'cut', queueBytesMax: MIB });
      const iterator = stream[Symbol.asyncIterator]();
      assert.equal((await iterator.next()).value?.kind, 'start');
      between.cut();
      await assert.rejects(drain(iterator), { code: 'SPW_BACKUP_VOID' });
      assert.equal(stream.end, undefined);
      await waitFor('the server to end the backup', isIdle);
    });

    test('stops with the reason when it is aborted', async () => {
      await using replication = await connectReplication(cluster.settings);
      const controller = new AbortController();
      const stream = replication.baseBackup({ label: 'aborted', queueBytesMax: MIB, signal: controller.signal });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      controller.abort(new Error('enough'));
      await assert.rejects(drain(iterator), /enough/);
      await waitFor('the server to end the backup', isIdle);
    });

    test('is refused, with what to do, by a pg_hba.conf that does not let the user replicate', async () => {
      await cluster.admit('host replication outsider 127.0.0.1/32 reject');
      await using session = await cluster.session();
      await session.query('CREATE ROLE outsider LOGIN REPLICATION');
      await session.query('SELECT pg_reload_conf()');
      const settings = { ...cluster.settings, user: 'outsider' };
      await waitFor('the configuration to be read', async () => {
        const refused = await connectReplication(settings).then(
          async (open) => open[Symbol.asyncDispose](),
          (error: unknown) => error,
        );
        return (
          isSpillwayError(refused, 'SPW_POSTGRES_DENIED') && (refused.hint ?? '').includes('host replication outsider')
        );
      });
    });

    test('is void when the standby that it comes from is promoted', async () => {
      await cluster.stop();
      await cluster.makeStandby();
      await cluster.start();
      await using replication = await connectReplication(cluster.settings);
      const stream = replication.baseBackup({ label: 'promoted', queueBytesMax: MIB });
      const iterator = stream[Symbol.asyncIterator]();
      assert.equal((await iterator.next()).value?.kind, 'start');
      await using session = await cluster.session();
      await session.query('SELECT pg_promote()');
      await assert.rejects(drain(iterator), (error) => {
        assert.ok(isSpillwayError(error, 'SPW_BACKUP_VOID'));
        assert.match(error.why ?? '', /promoted/);
        return true;
      });
    });
  });
}

async function drain(iterator: AsyncIterator<unknown>): Promise<void> {
  while ((await iterator.next()).done !== true);
}

async function readAll(stream: BackupStream) {
  const archives: (number | undefined)[] = [];
  const entries: TarEntry[] = [];
  const contents = new Map<string, Buffer>();
  let start: Extract<BackupMessage, { kind: 'start' }> | undefined;
  let tar: TarReader | undefined;
  for await (const message of stream) {
    if (message.kind === 'start') start = message;
    else if (message.kind === 'archive') {
      tar?.finish();
      tar = new TarReader();
      archives.push(message.tablespace?.oid);
    } else if (message.kind === 'data') {
      for (const part of tar?.feed(message.bytes) ?? []) {
        if (part.kind === 'entry') entries.push(part.entry);
        else {
          const path = entries.at(-1)?.path ?? '';
          if (part.bytes.length > MIB || path.startsWith('base/')) continue;
          contents.set(path, Buffer.concat([contents.get(path) ?? Buffer.alloc(0), part.bytes]));
        }
      }
    }
  }
  tar?.finish();
  return { start, archives, entries, contents };
}
