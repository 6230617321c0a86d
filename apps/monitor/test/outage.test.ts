// The service without its database, and with another one: it stays up, spools, replays in order, finds the new address,
// and gives nothing to a server that must not have it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { adoptCluster, freePort, giveTo, type LabCluster } from '@spillway/lab';
import {
  batchOf,
  type Call,
  makeDatabase,
  makePlace,
  SENSORS,
  startCluster,
  startHere,
  until,
  untilReady,
  urlOf,
} from './place.ts';

interface Health {
  readonly status: string;
  readonly database: {
    readonly state: string;
    readonly why: string | null;
    readonly epoch: { readonly timeline: number } | null;
    readonly highest_epoch: { readonly timeline: number } | null;
  };
  readonly ingest: { readonly mode: string };
  readonly spool: { readonly batches: number; readonly quarantined: number };
}

const healthOf = async (call: Call): Promise<Health> => (await call('GET', '/api/v1/monitoring/health')).body as Health;

const untilState = (call: Call, name: string, why: RegExp): Promise<unknown> =>
  until(`the database is ${name}`, async () => {
    const { database } = await healthOf(call);
    return database.state === name && why.test(database.why ?? '');
  });

const untilDirect = (call: Call): Promise<unknown> =>
  until('the spool is replayed', async () => {
    const { ingest, spool } = await healthOf(call);
    return ingest.mode === 'direct' && spool.batches === 0;
  });

/** In the order in which they were stored. */
const keysIn = async (cluster: LabCluster, name: string): Promise<readonly string[]> =>
  (await cluster.query<{ batch: string }>('SELECT batch FROM ingest_batch ORDER BY received_at, batch', [], name)).map(
    ({ batch }) => batch,
  );

const storedIn = async (call: Call, key: string, secondsAgo: number, sensors = SENSORS): Promise<string> => {
  const { status, body } = await call('POST', '/api/v1/readings', batchOf(key, secondsAgo, sensors));
  assert.equal(status, 200, JSON.stringify(body));
  return (body as { stored: string }).stored;
};

suite('a service whose database comes and goes', () => {
  let cluster: LabCluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.destroy());

  test('an outage: reads are put off, batches wait on disk up to the limit, and are replayed in order when it ends', async () => {
    const { url } = await makeDatabase(cluster, 'outage');
    await using place = await makePlace(url, { spoolBytes: 6000 });
    await using running = await startHere(place);
    const { call } = running;
    await untilReady(call);
    assert.equal(await storedIn(call, 'before/1', 300), 'database');

    await cluster.kill();
    assert.equal(await storedIn(call, 'during/01', 290), 'spool');
    const read = await call('GET', '/api/v1/sensors');
    assert.equal(read.status, 503);
    assert.equal(read.headers.get('retry-after'), '2');
    assert.equal((read.body as { code: string }).code, 'database_away');
    const statuses = await Promise.all(
      ['/livez', '/readyz', '/api/v1/monitoring/health', '/'].map((path) => call('GET', path)),
    );
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [200, 503, 503, 200],
    );
    const acknowledge = await call('POST', '/api/v1/alerts/1/acknowledge', undefined, 'operator');
    assert.equal(acknowledge.status, 503);

    // Until the spool is full; then senders are told to keep what they have.
    let spooled = 1;
    for (let full = false; !full; ) {
      const key = `during/${String(spooled + 1).padStart(2, '0')}`;
      const { status, headers, body } = await call('POST', '/api/v1/readings', batchOf(key, 290 - spooled));
      full = status === 503;
      if (full) {
        assert.equal((body as { code: string }).code, 'spool_full');
        assert.equal(headers.get('retry-after'), '5');
      } else spooled += 1;
    }
    assert.ok(spooled >= 5, String(spooled));
    const down = await healthOf(call);
    assert.deepEqual([down.status, down.ingest.mode, down.spool.batches], ['down', 'spooling', spooled]);

    await cluster.start();
    await untilDirect(call);
    assert.equal(await storedIn(call, 'later/1', 100), 'database');
    const expected = [
      'before/1',
      ...Array.from({ length: spooled }, (_, index) => `during/${String(index + 1).padStart(2, '0')}`),
      'later/1',
    ];
    assert.deepEqual(await keysIn(cluster, 'outage'), expected);
    const [row] = await cluster.query<{ readings: number }>(
      'SELECT count(*)::int AS readings FROM reading',
      [],
      'outage',
    );
    assert.equal(row?.readings, expected.length * SENSORS);
    assert.equal((await healthOf(call)).status, 'ok');
  });

  test('a batch that the database will never take does not keep those behind it waiting', async () => {
    const { url } = await makeDatabase(cluster, 'poison');
    await using place = await makePlace(url);
    await using running = await startHere(place);
    const { call } = running;
    await untilReady(call);
    await cluster.kill();
    for (const key of ['ok/1', 'ok/2']) assert.equal(await storedIn(call, key, 60, 3), 'spool');
    const bad = { batch: 'bad/1', readings: [{ sensor_id: SENSORS, at: new Date().toISOString(), value: 1 }] };
    assert.equal((await call('POST', '/api/v1/readings', bad)).status, 200);
    // The same key with other readings, while nobody could compare: both were acknowledged, one can be stored.
    assert.equal(await storedIn(call, 'ok/1', 30, 3), 'spool');
    assert.equal(await storedIn(call, 'ok/3', 20, 3), 'spool');
    await cluster.start();
    // A sensor that is gone by now.
    await cluster.query(`DELETE FROM sensor WHERE id = ${SENSORS}`, [], 'poison');
    await untilDirect(call);
    assert.deepEqual(await keysIn(cluster, 'poison'), ['ok/1', 'ok/2', 'ok/3']);
    const { spool, status } = await healthOf(call);
    assert.deepEqual([spool.quarantined, status], [2, 'degraded']);
    const lines = (await readFile(join(place.settings.stateFolder, 'quarantine.jsonl'), 'utf8')).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { batch: string }).batch),
      ['bad/1', 'ok/1'],
    );
  });

  test('a name that leads elsewhere is followed while the old server still answers; one that hangs is given up', async (t) => {
    const { url } = await makeDatabase(cluster, 'moved');
    const port = await freePort();
    const ways = {
      first: await startWay(t, '127.0.0.1', port, cluster.port),
      second: await startWay(t, '127.0.0.2', port, cluster.port),
    };
    let addresses = ['127.0.0.1'];
    const there = new URL(url);
    there.hostname = 'db.water.internal';
    there.port = String(port);
    await using place = await makePlace(there.href, { databaseTimeoutMs: 1000 });
    await using running = await startHere(place, {
      resolve: async (host) => {
        assert.equal(host, 'db.water.internal');
        return addresses;
      },
    });
    const { call } = running;
    await untilReady(call);
    assert.ok(ways.first.count > 0 && ways.second.count === 0);
    addresses = ['127.0.0.2'];
    await until('the new address is used', async () => ways.second.count > 0);
    await untilDirect(call);
    assert.equal(await storedIn(call, 'moved/1', 10), 'database');

    // Packets vanish, nothing is closed: the sender waits for one answer only, and has it from the spool.
    ways.second.hang();
    assert.equal(await storedIn(call, 'hung/1', 5), 'spool');
    addresses = ['127.0.0.1'];
    await untilDirect(call);
    assert.deepEqual(await keysIn(cluster, 'moved'), ['moved/1', 'hung/1']);
  });

  test('a commit that was let go before its synchronous standby had it is not taken for one', async () => {
    const { url } = await makeDatabase(cluster, 'synchronous');
    await using place = await makePlace(url);
    await using running = await startHere(place);
    const { call } = running;
    await untilReady(call);
    await cluster.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    try {
      await cluster.query('SELECT pg_reload_conf()');
      await until('the setting is in force', async () => {
        const [row] = await cluster.query<{ names: string }>(
          "SELECT current_setting('synchronous_standby_names') AS names",
        );
        return row?.names === 'nobody';
      });
      const answer = storedIn(call, 'sync/1', 10);
      await until('the commit waits, and is let go', async () => {
        const released = await cluster.query(
          "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = 'synchronous' AND wait_event = 'SyncRep'",
        );
        return released.length > 0;
      });
      assert.equal(await answer, 'spool');
    } finally {
      await cluster.query('ALTER SYSTEM RESET synchronous_standby_names');
      await cluster.query('SELECT pg_reload_conf()');
    }
    await untilDirect(call);
    assert.deepEqual(await keysIn(cluster, 'synchronous'), ['sync/1']);
  });

  test('a cluster of another system takes its place only when the operator says so', async () => {
    const { url } = await makeDatabase(cluster, 'another');
    await using place = await makePlace(url);
    const memory = join(place.settings.stateFolder, 'epoch.json');
    await mkdir(place.settings.stateFolder);
    await writeFile(memory, JSON.stringify({ system: '4711', timeline: 9 }));
    {
      await using running = await startHere(place);
      await untilState(running.call, 'refused', /another system, \d+, than .* 4711; .* MONITOR_ACCEPT_SYSTEM=\d+/);
    }
    const [row] = await cluster.query<{ system: string }>(
      'SELECT system_identifier::text AS system FROM pg_control_system()',
    );
    await using running = await startHere({ ...place, settings: { ...place.settings, acceptSystem: row?.system } });
    await untilReady(running.call);
    assert.deepEqual(JSON.parse(await readFile(memory, 'utf8')), { system: row?.system, timeline: 1 });
  });

  test('a failover: a standby gets nothing, its promotion all, and the old primary that comes back nothing again', async (t) => {
    const { url } = await makeDatabase(cluster, 'failover');
    await using place = await makePlace(url);
    await using running = await startHere(place);
    const { call } = running;
    await untilReady(call);
    assert.equal(await storedIn(call, 'old/1', 300), 'database');

    await cluster.stop();
    const standby = await copyAsStandby(t, cluster);
    await writeFile(place.urlFile, urlOf(standby, 'failover'));
    await untilState(call, 'refused', /in recovery/);
    assert.equal(await storedIn(call, 'between/1', 200), 'spool');
    assert.equal((await call('GET', '/readyz')).status, 503);
    assert.deepEqual(await keysIn(standby, 'failover'), ['old/1']);

    await standby.query('SELECT pg_promote()');
    await untilDirect(call);
    assert.equal(await storedIn(call, 'new/1', 100), 'database');
    const { database } = await healthOf(call);
    assert.deepEqual([database.epoch?.timeline, database.highest_epoch?.timeline], [2, 2]);

    // The old primary is revived, and the URL points at it again by mistake.
    await cluster.start();
    await writeFile(place.urlFile, urlOf(cluster, 'failover'));
    await untilState(call, 'refused', /timeline 1, and timeline 2 was written to before: an old primary/);
    assert.equal(await storedIn(call, 'after/1', 50), 'spool');
    assert.deepEqual(await keysIn(cluster, 'failover'), ['old/1']);

    // It is known after a restart too.
    await running.service.stop();
    await using again = await startHere(place);
    await untilState(again.call, 'refused', /an old primary/);
    assert.equal(await storedIn(again.call, 'after/2', 40), 'spool');
    await writeFile(place.urlFile, urlOf(standby, 'failover'));
    await untilDirect(again.call);
    assert.deepEqual(await keysIn(standby, 'failover'), ['old/1', 'between/1', 'new/1', 'after/1', 'after/2']);
    assert.deepEqual(await keysIn(cluster, 'failover'), ['old/1']);

    // Fenced in place, it gets nothing either.
    await standby.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await standby.query('SELECT pg_reload_conf()');
    await standby.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'water-monitor'",
    );
    await untilState(again.call, 'refused', /takes no writes/);
    await standby.stop();
    await untilState(again.call, 'away', /ECONNREFUSED/);
  });
});

/** The stopped cluster's files under another port, as a standby without a primary. */
async function copyAsStandby(t: TestContext, cluster: LabCluster): Promise<LabCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-standby-'));
  const dataDirectory = join(folder, 'data');
  await promisify(execFile)('cp', ['-a', cluster.dataDirectory, dataDirectory]);
  await writeFile(join(dataDirectory, 'standby.signal'), '');
  await giveTo(cluster.account, folder, join(dataDirectory, 'standby.signal'));
  const standby = await adoptCluster({
    dataDirectory,
    binDirectory: cluster.installation.binDirectory,
    port: await freePort(),
    password: cluster.password,
  });
  t.after(async () => {
    await standby.destroy();
    await rm(folder, { recursive: true, force: true });
  });
  await standby.start();
  return standby;
}

interface Way {
  /** Connections so far. */
  readonly count: number;
  /** Nothing passes any more, and nothing is closed. */
  readonly hang: () => void;
}

/** An address that leads to the server. */
async function startWay(t: TestContext, address: string, port: number, target: number): Promise<Way> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((near) => {
    count += 1;
    const far = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one));
    }
  });
  server.listen(port, address);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    get count() {
      return count;
    },
    hang: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
