// Sessions against a real server: what is answered, how a lost one is told, and what each refusal is called.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { isSpillwayError, type ErrorCode, type SpillwayError } from '@spillway/contract';
import { connect } from '../src/postgres/connection.ts';
import { freePort, makeCluster, relay, type Throwaway, waitFor } from './throwaway.ts';

let cluster: Throwaway;

before(async () => {
  cluster = await makeCluster();
  await cluster.start();
  await using session = await cluster.session();
  await session.query("CREATE ROLE guarded LOGIN PASSWORD 'right-secret'");
  await session.query('CREATE ROLE stranger LOGIN');
  await cluster.admit('host all guarded 127.0.0.1/32 scram-sha-256', 'host all stranger 127.0.0.1/32 reject');
  await session.query('SELECT pg_reload_conf()');
});

after(async () => {
  await cluster[Symbol.asyncDispose]();
});

const refusedWith =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isSpillwayError(error, code), `expected ${code}, got ${String(error)}`);
    for (const word of words) assert.match(`${error.message} ${error.why}`, new RegExp(word));
    assert.doesNotMatch(JSON.stringify([error.message, error.why, error.hint]), /secret/);
    return true;
  };

test('a session answers queries with and without parameters, also when several are asked at once', async () => {
  await using session = await cluster.session();
  const answers = await Promise.all([
    session.query<{ sum: number }>('SELECT $1::int4 + 1 AS sum', [41]),
    session.query<{ text: string }>("SELECT 'wörd' AS text"),
  ]);
  assert.deepEqual(
    answers.map(([row]) => ({ ...row })),
    [{ sum: 42 }, { text: 'wörd' }],
  );
});

test('a wrong statement is told with the message of the server, and the session lives on', async () => {
  await using session = await cluster.session();
  await assert.rejects(session.query('SELECT * FROM nowhere'), refusedWith('SPW_POSTGRES_FAILED', 'nowhere'));
  assert.equal((await session.query('SELECT 1')).length, 1);
});

test('a wrong password, none, a refused user and an unknown database are denials', async () => {
  const { settings } = cluster;
  for (const wrong of [
    { ...settings, user: 'guarded', password: 'wrong-secret' },
    { ...settings, user: 'guarded' },
    { ...settings, user: 'stranger' },
    { ...settings, database: 'missing' },
    { ...settings, ssl: 'require' as const },
  ]) {
    await assert.rejects(
      connect(wrong),
      refusedWith('SPW_POSTGRES_DENIED', `${wrong.user}@127.0.0.1:${settings.port}`),
    );
  }
  await using session = await connect({ ...settings, user: 'guarded', password: 'right-secret' });
  assert.equal((await session.query('SELECT 1')).length, 1);
});

test('a closed port, an unknown host, a missing socket and a silent server are unreachable', async () => {
  const port = await freePort();
  await assert.rejects(connect({ ...cluster.settings, port }), refusedWith('SPW_POSTGRES_UNREACHABLE', String(port)));
  await assert.rejects(
    connect({ ...cluster.settings, host: 'no-such-host.invalid' }),
    refusedWith('SPW_POSTGRES_UNREACHABLE', 'no-such-host'),
  );
  await assert.rejects(
    connect({ ...cluster.settings, host: '/no/such/folder' }),
    refusedWith('SPW_POSTGRES_UNREACHABLE'),
  );
  const silent = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  assert.ok(typeof address === 'object' && address !== null);
  await assert.rejects(
    connect({ ...cluster.settings, port: address.port }, { timeoutMs: 200 }),
    refusedWith('SPW_POSTGRES_UNREACHABLE', 'no answer in time'),
  );
  const controller = new AbortController();
  const waiting = connect({ ...cluster.settings, port: address.port }, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  silent.close();
});

test('a cut connection rejects the running query, tells the listener once and does not end the process', async () => {
  await using between = await relay(cluster.port);
  await using session = await connect({ ...cluster.settings, port: between.port });
  const told: SpillwayError[] = [];
  session.onLost((error) => told.push(error));
  const running = session.query('SELECT pg_sleep(600)');
  await using other = await cluster.session();
  await waitFor('the query to run', async () => (await sleeping(other)) === 1);
  between.cut();
  await assert.rejects(running, refusedWith('SPW_POSTGRES_UNREACHABLE'));
  await waitFor('the listener', () => told.length > 0);
  await assert.rejects(session.query('SELECT 1'), refusedWith('SPW_POSTGRES_UNREACHABLE'));
  assert.equal(told.length, 1);
  await other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'");
});

test('a session that an administrator ends while it is idle is lost, not closed', async () => {
  await using session = await cluster.session();
  const lost = new Promise<SpillwayError>((resolve) => session.onLost(resolve));
  const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await using other = await cluster.session();
  await other.query('SELECT pg_terminate_backend($1)', [row?.pid]);
  refusedWith('SPW_POSTGRES_UNREACHABLE')(await lost);
});

test('an aborted query and one out of time are cancelled at the server', async () => {
  await using watcher = await cluster.session();
  const controller = new AbortController();
  await using session = await cluster.session();
  const running = session.query('SELECT pg_sleep(600)', [], { signal: controller.signal });
  await waitFor('the query to run', async () => (await sleeping(watcher)) === 1);
  controller.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
  await waitFor('the query to be gone', async () => (await sleeping(watcher)) === 0);
  await using second = await cluster.session();
  await assert.rejects(
    second.query('SELECT pg_sleep(600)', [], { timeoutMs: 100 }),
    refusedWith('SPW_POSTGRES_UNREACHABLE', '100 ms'),
  );
  await waitFor('the query to be gone', async () => (await sleeping(watcher)) === 0);
});

test('rows go from one session into another byte for byte, and both go on afterwards', async () => {
  await using from = await cluster.session();
  await using to = await cluster.session();
  await to.query('CREATE TEMPORARY TABLE copied (n int, text text)');
  // One row is longer than a batch, and the rest are more than may wait.
  const rows = `SELECT n, repeat(md5(n::text), CASE WHEN n = 7 THEN 20000 ELSE 3 END) AS text FROM generate_series(1, 60000) AS n`;
  const source = from.copyOut(`COPY (${rows}) TO STDOUT (FORMAT binary)`);
  assert.equal(source.rows(), undefined);
  const [copied, next] = await Promise.all([
    to.copyIn('COPY copied FROM STDIN (FORMAT binary)', source),
    to.query('SELECT count(*)::int AS n FROM copied'),
  ]);
  assert.deepEqual([copied, source.rows(), { ...(next[0] as object) }], [60_000, 60_000, { n: 60_000 }]);
  const sum = (table: string): string => `SELECT md5(string_agg(md5(n || text), '' ORDER BY n)) AS sum FROM ${table}`;
  assert.deepEqual(await to.query(sum('copied')), await from.query(sum(`(${rows}) AS r`)));
});

test('a copy that fails at either end says why, and leaves a session of use', async () => {
  await using session = await cluster.session();
  await session.query('CREATE TEMPORARY TABLE numbers (n int)');
  const refusal = new TypeError('no more');
  const broken = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('1\n');
    throw refusal;
  };
  const wrong = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('1\nx\n');
    yield Buffer.from('2\n');
  };
  await assert.rejects(
    session.copyIn('COPY numbers FROM STDIN', broken()),
    refusedWith('SPW_POSTGRES_FAILED', 'no more'),
  );
  await assert.rejects(
    session.copyIn('COPY numbers FROM STDIN', wrong()),
    refusedWith('SPW_POSTGRES_FAILED', 'integer: "x"'),
  );
  await assert.rejects(
    session.copyIn('COPY nowhere FROM STDIN', wrong()),
    refusedWith('SPW_POSTGRES_FAILED', 'nowhere'),
  );
  const read = async (sql: string): Promise<void> => {
    for await (const _ of session.copyOut(sql));
  };
  await assert.rejects(read('COPY (SELECT 1 / 0) TO STDOUT'), refusedWith('SPW_POSTGRES_FAILED', 'division by zero'));
  await assert.rejects(read('COPY numbers FROM STDIN'), refusedWith('SPW_POSTGRES_FAILED', 'was to send rows'));
  assert.equal((await session.query('SELECT * FROM numbers')).length, 0);
});

test('a slow reader stops the server, and one that leaves or is told to stop ends the statement', async () => {
  await using watcher = await cluster.session();
  const state = async (): Promise<string> =>
    (
      await watcher.query<{ event: string }>(
        "SELECT coalesce(wait_event, 'none') AS event FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT repeat%' AND state = 'active'",
      )
    )
      .map(({ event }) => event)
      .join();
  const endless = `COPY (SELECT repeat('x', 1000) || generate_series(1, 100000000)) TO STDOUT`;
  await using session = await cluster.session();
  for await (const batch of session.copyOut(endless)) {
    assert.ok(batch.length > 0);
    await waitFor('the server to wait for us', async () => (await state()) === 'ClientWrite');
    break;
  }
  await waitFor('the statement to be gone', async () => (await state()) === '');
  await assert.rejects(session.query('SELECT 1'), refusedWith('SPW_POSTGRES_UNREACHABLE'));
  const controller = new AbortController();
  await using other = await cluster.session();
  await assert.rejects(async () => {
    for await (const _ of other.copyOut(endless, { signal: controller.signal })) controller.abort(new Error('enough'));
  }, /enough/);
  await waitFor('the statement to be gone', async () => (await state()) === '');
});

async function sleeping(session: Awaited<ReturnType<typeof connect>>): Promise<number> {
  const rows = await session.query(
    "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'",
  );
  return rows.length;
}
