// The receiver on a real server: what it confirms, how it goes on after each kind of interruption, and what it says.

import assert from 'node:assert/strict';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { recoveryWindow } from '../src/operation/backups.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { checkWal } from '../src/operation/wal/check.ts';
import { lsn, parseLsn, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { makeRepository, makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const MEBIBYTE = 1024 * 1024;
const one = timelineId(1);

describe('a receiver', () => {
  let stage: Stage;

  before(async () => {
    stage = await makeStage({
      settings: { max_slot_wal_keep_size: '4MB', max_wal_size: '3MB', min_wal_size: '2MB', checkpoint_timeout: '1h' },
    });
    await stage.cluster.query('CREATE TABLE note (text text)');
  });
  afterEach(() => stage.rest());
  after(() => stage[Symbol.asyncDispose]());

  const fill = (rows = 3000): Promise<unknown> =>
    stage.cluster.query(`INSERT INTO note SELECT repeat(md5(n::text), 30) FROM generate_series(1, ${rows}) n`);

  const archive = async (): Promise<WalArchive> => {
    const [row] = await stage.cluster.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    return new WalArchive(stage.repository, stage.name, row?.id ?? '', segmentSize(MEBIBYTE));
  };

  const objects = async (): Promise<readonly string[]> =>
    ((await (await archive()).catalog()).objects.get(one) ?? []).map(
      ({ name, storedBytes }) => `${name} ${storedBytes}`,
    );

  /** The end of what is stored without a hole. */
  const storedUpTo = async (): Promise<bigint> => {
    const all = (await (await archive()).catalog()).objects.get(one) ?? [];
    return all.reduce<bigint>(
      (end, object) => (object.start <= end && object.end > end ? object.end : end),
      all[0]?.start ?? 0n,
    );
  };

  test('confirms only what the repository holds', async () => {
    const receiving = stage.receive();
    await waitFor('the stream', () => receiving.position() !== undefined);
    let flushed = 0n;
    let done = false;
    const watched = (async () => {
      await waitFor('the end', async () => {
        const [row] = await stage.cluster.query<{ at: string; slot: string }>(
          `SELECT coalesce(flush_lsn::text, '0/0') AS at, (SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '${stage.slot}') AS slot
             FROM pg_stat_replication WHERE application_name = '${stage.slot}'`,
        );
        flushed = parseLsn(row?.at ?? '') ?? 0n;
        // Read after what the server was told: the repository can only have more by now.
        const held = await storedUpTo();
        assert.ok(flushed <= held, `${flushed} confirmed, ${held} stored`);
        if (flushed > 0n) assert.ok((parseLsn(row?.slot ?? '') ?? 0n) <= held);
        return done;
      });
    })();
    for (let i = 0; i < 5; i++) await fill(1000);
    await stage.caughtUp(receiving);
    done = true;
    await watched;
    assert.ok(flushed > 0n);
    const summary = await receiving.stop();
    assert.ok(summary.segments >= 3 && summary.bytes > 3 * MEBIBYTE, JSON.stringify(summary));
  });

  test('goes on in the midst of a segment: pieces are compared, and replaced by the finished segment', async () => {
    const first = stage.receive();
    await stage.cluster.query("INSERT INTO note VALUES ('one')");
    await stage.caughtUp(first);
    await first.stop();
    const pieces = (await objects()).filter((name) => name.includes('.'));
    assert.ok(pieces.length > 0);
    const second = stage.receive();
    await stage.cluster.query("INSERT INTO note VALUES ('two')");
    await stage.caughtUp(second);
    for (const piece of pieces) assert.ok((await objects()).includes(piece), 'nothing is stored twice');
    await stage.cluster.query('SELECT pg_switch_wal()');
    await fill(10);
    await stage.caughtUp(second);
    await waitFor('the pieces to go', async () => {
      const now = await objects();
      return pieces.every((piece) => !now.includes(piece));
    });
    await second.stop();
    const { gaps } = await checkWal({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual(gaps, []);
  });

  test('makes no objects of an idle cluster', async () => {
    await stage.cluster.query('CHECKPOINT');
    const receiving = stage.receive({ flushIntervalMs: 10 });
    await stage.caughtUp(receiving);
    const quiet = await objects();
    const [began] = await stage.cluster.query<{ n: string }>(`SELECT reply_time::text AS n FROM pg_stat_replication`);
    // Until the server has heard of the receiver again: that many flushes could have been made.
    await waitFor('a status message', async () => {
      const [row] = await stage.cluster.query<{ n: string }>(`SELECT reply_time::text AS n FROM pg_stat_replication`);
      return row?.n !== began?.n;
    });
    assert.deepEqual(await objects(), quiet);
    await receiving.stop();
  });

  test('serves as a synchronous standby: a commit returns when it is stored, and not before there is a receiver', async () => {
    await stage.cluster.query(`ALTER SYSTEM SET synchronous_standby_names = '${stage.slot}'`);
    await stage.cluster.query('SELECT pg_reload_conf()');
    await waitFor(
      'the setting',
      async () =>
        (await stage.cluster.query<{ v: string }>("SELECT current_setting('synchronous_standby_names') AS v"))[0]?.v ===
        stage.slot,
    );
    const session = await stage.cluster.connect();
    try {
      let returned = false;
      const commit = async (): Promise<void> => {
        await session.query("INSERT INTO note VALUES ('synchronous')");
        returned = true;
      };
      const committing = commit();
      await waitFor('the commit to wait', async () => {
        const rows = await stage.cluster.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        return rows.length === 1;
      });
      assert.equal(returned, false);
      const receiving = stage.receive();
      await committing;
      const [row] = (await session.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at')).rows;
      await session.query("INSERT INTO note VALUES ('once more')");
      assert.ok((await storedUpTo()) >= (parseLsn(row?.at ?? '') ?? 0n), 'what was acknowledged is stored');
      await receiving.stop();
    } finally {
      await session.end();
      const setter = await stage.cluster.connect();
      await setter.query('SET synchronous_commit = local; ');
      await setter.query('ALTER SYSTEM RESET synchronous_standby_names');
      await setter.query('SELECT pg_reload_conf()');
      await setter.end();
    }
  });

  test('survives a restart of the server, and goes on without a gap', async () => {
    const receiving = stage.receive();
    await fill(100);
    await stage.caughtUp(receiving);
    await stage.cluster.stop('immediate');
    await waitFor('a notice', () =>
      receiving.events.some((event) => event.type === 'notice' && event.level === 'warning'),
    );
    await stage.cluster.start();
    await fill(100);
    await stage.caughtUp(receiving);
    await stage.cluster.stop('fast');
    await stage.cluster.start();
    await fill(100);
    await stage.caughtUp(receiving);
    await receiving.stop();
    assert.deepEqual((await checkWal({ repository: stage.repository, cluster: stage.name })).gaps, []);
  });

  test('goes on where the server still holds the slot for a connection that broke', async () => {
    await using broken = await halfOpenRelay(stage.cluster.port);
    const receiving = stage.receive({
      cluster: { name: stage.name, connection: { ...stage.cluster.connection, port: broken.port } },
    });
    await fill(10);
    await stage.caughtUp(receiving);
    broken.cut();
    await waitFor('a refusal', () =>
      receiving.events.some((event) => event.type === 'notice' && /is active/.test(String(event.fields?.['why']))),
    );
    await stage.cluster.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
    await fill(10);
    await stage.caughtUp(receiving);
  });

  test('is alone', async () => {
    const receiving = stage.receive();
    await waitFor('the stream', () => receiving.position() !== undefined);
    await assert.rejects(stage.receive().ended, { code: 'SPW_LOCKED' });
    await receiving.stop();
  });

  test('refuses a server whose WAL differs from what is stored', async () => {
    const kept = stage.repository;
    stage.repository = await makeRepository(stage.folder);
    try {
      const first = stage.receive();
      await stage.cluster.query("INSERT INTO note VALUES ('x')");
      await stage.caughtUp(first);
      await first.stop();
      const held = await archive();
      const [piece] = (await held.catalog()).objects.get(one) ?? [];
      assert.equal(piece?.kind, 'piece');
      // The same place, other bytes.
      await held.write(one, lsn((piece?.end ?? 0n) - 8n), Buffer.from('otherwal'), new Date());
      const second = stage.receive();
      await fill(10);
      await assert.rejects(second.ended, { code: 'SPW_WAL_CONFLICT' });
    } finally {
      stage.repository = kept;
    }
  });

  test('tells of WAL that the server no longer has, and goes on behind the gap', async () => {
    await stage.backup();
    const receiving = stage.receive();
    await fill(100);
    const reached = await stage.caughtUp(receiving);
    await receiving.stop();
    // More than the slot may hold back.
    for (let i = 0; i < 12; i++) {
      await fill(1000);
      await stage.cluster.query('SELECT pg_switch_wal()');
    }
    await stage.cluster.query('CHECKPOINT');
    await waitFor('the slot to be lost', async () => {
      await stage.cluster.query('CHECKPOINT');
      const [slot] = await stage.cluster.query<{ wal_status: string }>('SELECT wal_status FROM pg_replication_slots');
      return slot?.wal_status === 'lost';
    });
    const next = stage.receive();
    await fill(100);
    await stage.caughtUp(next);
    assert.ok(
      next.events.some(
        (event) =>
          event.type === 'notice' && event.level === 'warning' && /WAL is missing.*was lost/.test(event.message),
      ),
      JSON.stringify(next.events),
    );
    const { gaps } = await checkWal({ repository: stage.repository, cluster: stage.name });
    assert.equal(gaps.length, 1);
    assert.ok((parseLsn(gaps[0]?.from_lsn ?? '') ?? 0n) >= (parseLsn(reached) ?? 0n));
    assert.equal(gaps[0]?.cause, 'slot-lost');
    assert.match(gaps[0]?.details ?? '', /max_slot_wal_keep_size/);
    assert.ok(gaps[0]?.at !== null);
    const { timeline, from_lsn, to_lsn } = gaps[0];
    const window = await recoveryWindow({ repository: stage.repository, cluster: stage.name });
    assert.deepEqual(window.gaps, [{ timeline, from_lsn, to_lsn }]);

    // The latest moment lies behind the gap, and cannot be had before there is a backup behind it.
    await assert.rejects(stage.plan(), { code: 'SPW_TARGET_UNREACHABLE', why: /WAL is missing/ });
    await assert.rejects(stage.plan({ target: { kind: 'lsn', lsn: gaps[0]?.to_lsn ?? '' } }), {
      code: 'SPW_TARGET_UNREACHABLE',
    });
    const [slot] = await stage.cluster.query<{ wal_status: string }>('SELECT wal_status FROM pg_replication_slots');
    assert.notEqual(slot?.wal_status, 'lost');
    await stage.backup();
    await stage.caughtUp(next);
    await next.stop();
    const { cluster } = await stage.restore();
    const count = 'SELECT count(*)::int AS n FROM note';
    assert.deepEqual(await cluster.query(count), await stage.cluster.query(count));
    await cluster.destroy();
  });
});

/** Whoever connects through it can be cut off without the server hearing of it, as by a network that fails. */
async function halfOpenRelay(port: number): Promise<AsyncDisposable & { readonly port: number; cut(): void }> {
  const near = new Set<Socket>();
  const far = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connectSocket(port, '127.0.0.1');
    near.add(client);
    far.add(upstream);
    client.on('error', () => undefined);
    upstream.on('error', () => undefined);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => client.destroyed || client.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = (): void => {
    for (const client of near) client.destroy();
    near.clear();
  };
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      for (const upstream of far) upstream.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
