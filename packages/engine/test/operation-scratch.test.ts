// Scratch clusters: a moment of the cluster in a server of its own, apart from its source, gone when it is done with, and gone
// too where whoever made it was killed at any step.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isSpillwayError, type OperationEvent, type SpillwayError } from '@spillway/contract';
import { giveTo } from '@spillway/lab';
import {
  keepScratch,
  listScratch,
  openScratch,
  removeAbandoned,
  type Scratch,
  type ScratchOptions,
} from '../src/index.ts';
import { connect } from '../src/postgres/connection.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { processFile } from './process-file.ts';
import type { ScratchOrder } from './scratch-process.ts';
import { waitFor } from './throwaway.ts';

suite('a scratch cluster', () => {
  let stage: Stage;
  let folder: string;
  let pidFile: string;
  let between: string;

  before(async () => {
    stage = await makeStage({ settings: { archive_mode: 'on', archive_command: '/bin/false' } });
    const { cluster } = stage;
    folder = join(stage.folder, 'scratch');
    // What the source's configuration names outside of its data directory is the source's alone.
    pidFile = join(cluster.dataDirectory, '..', 'outside.pid');
    await cluster.query(`ALTER SYSTEM SET external_pid_file = '${pidFile}'`);
    await cluster.stop();
    await cluster.start();
    const tablespace = join(stage.folder, 'apart');
    await mkdir(tablespace);
    await giveTo(cluster.account, tablespace);
    await cluster.query(`CREATE TABLESPACE apart LOCATION '${tablespace}'`);
    await cluster.query('CREATE TABLE t TABLESPACE apart AS SELECT generate_series(1, 1000) AS n');
    const receiving = stage.receive();
    await stage.backup();
    await cluster.query('INSERT INTO t VALUES (1001)');
    between = await stage.caughtUp(receiving);
    await cluster.query('DELETE FROM t');
    await stage.caughtUp(receiving);
    await receiving.stop();
  });
  after(() => stage[Symbol.asyncDispose]());

  const options = (more: Partial<ScratchOptions> = {}): ScratchOptions => ({
    repository: stage.repository,
    cluster: stage.name,
    target: { kind: 'lsn', lsn: between },
    folder,
    purpose: 'timetravel',
    connection: stage.cluster.connection,
    binDirectory: stage.cluster.installation.binDirectory,
    workers: 2,
    restoreCommand: 'exit 150',
    signal: new AbortController().signal,
    report: () => undefined,
    ...more,
  });
  const ask = async (scratch: Scratch, sql: string, by = scratch.connection): Promise<unknown> => {
    await using session = await connect(by);
    const [row] = await session.query<{ v: unknown }>(sql);
    return row?.v;
  };
  const fails = (work: Promise<unknown>): Promise<SpillwayError> =>
    work.then(
      () => assert.fail('nothing was refused'),
      (error: unknown) => {
        assert.ok(isSpillwayError(error), String(error));
        return error;
      },
    );
  const sweep = (where: string, events: OperationEvent[] = []): ReturnType<typeof removeAbandoned> =>
    removeAbandoned(where, { signal: new AbortController().signal, report: (event) => events.push(event) });

  test('is the cluster as it was at a moment, apart from its source, and gone afterwards', async () => {
    const pid = await readFile(pidFile, 'utf8');
    {
      await using scratch = await openScratch(options({ limits: { memoryBytes: 128 * 1024 * 1024, niceness: 7 } }));
      const { directory, recovery } = scratch;
      assert.equal(await ask(scratch, 'SELECT count(*)::int AS v FROM t'), 1001);
      await ask(scratch, 'INSERT INTO t VALUES (-1)');
      assert.equal(await ask(scratch, 'SELECT count(*)::int AS v FROM t', scratch.overTcp), 1002);
      const password = { ...scratch.overTcp, password: 'not this one' };
      assert.equal((await fails(ask(scratch, 'SELECT 1 AS v', password))).code, 'SPW_POSTGRES_DENIED');
      const settings = ['archive_mode', 'listen_addresses', 'shared_buffers', 'external_pid_file', 'data_directory'];
      const said = await Promise.all(settings.map((name) => ask(scratch, `SELECT current_setting('${name}') AS v`)));
      assert.deepEqual(said, ['off', '127.0.0.1', '32MB', '', directory]);
      const stat = await readFile(`/proc/${recovery.pid}/stat`, 'utf8');
      assert.equal(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16], '7', 'its niceness');
      const home = await ask(
        scratch,
        `SELECT pg_tablespace_location(oid) AS v FROM pg_tablespace WHERE spcname = 'apart'`,
      );
      assert.equal(dirname(String(home)), join(directory, '..', 'tablespaces'));
      assert.deepEqual(
        scratch.phases.map(({ name, bytes, seconds }) => [name, bytes !== null, seconds >= 0]),
        [
          ['plan', false, true],
          ['lay', true, true],
          ['start-and-recover', true, true],
        ],
      );
      const [found, ...more] = await listScratch(folder);
      assert.deepEqual([found?.id, found?.state, found?.pid, more], [scratch.id, 'in use', process.pid, []]);
      // Another who comes meanwhile leaves it alone.
      assert.deepEqual(await sweep(folder), []);
      assert.equal(await ask(scratch, 'SELECT count(*)::int AS v FROM t'), 1002);
    }
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(await processesBelow(folder), []);
    assert.equal(await readFile(pidFile, 'utf8'), pid);
    const [row] = await stage.cluster.query('SELECT count(*)::int AS n FROM t');
    assert.deepEqual(row, { n: 0 });
  });

  test('whose owner was killed, at any step, is ended by the next, and nothing else is', async () => {
    const steps = ['preparing the folder', 'restoring files', 'finishing', 'up'];
    await Promise.all(
      steps.map(async (killAt, n) => {
        const where = join(stage.folder, `killed-${n}`);
        await orderAndWait({
          handle: stage.repository.handle,
          options: {
            cluster: stage.name,
            folder: where,
            connection: stage.cluster.connection,
            binDirectory: stage.cluster.installation.binDirectory,
          },
          killAt,
        });
        const [found, ...more] = await listScratch(where);
        assert.deepEqual([found?.state, found?.purpose, more], ['abandoned', 'drill', []], killAt);
        assert.equal((await processesBelow(where)).length > 0, killAt === 'up', killAt);
        // Without a marker, or with one that says nothing, it may be anybody's.
        const strangers = ['drill-0123456789ab', 'drill-ba9876543210'];
        for (const name of strangers) await mkdir(join(where, name));
        await writeFile(join(where, 'drill-ba9876543210.json'), '{"format":1}');
        const events: OperationEvent[] = [];
        const removed = await sweep(where, events);
        assert.deepEqual(
          removed.map(({ id }) => id),
          [found?.id],
          killAt,
        );
        assert.deepEqual((await readdir(where)).toSorted(), [...strangers, 'drill-ba9876543210.json'].toSorted());
        assert.deepEqual(await processesBelow(where), [], killAt);
        assert.equal(events.length, 1, killAt);
      }),
    );
  });

  test('is refused before a byte is written: too little space, no such moment, a place that is not for it', async () => {
    const where = join(stage.folder, 'refused');
    const small = await fails(openScratch(options({ folder: where, limits: { diskBytes: 1024 } })));
    assert.equal(small.code, 'SPW_DISK_SPACE');
    assert.match(`${small.why} ${small.hint}`, /may take 1024.*scratch_directory/s);
    const target = { kind: 'lsn', lsn: 'FF/0' } as const;
    assert.equal((await fails(openScratch(options({ folder: where, target })))).code, 'SPW_TARGET_UNREACHABLE');
    const inside = join(stage.cluster.dataDirectory, 'scratch');
    assert.equal((await fails(openScratch(options({ folder: inside })))).code, 'SPW_FOLDER_NOT_EMPTY');
    const long = join(where, 'x'.repeat(90));
    assert.equal((await fails(openScratch(options({ folder: long })))).code, 'SPW_USAGE');
    for (const path of [where, inside]) await assert.rejects(readdir(path), { code: 'ENOENT' }, path);
    if (process.getuid?.() !== 0) return;
    const closed = join(stage.folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const shut = await fails(openScratch(options({ folder: join(closed, 'scratch') })));
    assert.equal(shut.code, 'SPW_FOLDER_CLOSED');
    assert.ok(shut.why?.includes(`cannot enter ${closed} `), shut.why);
    assert.match(shut.hint, /scratch_directory.*chmod/);
    assert.deepEqual(await readdir(closed), []);
    await mkdir(where);
    await chown(where, 65_534, 65_534);
    assert.match((await fails(openScratch(options({ folder: where })))).why ?? '', /another account/);
    assert.deepEqual(await readdir(where), []);
  });

  test('that is stopped on its way, or does not recover, leaves nothing', async () => {
    const stopping = new AbortController();
    const report = (event: OperationEvent): void => {
      if (event.type === 'progress' && event.phase === 'restoring files') stopping.abort(new Error('enough'));
    };
    await assert.rejects(openScratch(options({ signal: stopping.signal, report })), /enough/);
    const error = await fails(openScratch(options({ settings: { shared_buffers: '1' } })));
    assert.equal(error.code, 'SPW_RECOVERY_FAILED');
    assert.match(`${error.why} ${error.hint}`, /shared_buffers.*removed again/s);
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(await processesBelow(folder), []);
  });

  test('that is kept outlives its owner, and is gone when its time is over', async () => {
    let port = 0;
    {
      await using scratch = await openScratch(options({ settings: { default_transaction_read_only: 'on' } }));
      port = scratch.connection.port;
      await scratch.keep(new Date(Date.now() + 60_000));
      const found = (await listScratch(folder)).map(({ id, state, server }) => [id, state, server?.port]);
      assert.deepEqual(found, [[scratch.id, 'kept', port]]);
    }
    const [kept] = await listScratch(folder);
    assert.ok(kept?.server);
    await using session = await connect({ ...stage.cluster.connection, ...kept.server, ssl: 'disable' });
    const refused = await fails(session.query('DELETE FROM t'));
    assert.match(refused.message + (refused.why ?? ''), /read-only/);
    await keepScratch(folder, kept.id, new Date());
    await waitFor('the end of what was kept', async () => (await readdir(folder)).length === 0);
    assert.deepEqual(await processesBelow(folder), []);
  });
});

/** Ends when the process was killed; fails where it says something before. */
async function orderAndWait(order: ScratchOrder): Promise<void> {
  const child = fork(processFile(join(import.meta.dirname, 'scratch-process.ts')), {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said: unknown[] = [];
  child.on('message', (word) => said.push(word));
  child.send(order);
  const [, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  assert.deepEqual([killedBy, said], ['SIGKILL', []], order.killAt);
}

/** Commands of processes that work anywhere below the folder. */
async function processesBelow(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const cwd = /^\d+$/.test(pid) ? await readlink(`/proc/${pid}/cwd`).catch(() => '') : '';
    if (cwd.startsWith(`${folder}/`)) found.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => pid));
  }
  return found;
}
