// The wrong DELETE found from the repository alone, after the server is gone: with the names of tables that were made before the
// backup, after it, and dropped since; over a gap; and the restore to just before it.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { investigate, type InvestigateOptions, type Investigation } from '../src/operation/investigate/run.ts';
import { openScratch } from '../src/operation/scratch/open.ts';
import { listSystems } from '../src/operation/system.ts';
import { WalArchive } from '../src/operation/wal/archive.ts';
import { connect } from '../src/postgres/connection.ts';
import { parseLsn, segmentSize, segmentStart, timelineId } from '../src/postgres/lsn.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { digest } from './wal-workload.ts';

suite('an investigation', () => {
  let stage: Stage;
  let from: Date;
  let to: Date;
  let xid: string;

  before(async () => {
    stage = await makeStage({
      settings: { checkpoint_timeout: '1h', autovacuum: 'off', max_prepared_transactions: '2', fsync: 'off' },
    });
    const { cluster } = stage;
    const now = async (): Promise<Date> => {
      const [row] = await cluster.query<{ at: Date }>('SELECT clock_timestamp() AS at');
      return row?.at ?? new Date(0);
    };
    await cluster.query(`
      CREATE TABLE reading AS SELECT n AS id, n % 7 AS sensor FROM generate_series(1, 20000) AS n;
      CREATE TABLE pump AS SELECT n AS id FROM generate_series(1, 120) AS n;
      CREATE TABLE slow AS SELECT n AS id FROM generate_series(1, 120) AS n;
      ANALYZE pump;
    `);
    await cluster.query('CREATE DATABASE billing');
    await cluster.query('CREATE TABLE invoice AS SELECT generate_series(1, 90) AS n', [], 'billing');
    const receiving = stage.receive();
    await stage.backup();
    // Between the backup and the checkpoint that reading begins with.
    await cluster.query(
      'CREATE SCHEMA late; CREATE TABLE late.valve AS SELECT n AS id FROM generate_series(1, 400) AS n',
    );
    await cluster.query("BEGIN; DELETE FROM slow WHERE id <= 20; PREPARE TRANSACTION 'long'");
    // Who reads a row first marks it, and after a checkpoint that would bring its page.
    await cluster.query('SELECT count(*) FROM pg_class, pg_namespace');
    await cluster.query('CHECKPOINT');
    // A segment of its own, sent before the first moment.
    await cluster.query('SELECT pg_switch_wal()');
    await cluster.query('INSERT INTO reading VALUES (0, 0)');
    await stage.caughtUp(receiving);
    from = await now();
    await cluster.query('INSERT INTO reading SELECT n, 1 FROM generate_series(20001, 20050) AS n');
    await cluster.query('DELETE FROM late.valve WHERE id <= 300');
    await cluster.query('DELETE FROM invoice', [], 'billing');
    const [row] = await cluster.query<{ xid: string }>(
      'WITH gone AS (DELETE FROM reading WHERE sensor = 3 RETURNING 1) SELECT pg_current_xact_id()::text AS xid FROM gone LIMIT 1',
    );
    xid = row?.xid ?? '';
    await cluster.query('DROP TABLE pump');
    to = await now();
    await cluster.query('SELECT pg_switch_wal()');
    await cluster.query('TRUNCATE reading');
    // Nobody counted its rows, but all of its life is in the WAL.
    await cluster.query('CREATE TABLE brief AS SELECT generate_series(1, 5) AS n');
    await cluster.query('DROP TABLE brief');
    await cluster.query("COMMIT PREPARED 'long'");
    await stage.caughtUp(receiving);
    await stage.rest();
    await cluster.stop();
  });
  after(() => stage[Symbol.asyncDispose]());

  const look = (options: Partial<InvestigateOptions> = {}): Promise<Investigation> =>
    investigate({ repository: stage.repository, cluster: stage.name, from, to, report: () => undefined, ...options });

  test('tells what happened between two moments, the most destructive first, by names', async () => {
    const seen = await look();
    assert.deepEqual(
      seen.found.map((each) => `${each.tables[0]?.database ?? ''}: ${digest(each)}${each.whole ? '' : ', not whole'}`),
      [
        'postgres: -2857 public.reading',
        'postgres: -300 late.valve',
        ': dropped public.pump (120)',
        'billing: -90 public.invoice',
        'postgres: +50 public.reading',
      ],
    );
    assert.deepEqual(
      seen.found.map((each) => each.xid === xid),
      [true, false, false, false, false],
    );
    assert.ok(seen.names.searched_bytes > 0, 'late.valve is named in WAL of before the checkpoint alone');
    assert.equal(seen.names.unknown, 0);
    assert.ok(seen.covers_from);
    assert.deepEqual(seen.breaks, []);
    assert.equal(seen.read.undecoded, 0);
    assert.equal(seen.transactions.committed, 5);
    assert.deepEqual(
      seen.tables.map(({ name, transactions, inserts, deletes }) => [name, transactions, inserts, deletes]),
      [
        ['reading', 2, 50, 2857],
        ['valve', 1, 0, 300],
        ['invoice', 1, 0, 90],
      ],
    );
  });

  test('tells only what is asked for', async () => {
    const digests = async (options: Partial<InvestigateOptions>): Promise<readonly string[]> =>
      (await look(options)).found.map(digest);
    assert.deepEqual(await digests({ table: 'late.valve' }), ['-300 late.valve']);
    assert.deepEqual(await digests({ kinds: ['drop'] }), ['dropped public.pump (120)']);
    assert.deepEqual(await digests({ kinds: ['delete'], minimumRows: 200 }), [
      '-2857 public.reading',
      '-300 late.valve',
    ]);
    assert.deepEqual(await digests({ to: undefined, kinds: ['truncate', 'drop'] }), [
      'truncated public.reading (?)',
      'dropped public.pump (120)',
      'dropped public.brief (5)',
    ]);
    const one = await look({ limit: 1 });
    assert.deepEqual([one.found.length, one.transactions.left_out], [1, 4]);
    assert.deepEqual(await digests({ from: new Date(to.getTime() + 3_600_000), to: undefined }), []);
  });

  test('goes back for all of a transaction that began before', async () => {
    // Its rows were deleted before the checkpoint that reading begins with otherwise.
    const seen = await look({ from: to, to: undefined });
    assert.deepEqual(
      seen.found.map((each) => `${digest(each)}${each.whole ? '' : ', not whole'}`),
      [
        'truncated public.reading (?)',
        '-20 public.slow',
        'dropped public.brief (5)',
        'created public.brief; +5 public.brief',
      ],
    );
    assert.equal(seen.transactions.unfinished, 0);
  });

  test('gives what a restore needs to end just before it, and what it takes to look around there', async () => {
    const [worst] = (await look()).found;
    assert.ok(worst !== undefined);
    await using then = await openScratch({
      repository: stage.repository,
      cluster: stage.name,
      target: { kind: 'xid', xid: worst.xid },
      exclusive: true,
      action: 'pause',
      folder: join(stage.folder, 'scratch'),
      purpose: 'timetravel',
      connection: stage.cluster.connection,
      binDirectory: stage.cluster.installation.binDirectory,
      workers: 2,
      restoreCommand: 'exit 150',
      signal: new AbortController().signal,
      report: () => undefined,
    });
    await using session = await connect(then.connection);
    assert.deepEqual(await session.query('SELECT count(*)::int AS n FROM reading'), [{ n: 20_051 }]);
    await session.query('SET default_transaction_read_only = off');
    await assert.rejects(session.query('DELETE FROM reading'), ({ cause }: Error) => /read-only/.test(String(cause)));
  });

  test('goes on behind a gap, tells it, and what it cannot know of the transactions there', async () => {
    const [worst] = (await look()).found;
    const position = parseLsn(worst?.commit_lsn ?? '');
    const [system] = await listSystems(stage.repository, stage.name);
    assert.ok(position !== undefined && system !== undefined);
    const size = segmentSize(system.wal_segment_bytes);
    const archive = new WalArchive(stage.repository, stage.name, system.system_identifier, size);
    const taken = await archive.find(timelineId(1), segmentStart(position, size));
    for (const { name } of taken) await rm(join(stage.repositoryPath, name));
    // Once it begins behind the gap, and once it comes to it.
    for (const begin of [from, new Date(0)]) {
      const seen = await look({ from: begin, to: undefined });
      assert.equal(seen.breaks.length, 1);
      assert.ok(seen.found.some((each) => digest(each) === 'truncated public.reading (?)' && !each.whole));
      assert.ok(seen.found.every((each) => each.xid !== xid));
    }
  });

  test('says that there is nothing to look into', async () => {
    await assert.rejects(look({ cluster: 'other' }), (error) => isSpillwayError(error, 'SPW_WAL_ABSENT'));
    await assert.rejects(look({ timeline: 7 }), (error) => isSpillwayError(error, 'SPW_WAL_ABSENT'));
    await assert.rejects(look({ from: to, to: from }), (error) => isSpillwayError(error, 'SPW_USAGE'));
  });
});
