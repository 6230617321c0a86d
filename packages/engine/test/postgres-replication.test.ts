// The replication protocol against real servers of each major that is here.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, after, before, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import type { Session } from '../src/postgres/connection.ts';
import { lsn, parseLsn, segmentName, segmentSize, segmentStart, timelineId, type Lsn } from '../src/postgres/lsn.ts';
import { connectReplication, type ReplicationSession } from '../src/postgres/replication.ts';
import type { WalStream } from '../src/postgres/walstream.ts';
import { majors, makeCluster, relay, type Throwaway, waitFor } from './throwaway.ts';

const MIB = 1024 * 1024;
const size = segmentSize(MIB);

for (const major of majors) {
  describe(`PostgreSQL ${major}`, () => {
    let cluster: Throwaway;
    let session: Session;

    before(async () => {
      cluster = await makeCluster({
        major,
        initdb: ['--wal-segsize=1'],
        configuration: { wal_sender_timeout: '2s', max_wal_size: '2MB', min_wal_size: '2MB', autovacuum: 'off' },
      });
      await cluster.start();
      session = await cluster.session();
      await session.query('CREATE TABLE filler (bytes text)');
    });

    after(async () => {
      await session[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    });

    const write = async (mebibytes: number): Promise<Lsn> => {
      await session.query(
        `INSERT INTO filler SELECT string_agg(md5(random()::text), '') FROM generate_series(1, ${mebibytes}),
         generate_series(1, 32768) AS part GROUP BY part % 1024, generate_series`,
      );
      return position(session);
    };

    test('identifies the system, reads settings, and makes, reads and drops slots', async () => {
      await using replication = await connectReplication(cluster.settings);
      const identity = await replication.identifySystem();
      const [row] = await session.query<{ id: string }>(
        'SELECT system_identifier::text AS id FROM pg_control_system()',
      );
      assert.equal(identity.systemIdentifier, row?.id);
      assert.equal(identity.timeline, 1);
      assert.equal(await replication.showParameter('wal_segment_size'), '1MB');
      assert.equal(await replication.readSlot('first'), undefined);
      assert.equal(await replication.createPhysicalSlot('first', { reserveWal: true }), 'created');
      assert.equal(await replication.createPhysicalSlot('first', { reserveWal: true }), 'exists');
      const slot = await replication.readSlot('first');
      assert.equal(slot?.restartTimeline, 1);
      assert.ok(slot.restartLsn !== undefined && slot.restartLsn > 0n && slot.restartLsn <= (await position(session)));
      await replication.dropSlot('first');
      assert.equal(await replication.readSlot('first'), undefined);
      assert.equal(await replication.createPhysicalSlot('second', { temporary: true, reserveWal: false }), 'created');
      assert.deepEqual(await replication.readSlot('second'), { restartLsn: undefined, restartTimeline: undefined });
      await assert.rejects(replication.createPhysicalSlot('No "good"', { reserveWal: true }), {
        code: 'SPW_CONFIG_INVALID',
      });
      await assert.rejects(replication.timelineHistory(timelineId(7)), { code: 'SPW_POSTGRES_FAILED' });
    });

    test('streams the bytes of the segments as the server has them on disk, and tells what was flushed', async () => {
      await using replication = await connectReplication(cluster.settings);
      await replication.createPhysicalSlot('bytes', { reserveWal: true });
      const start = segmentStart((await replication.identifySystem()).position, size);
      const end = await write(3);
      await using other = await connectReplication(cluster.settings);
      const stream = replication.stream({ slot: 'bytes', start, timeline: timelineId(1), statusIntervalMs: 100 });
      const received = await collect(stream, start, end, false);
      const whole = Number(segmentStart(end, size) - start);
      for (let offset = 0; offset < whole; offset += MIB) {
        const name = segmentName(timelineId(1), lsn(start + BigInt(offset)), size);
        const file = await readFile(join(cluster.dataDirectory, 'pg_wal', name));
        assert.ok(file.equals(received.subarray(offset, offset + MIB)), `segment ${name} differs`);
      }
      stream.confirm({ written: end, flushed: end });
      await waitFor('the slot to move', async () => (await other.readSlot('bytes'))?.restartLsn === end);
      // Backwards is not told.
      stream.confirm({ written: start, flushed: start });
      await stream.close();
      assert.equal((await replication.readSlot('bytes'))?.restartLsn, end, 'the session can be used again');
      assert.equal(stream.ended, undefined);
      await replication.dropSlot('bytes');
    });

    test('answers the server while the consumer is slow, with a bounded queue, and loses nothing', async () => {
      await using replication = await connectReplication({ ...cluster.settings, applicationName: 'slow' });
      await replication.createPhysicalSlot('slow', { reserveWal: true, temporary: true });
      const start = segmentStart((await replication.identifySystem()).position, size);
      const end = await write(24);
      const stream = replication.stream({
        slot: 'slow',
        start,
        timeline: timelineId(1),
        statusIntervalMs: 100,
        queueBytesMax: MIB,
      });
      const iterator = stream[Symbol.asyncIterator]();
      const first = await iterator.next();
      assert.ok(first.done !== true);
      // Longer than wal_sender_timeout, by the clock of the server.
      const from = await clock(session);
      await waitFor('three seconds of silence from the consumer', async () => (await clock(session)) - from > 3);
      const [row] = await session.query<{ behind: string; pid: number }>(
        "SELECT pg_wal_lsn_diff($1, sent_lsn)::text AS behind, pid FROM pg_stat_replication WHERE application_name = 'slow'",
        [`${(end >> 32n).toString(16)}/${(end & 0xffffffffn).toString(16)}`],
      );
      assert.ok(row !== undefined, 'the server has given up the connection');
      assert.ok(Number(row.behind) > 8 * MIB, `the server could send all but ${row.behind} bytes`);
      const rest = await collect({ [Symbol.asyncIterator]: () => iterator }, start, end, true, first.value);
      const name = segmentName(timelineId(1), start, size);
      const file = await readFile(join(cluster.dataDirectory, 'pg_wal', name));
      assert.ok(file.equals(rest.subarray(0, MIB)));
    });

    test('a keepalive that asks for an answer gets one at once, long before the interval', async () => {
      await using replication = await connectReplication({ ...cluster.settings, applicationName: 'asked' });
      const start = (await replication.identifySystem()).position;
      const stream = replication.stream({ start, timeline: timelineId(1), statusIntervalMs: 600_000 });
      const from = await clock(session);
      for await (const message of stream) {
        // The server asks after half its wal_sender_timeout, and would be gone after all of it.
        if (message.kind === 'keepalive' && message.replyRequested && (await clock(session)) - from > 2.5) break;
      }
      assert.equal((await replication.identifySystem()).timeline, 1);
    });

    test('a cut connection is told after all that had arrived, and is not an end', async () => {
      await using between = await relay(cluster.port);
      await using replication = await connectReplication({ ...cluster.settings, port: between.port });
      // Without a slot the little WAL that is kept would be gone before it is sent.
      await replication.createPhysicalSlot('cut', { reserveWal: true, temporary: true });
      const start = (await replication.identifySystem()).position;
      const stream = replication.stream({ slot: 'cut', start, timeline: timelineId(1), statusIntervalMs: 100 });
      const iterator = stream[Symbol.asyncIterator]();
      const end = await write(2);
      // The server has sent everything, and we have received it without taking any of it.
      await waitFor('the WAL to be sent', async () => {
        const [row] = await session.query<{ sent: string }>('SELECT sent_lsn::text AS sent FROM pg_stat_replication');
        return (parseLsn(row?.sent ?? '0/0') ?? 0n) >= end;
      });
      await waitFor('the WAL to arrive', () => between.delivered() > Number(end - start));
      between.cut();
      await waitFor(
        'the server to notice',
        async () => (await session.query('SELECT 1 FROM pg_stat_replication')).length === 0,
      );
      let reached: bigint = start;
      await assert.rejects(
        async () => {
          for (;;) {
            const { value, done } = await iterator.next();
            assert.ok(done !== true, 'it must not end');
            if (value.kind !== 'wal') continue;
            assert.equal(value.start, reached);
            reached += BigInt(value.bytes.length);
          }
        },
        (error) => isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE') && error.message.includes('lost the connection'),
      );
      assert.ok(reached >= end, `${end - reached} bytes were lost`);
      await stream.close();
    });

    test('an aborted stream throws the reason, and leaves the session usable', async () => {
      await using replication = await connectReplication(cluster.settings);
      const start = (await replication.identifySystem()).position;
      const controller = new AbortController();
      const stream = replication.stream({
        start,
        timeline: timelineId(1),
        statusIntervalMs: 100,
        signal: controller.signal,
      });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = drain(iterator);
      controller.abort(new Error('enough'));
      await assert.rejects(waiting, /enough/);
      assert.equal((await replication.identifySystem()).timeline, 1);
    });

    test('a slot that is in use is locked, and WAL that is gone is a gap', async () => {
      await using first = await connectReplication(cluster.settings);
      await using second = await connectReplication(cluster.settings);
      await first.createPhysicalSlot('contested', { reserveWal: true });
      const start = (await first.identifySystem()).position;
      const options = { slot: 'contested', start, timeline: timelineId(1), statusIntervalMs: 100 };
      const holder = first.stream(options);
      await holder[Symbol.asyncIterator]().next();
      await assert.rejects(drain(second.stream(options)[Symbol.asyncIterator]()), { code: 'SPW_LOCKED' });
      await holder.close();
      await first.dropSlot('contested');
      await write(8);
      await session.query('CHECKPOINT');
      await waitFor('the first segments to be removed', async () => {
        await session.query('SELECT pg_switch_wal()');
        await session.query('CHECKPOINT');
        const [row] = await session.query<{ oldest: string }>('SELECT min(name) AS oldest FROM pg_ls_waldir()');
        return (row?.oldest ?? '') > segmentName(timelineId(1), start, size);
      });
      const gone = second.stream({ start, timeline: timelineId(1), statusIntervalMs: 100 });
      await assert.rejects(drain(gone[Symbol.asyncIterator]()), { code: 'SPW_WAL_GAP' });
      assert.equal((await second.identifySystem()).timeline, 1, 'the session can be used again');
    });

    test('a server that shuts down ends in a lost connection, after the last record', async () => {
      await using replication = await connectReplication(cluster.settings);
      const start = (await replication.identifySystem()).position;
      const stream = replication.stream({ start, timeline: timelineId(1), statusIntervalMs: 100 });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      await session[Symbol.asyncDispose]();
      const stopped = cluster.stop('SIGINT');
      let reached = start;
      await assert.rejects(
        async () => {
          for (;;) {
            const { value } = await iterator.next();
            if (value?.kind === 'wal') reached = lsn(value.start + BigInt(value.bytes.length));
            stream.confirm({ written: reached, flushed: reached });
          }
        },
        { code: 'SPW_POSTGRES_UNREACHABLE' },
      );
      await stopped;
      assert.ok(reached > start, 'the shutdown checkpoint was received');
      await cluster.start();
      session = await cluster.session();
    });

    test('the end of a timeline tells the next one and where it began', async () => {
      const start = segmentStart(await position(session), size);
      await session[Symbol.asyncDispose]();
      await cluster.stop();
      await cluster.makeStandby();
      await cluster.start();
      session = await cluster.session();
      await session.query('SELECT pg_promote()');
      await using replication = await connectReplication(cluster.settings);
      assert.equal((await replication.identifySystem()).timeline, 2);
      const stream = replication.stream({ start, timeline: timelineId(1), statusIntervalMs: 100 });
      let reached: bigint = start;
      for await (const message of stream) if (message.kind === 'wal') reached += BigInt(message.bytes.length);
      assert.deepEqual(stream.ended, { nextTimeline: 2, switchpoint: reached });
      const history = await replication.timelineHistory(timelineId(2));
      assert.equal(history.fileName, '00000002.history');
      const file = await readFile(join(cluster.dataDirectory, 'pg_wal', history.fileName));
      assert.ok(file.equals(history.content));
      // At the end already: the server answers without streaming at all.
      const rest = replication.stream({ start: lsn(reached), timeline: timelineId(1), statusIntervalMs: 100 });
      await drain(rest[Symbol.asyncIterator]());
      assert.deepEqual(rest.ended, { nextTimeline: 2, switchpoint: reached });
      await next(replication, lsn(reached));
    });
  });
}

/** Goes on with the next timeline in the same session. */
async function next(replication: ReplicationSession, start: Lsn): Promise<void> {
  const stream = replication.stream({ start, timeline: timelineId(2), statusIntervalMs: 100 });
  for await (const message of stream) {
    if (message.kind === 'wal') {
      assert.equal(message.start, start);
      break;
    }
  }
  assert.equal((await replication.identifySystem()).timeline, 2);
}

async function drain(iterator: AsyncIterator<unknown>): Promise<void> {
  while ((await iterator.next()).done !== true);
}

/** Joins what comes until `end`, checking that no byte is missing or comes twice. */
async function collect(
  stream: Pick<WalStream, typeof Symbol.asyncIterator>,
  start: Lsn,
  end: Lsn,
  leave: boolean,
  first?: Awaited<ReturnType<AsyncIterator<unknown>['next']>>['value'],
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let reached: bigint = start;
  const take = (message: unknown): void => {
    if (!isWal(message)) return;
    assert.equal(message.start, reached);
    pieces.push(message.bytes);
    reached += BigInt(message.bytes.length);
  };
  take(first);
  const iterator = stream[Symbol.asyncIterator]();
  for (;;) {
    if (reached >= end) break;
    take((await iterator.next()).value);
  }
  if (leave) await iterator.return?.();
  return Buffer.concat(pieces);
}

function isWal(message: unknown): message is { readonly start: Lsn; readonly bytes: Uint8Array } {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === 'wal';
}

async function position(session: Session): Promise<Lsn> {
  const [row] = await session.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  const parsed = parseLsn(row?.lsn ?? '');
  assert.ok(parsed !== undefined);
  return parsed;
}

async function clock(session: Session): Promise<number> {
  const [row] = await session.query<{ seconds: number }>(
    'SELECT extract(epoch FROM clock_timestamp())::float8 AS seconds',
  );
  return row?.seconds ?? 0;
}
