// WAL of real servers, record by record; that of 15 also against pg_waldump.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Session } from '../src/postgres/connection.ts';
import { formatLsn, lsn, parseLsn, parseSegmentName, segmentSize, timelineId, type Lsn } from '../src/postgres/lsn.ts';
import {
  checkSegmentHeader,
  commitTime,
  records,
  restorePointName,
  type WalChunk,
  type WalRecord,
} from '../src/postgres/walrecord.ts';
import { majors, makeCluster, type Throwaway } from './throwaway.ts';

const size = segmentSize(1024 * 1024);

for (const major of majors) {
  describe(`PostgreSQL ${major}`, () => {
    let cluster: Throwaway;
    let session: Session;
    let chunks: readonly WalChunk[];
    let read: readonly WalRecord[];
    let start: Lsn;
    let end: Lsn;
    let systemIdentifier: string;
    const committed = new Map<number, { readonly at: Date; readonly atMicros: bigint }>();
    let prepared = 0;
    let rolledBack = 0;

    before(async () => {
      cluster = await makeCluster({
        major,
        initdb: ['--wal-segsize=1'],
        configuration: {
          max_prepared_transactions: '5',
          wal_compression: 'on',
          track_commit_timestamp: 'on',
          autovacuum: 'off',
          max_wal_size: '1GB',
          wal_keep_size: '1GB',
        },
      });
      await cluster.start();
      session = await cluster.session();
      await session.query('CHECKPOINT');
      start = await lsnOf('(SELECT redo_lsn FROM pg_control_checkpoint())');
      await session.query('CREATE TABLE filled (n int, bytes text)');
      await session.query('ALTER TABLE filled ALTER bytes SET STORAGE external');
      // Records from tiny ones to ones of several pages, over several segments.
      await session.query(
        'INSERT INTO filled SELECT n, repeat(md5(n::text), n % 300) FROM generate_series(1, 2000) AS n',
      );
      for (const message of ['x', 'y'.repeat(100_000)]) {
        await session.query('SELECT pg_logical_emit_message(true, $1, $2)', ['test', message]);
      }
      await session.query('SELECT pg_switch_wal()');
      await session.query("SELECT pg_create_restore_point('before the störm')");
      for (let each = 0; each < 5; each++) {
        const [row] = await session.query<{ xid: string }>('INSERT INTO filled VALUES (0) RETURNING xmin::text AS xid');
        const [time] = await session.query<{ at: Date; micros: string }>(
          'SELECT at, (extract(epoch FROM at) * 1000000)::bigint::text AS micros FROM pg_xact_commit_timestamp($1::text::xid) AS at',
          [row?.xid],
        );
        assert.ok(row !== undefined && time !== undefined);
        committed.set(Number(row.xid), { at: time.at, atMicros: BigInt(time.micros) });
      }
      await session.query('BEGIN');
      await session.query('SAVEPOINT one');
      await session.query('CREATE TABLE two (n int)');
      await session.query('DROP TABLE filled');
      prepared = Number((await session.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid'))[0]?.xid);
      await session.query("PREPARE TRANSACTION 'two'");
      await session.query("COMMIT PREPARED 'two'");
      await session.query('BEGIN');
      await session.query('CREATE TABLE three (n int)');
      rolledBack = Number((await session.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid'))[0]?.xid);
      await session.query('ROLLBACK');
      await session.query('CHECKPOINT');
      end = await lsnOf('pg_current_wal_flush_lsn()');
      [{ id: systemIdentifier }] = (await session.query(
        'SELECT system_identifier::text AS id FROM pg_control_system()',
      )) as [{ id: string }];
      await session[Symbol.asyncDispose]();
      await cluster.stop('SIGQUIT');
      chunks = await segments();
      read = [...records(chunks, start)];
    });

    after(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    const lsnOf = async (expression: string): Promise<Lsn> => {
      const [row] = await session.query<{ lsn: string }>(`SELECT ${expression}::text AS lsn`);
      return parseLsn(row?.lsn ?? '') ?? lsn(0n);
    };

    const segments = async (): Promise<readonly WalChunk[]> => {
      const folder = join(cluster.dataDirectory, 'pg_wal');
      const found: WalChunk[] = [];
      for (const name of (await readdir(folder)).toSorted()) {
        const named = parseSegmentName(name, size);
        if (named === undefined || named.start + BigInt(size) <= start) continue;
        found.push({ start: named.start, bytes: await readFile(join(folder, name)) });
      }
      return found;
    };

    test('the records are read to the last one, linked and whole', () => {
      assert.ok(read.length > 2000, `only ${read.length} records`);
      for (const [index, record] of read.entries()) {
        assert.ok(record.crcOk, `the CRC of ${formatLsn(record.lsn)}`);
        assert.equal(record.major, major);
        if (index > 0) assert.equal(record.previousLsn, read[index - 1]?.lsn);
      }
      assert.equal(read.at(-1)?.endLsn, end);
      assert.ok(read.some(({ length }) => length > 100_000));
    });

    test('a read that begins later, or at the start of a segment, gives the same records', () => {
      const middle = read[Math.floor(read.length / 2)];
      assert.ok(middle !== undefined);
      assert.deepEqual(places([...records(chunks, middle.lsn)]), places(read.slice(read.indexOf(middle))));
      const [, second] = chunks;
      assert.ok(second !== undefined);
      const from = read.findIndex((record) => record.lsn >= second.start);
      assert.deepEqual(places([...records(chunks.slice(1), second.start)]), places(read.slice(from)));
    });

    test('chunks of any number of pages give the same records', () => {
      const cut = chunks.flatMap(({ start: begin, bytes }) =>
        Array.from({ length: Math.ceil(size / 24_576) }, (_, index) => ({
          start: lsn(begin + BigInt(index * 24_576)),
          bytes: bytes.subarray(index * 24_576, (index + 1) * 24_576),
        })),
      );
      assert.deepEqual(places([...records(cut, start)]), places(read));
    });

    test('WAL that is cut short anywhere ends cleanly before the first record that is not whole', () => {
      const [{ start: begin, bytes }] = chunks as readonly [WalChunk];
      for (let length = Number(start - begin) + 1; length < size; length += 4099) {
        const cut = [...records([{ start: begin, bytes: bytes.subarray(0, length) }], start)];
        const whole = read.filter(
          ({ lsn: at, endLsn }) => at < begin + BigInt(length) && endLsn <= begin + BigInt(length),
        );
        // The last one may be whole with its padding cut off.
        assert.ok(cut.length - whole.length === 0 || cut.length - whole.length === 1, `at ${length}`);
        assert.deepEqual(places(cut).slice(0, whole.length), places(whole));
      }
    });

    test('a flipped bit in a record is found, and nothing after it is given', () => {
      const [{ start: begin, bytes }] = chunks as readonly [WalChunk];
      for (const index of [0, 5, 50]) {
        const record = read[index];
        assert.ok(record !== undefined);
        const torn = Buffer.from(bytes);
        const at = Number(record.lsn - begin) + 25;
        torn.writeUInt8(torn.readUInt8(at) ^ 1, at);
        const got = [...records([{ start: begin, bytes: torn }], start)];
        assert.equal(got.length, index + 1);
        assert.equal(got.at(-1)?.crcOk, false);
      }
    });

    test('commits are found with their transaction and time, prepared ones and aborts too', () => {
      const ends = read.map(commitTime).filter((each) => each !== undefined);
      for (const [xid, at] of committed) {
        assert.deepEqual(
          ends.filter((each) => each.xid === xid),
          [{ xid, ...at, kind: 'commit' }],
        );
      }
      assert.deepEqual(
        ends.filter(({ xid }) => xid === prepared).map(({ kind }) => kind),
        ['commit'],
      );
      assert.deepEqual(
        ends.filter(({ xid }) => xid === rolledBack).map(({ kind }) => kind),
        ['abort'],
      );
      assert.ok(ends.every(({ xid }) => xid > 0));
    });

    test('restore points are found by name', () => {
      const points = read.map(restorePointName).filter((each) => each !== undefined);
      assert.deepEqual(
        points.map(({ name }) => name),
        ['before the störm'],
      );
      assert.ok(Math.abs((points[0]?.at.getTime() ?? 0) - ([...committed.values()][0]?.at.getTime() ?? 0)) < 60_000);
    });

    test('the head of a segment is checked against its name and its cluster', () => {
      const [, { start: begin, bytes }] = chunks as readonly [WalChunk, WalChunk];
      const right = {
        systemIdentifier,
        timeline: timelineId(1),
        start: begin,
        segmentSize: size,
        postgresMajor: major,
      };
      checkSegmentHeader(bytes, right);
      checkSegmentHeader(bytes, { ...right, timeline: timelineId(2) });
      const wrong = [
        [{ ...right, systemIdentifier: '7' }, /system/],
        [{ ...right, timeline: timelineId(0) }, /timeline 1/],
        [{ ...right, start: lsn(begin + BigInt(size)) }, /address/],
        [{ ...right, segmentSize: segmentSize(2 * size) }, /segment size/],
        [{ ...right, postgresMajor: 17 }, /magic/],
      ] as const;
      for (const [expected, why] of wrong) {
        assert.throws(() => checkSegmentHeader(bytes, expected), { code: 'SPW_WAL_INVALID', why });
      }
      assert.throws(() => checkSegmentHeader(bytes.subarray(8192), { ...right, start: lsn(begin + 8192n) }), {
        why: /long/,
      });
      assert.throws(() => checkSegmentHeader(new Uint8Array(size), right), { why: /magic 0/ });
      assert.throws(() => checkSegmentHeader(bytes.subarray(0, 20), right), { why: /20 bytes/ });
    });

    // The program comes with the machine's PostgreSQL, and not with the embedded one: for that there is no such test.
    if (major === 15)
      test('pg_waldump prints the same', async () => {
        const { stdout } = await promisify(execFile)(
          join(cluster.binDirectory, 'pg_waldump'),
          ['-p', join(cluster.dataDirectory, 'pg_wal'), '-s', formatLsn(start), '-e', formatLsn(end)],
          { env: { LC_ALL: 'C', TZ: 'UTC' }, maxBuffer: 64 * 1024 * 1024 },
        );
        const printed = stdout
          .trim()
          .split('\n')
          .map((line) =>
            /\/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: (?:COMMIT|ABORT)? *(\d{4}-\S+ [\d:.]+ UTC)?/.exec(
              line,
            ),
          )
          .map((match) => [match?.[1], match?.[2], pad(match?.[3]), pad(match?.[4]), match?.[5]?.slice(0, 23)]);
        const ours = read.map((record) => [
          String(record.length),
          String(record.xid),
          pad(formatLsn(record.lsn)),
          pad(formatLsn(record.previousLsn)),
          record.resourceManager === 1 && [0, 0x20].includes(record.info & 0x70)
            ? commitTime(record)?.at.toISOString().replace('T', ' ').slice(0, 23)
            : undefined,
        ]);
        assert.deepEqual(ours, printed);
      });
  });
}

/** pg_waldump fills up with zeros. */
const pad = (text = ''): string => text.replace(/\/(.*)$/, (_, low: string) => `/${low.padStart(8, '0')}`);

const places = (all: readonly WalRecord[]): readonly (readonly [bigint, bigint])[] =>
  all.map((record) => [record.lsn, record.endLsn]);
