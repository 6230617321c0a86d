// A receiver as a synchronous standby, and several of them: whatever is killed, and whenever, an acknowledged commit is in
// the repository, and the WAL goes on without a gap.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { seededRandom } from '@spillway/lab';
import { checkWal } from '../src/operation/wal/check.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { parseLsn, segmentSize, segmentStart, timelineId, type Lsn } from '../src/postgres/lsn.ts';
import { commitTime, recordsOf, type WalChunk } from '../src/postgres/walrecord.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';
import { type ReceiverOrder, type ReceiverProcess, startReceiver } from './wal-process.ts';
import { assembled } from './stored-wal.ts';

const SIZE = segmentSize(1024 * 1024);
const one = timelineId(1);

describe('receivers that are killed', () => {
  let stage: Stage;
  let archive: WalArchive;
  const receivers: ReceiverProcess[] = [];

  before(async () => {
    stage = await makeStage({ settings: { wal_sender_timeout: '5s' } });
    await stage.cluster.query('CREATE TABLE note (text text)');
    const [row] = await stage.cluster.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    archive = new WalArchive(stage.repository, stage.name, row?.id ?? '', SIZE);
  });
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.kill();
  });
  after(() => stage[Symbol.asyncDispose]());

  const receive = (options: Partial<ReceiverOrder> = {}): ReceiverProcess => {
    const receiver = startReceiver({
      handle: stage.repository.handle,
      cluster: { name: stage.name, connection: stage.cluster.connection },
      slot: stage.slot,
      flushIntervalMs: 100,
      ...options,
    });
    receivers.push(receiver);
    return receiver;
  };

  const streaming = (receiver: ReceiverProcess): Promise<void> =>
    waitFor('the stream', () => {
      if (receiver.error() !== undefined) throw new Error(receiver.error());
      return receiver.position() !== undefined;
    });

  /** Inserts from several sessions until `count` commits were acknowledged; gives their transactions, and who goes on. */
  async function commit(
    count: number,
  ): Promise<{ readonly acknowledged: readonly string[]; readonly ended: Promise<void> }> {
    const acknowledged: string[] = [];
    const enough = Promise.withResolvers<void>();
    const work = async (): Promise<void> => {
      const session = await stage.cluster.connect();
      session.on('error', () => undefined);
      try {
        for (;;) {
          const { rows } = await session.query<{ xid: string }>(
            "INSERT INTO note VALUES (repeat('x', 300)) RETURNING pg_current_xact_id()::text AS xid",
          );
          acknowledged.push(rows[0]?.xid ?? '');
          if (acknowledged.length >= count) enough.resolve();
        }
      } catch (error) {
        enough.reject(error);
      } finally {
        await session.end().catch(() => undefined);
      }
    };
    const ended = Promise.all([work(), work(), work()]).then(() => undefined);
    await enough.promise;
    return { acknowledged: [...acknowledged], ended };
  }

  /** The transactions whose commits the repository holds, read as a restore would. */
  async function committed(): Promise<ReadonlySet<string>> {
    const objects = (await archive.catalog()).objects.get(one) ?? [];
    const starts = [...new Set(objects.map(({ start }) => segmentStart(start, SIZE)))];
    async function* chunks(): AsyncGenerator<WalChunk> {
      for (const start of starts) {
        const found = await assembled(archive, one, start);
        if (found === undefined) return;
        yield { start, bytes: found.bytes };
      }
    }
    const xids = new Set<string>();
    for await (const record of recordsOf(chunks(), starts[0] as Lsn)) {
      const end = commitTime(record);
      if (record.crcOk && end?.kind === 'commit') xids.add(String(end.xid));
    }
    return xids;
  }

  test('what a commit was acknowledged for is in the repository, whenever server and receiver are killed', async () => {
    await stage.cluster.query(`ALTER SYSTEM SET synchronous_standby_names = 'safe'`);
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seededRandom(seed);
      await stage.cluster.query('SELECT pg_reload_conf()');
      const receiver = receive({ synchronous: true, applicationName: 'safe' });
      await streaming(receiver);
      const { acknowledged, ended } = await commit(random.between(10, 130));
      // Both at once: neither has time to finish anything.
      await Promise.all([receiver.kill(), stage.cluster.kill()]);
      await ended;
      const held = await committed();
      const lost = acknowledged.filter((xid) => !held.has(xid));
      assert.deepEqual(lost, [], `seed ${seed}: lost of ${acknowledged.length} acknowledged commits`);
      await stage.cluster.start();
    }
    const setter = await stage.cluster.connect();
    await setter.query('SET synchronous_commit = local');
    await setter.query('ALTER SYSTEM RESET synchronous_standby_names');
    await setter.query('SELECT pg_reload_conf()');
    await setter.end();
  });

  test('of several receivers one works, the others stand by, and one of them takes over without a gap', async () => {
    await assert.doesNotReject(stage.backup());
    let working = receive({ wait: true });
    await streaming(working);
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed);
      const waiting = receive({ wait: true });
      await waitFor('the other to stand by', () =>
        waiting.events.some((event) => event.type === 'notice' && /Waiting for the lock/.test(event.message)),
      );
      assert.equal(waiting.position(), undefined);
      await stage.cluster.query(
        `INSERT INTO note SELECT repeat(md5(n::text), 20) FROM generate_series(1, ${random.between(500, 4500)}) n`,
      );
      await working.kill();
      await stage.cluster.query("INSERT INTO note VALUES ('while nobody receives')");
      const [row] = await stage.cluster.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at');
      await streaming(waiting);
      await waitFor(
        'the other to catch up',
        () => (parseLsn(waiting.position()?.durable_lsn ?? '') ?? 0n) >= (parseLsn(row?.at ?? '') ?? 0n),
      );
      working = waiting;
    }
    const { gaps, data } = await checkWal({ repository: stage.repository, cluster: stage.name, data: true });
    assert.deepEqual(gaps, []);
    assert.deepEqual(data?.damaged, []);
    assert.ok((data?.records ?? 0) > 1000);
  });

  test('a second receiver that is not told to wait is refused', async () => {
    const working = receive();
    await streaming(working);
    const other = receive();
    await waitFor('its refusal', () => other.error() !== undefined);
    assert.match(other.error() ?? '', /was not started/);
  });
});
