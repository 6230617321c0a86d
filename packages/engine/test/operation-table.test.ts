// Tables brought back into a live database: beside, in their place, and into files; beside writers, foreign keys, triggers and
// columns that have changed since. One cluster, one backup, one scratch cluster of the moment for all of it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { isSpillwayError, type SpillwayError } from '@spillway/contract';
import pg from 'pg';
import {
  openScratch,
  restoreTables,
  type Scratch,
  type TableRestoreOptions,
  type TableRestoreSummary,
} from '../src/index.ts';
import { listEvidence } from '../src/repository/evidence.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const TOOLS = '/usr/lib/postgresql/15/bin';
const WATER = 'Water "works"';

suite('tables brought back', { skip: !existsSync(join(TOOLS, 'pg_dump')) }, () => {
  let stage: Stage;
  let live: pg.Client;
  let scratch: Scratch;
  let moment: string;
  /** What each table held at the moment, as text. */
  const then = new Map<string, string>();

  const rowsOf = async (table: string, columns = 't.*'): Promise<string> => {
    const { rows } = await live.query<{ row: string }>(
      `SELECT ROW(${columns})::text AS row FROM (SELECT * FROM ${table}) AS t ORDER BY ROW(${columns})::text COLLATE "C"`,
    );
    return rows.map(({ row }) => row).join('\n');
  };
  const value = async (sql: string): Promise<unknown> =>
    Object.values((await live.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0];

  before(async () => {
    stage = await makeStage({ major: 15 });
    await stage.cluster.query(`CREATE DATABASE "${WATER.replaceAll('"', '""')}"`);
    await stage.cluster.query('CREATE ROLE reader');
    live = new pg.Client({ ...stage.cluster.connection, database: WATER });
    await live.connect();
    await live.query(`
      CREATE TYPE state AS ENUM ('open', 'shut');
      CREATE TABLE municipality (id int PRIMARY KEY, name text);
      CREATE TABLE sensor (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, municipality_id int NOT NULL REFERENCES municipality ON DELETE CASCADE,
        state state, doc json, note varchar(20), serial text UNIQUE, double int GENERATED ALWAYS AS (id * 2) STORED,
        dropped int, CHECK (id > 0));
      CREATE TABLE reading (id bigint PRIMARY KEY, sensor_id int REFERENCES sensor ON DELETE CASCADE, v float8);
      CREATE INDEX ON reading (sensor_id);
      CREATE VIEW open_sensor AS SELECT id FROM sensor WHERE state = 'open';
      CREATE TABLE "My ""odd"" Table" (word text, doc json);
      CREATE TABLE part (day date, n int, PRIMARY KEY (day, n)) PARTITION BY RANGE (day);
      CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
      CREATE TABLE pump (id serial PRIMARY KEY, municipality_id int REFERENCES municipality, state state DEFAULT 'shut');
      CREATE TABLE pump_log (pump_id int CONSTRAINT pump_log_fkey REFERENCES pump);
      CREATE INDEX pump_state ON pump (state);
      GRANT SELECT ON pump TO reader;
      CREATE TABLE log (said text);
      CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_OP); RETURN NEW; END $$;
      INSERT INTO municipality SELECT n, 'M' || n FROM generate_series(1, 20) AS n;
      INSERT INTO sensor (municipality_id, state, doc, note, serial, dropped)
        SELECT 1 + n % 20, (ARRAY['open', 'shut'])[1 + n % 2]::state, json_build_object('n', n), 'note ' || n, 'S' || n, n
          FROM generate_series(1, 1000) AS n;
      INSERT INTO reading SELECT n, 1 + n % 1000, n / 7.0 FROM generate_series(1, 5000) AS n;
      INSERT INTO "My ""odd"" Table" SELECT 'w' || n % 10, '{"a" : 1}' FROM generate_series(1, 100) AS n;
      INSERT INTO part SELECT date '2026-01-01' + n % 59, n FROM generate_series(1, 500) AS n;
      INSERT INTO pump (municipality_id, state) SELECT 1 + n % 20, 'open' FROM generate_series(1, 300) AS n;
      INSERT INTO pump_log SELECT n FROM generate_series(1, 3) AS n;
      CREATE TRIGGER say AFTER INSERT OR UPDATE OR DELETE ON sensor FOR EACH ROW EXECUTE FUNCTION say();
      CREATE TRIGGER say_always AFTER INSERT OR UPDATE OR DELETE ON sensor FOR EACH ROW EXECUTE FUNCTION say();
      ALTER TABLE sensor ENABLE ALWAYS TRIGGER say_always;
      CREATE TRIGGER say AFTER DELETE ON pump FOR EACH ROW EXECUTE FUNCTION say();`);
    const receiving = stage.receive();
    await stage.backup();
    for (const table of ['sensor', 'reading', 'municipality', '"My ""odd"" Table"', 'part', 'pump']) {
      then.set(table, await rowsOf(table));
    }
    moment = await stage.caughtUp(receiving);
    await receiving.stop();
    await live.query(`
      UPDATE sensor SET state = 'shut', note = 'wrong' WHERE id <= 100 AND state = 'open';
      DELETE FROM sensor WHERE id > 950;
      INSERT INTO sensor (municipality_id, serial, note) SELECT 1, 'S' || n, 'new' FROM generate_series(991, 1000) AS n;
      INSERT INTO reading SELECT 9000 + n, (SELECT max(id) FROM sensor), 0 FROM generate_series(1, 4) AS n;
      ALTER TABLE sensor RENAME COLUMN note TO remark;
      ALTER TABLE sensor DROP COLUMN dropped;
      ALTER TABLE sensor ADD COLUMN added int NOT NULL DEFAULT 7;
      UPDATE sensor SET added = id WHERE id <= 100;
      ALTER TABLE reading ALTER COLUMN id TYPE numeric(20);
      DELETE FROM "My ""odd"" Table" WHERE ctid IN (SELECT ctid FROM "My ""odd"" Table" WHERE word = 'w3' LIMIT 4);
      INSERT INTO "My ""odd"" Table" VALUES ('w3', '{"a":1}');
      DELETE FROM part WHERE n % 2 = 0;
      DROP TABLE pump CASCADE;
      ALTER TABLE sensor ENABLE ROW LEVEL SECURITY;
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader, PUBLIC;
      TRUNCATE log;`);
    scratch = await openScratch({
      repository: stage.repository,
      cluster: stage.name,
      target: { kind: 'lsn', lsn: moment },
      databases: [WATER],
      folder: join(stage.folder, 'scratch'),
      purpose: 'table',
      connection: stage.cluster.connection,
      binDirectory: stage.cluster.installation.binDirectory,
      workers: 2,
      restoreCommand: 'exit 150',
      signal: new AbortController().signal,
      report: () => undefined,
    });
  });
  after(async () => {
    await live?.end();
    await scratch?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const restore = (more: Partial<TableRestoreOptions>): Promise<TableRestoreSummary> =>
    restoreTables({
      repository: stage.repository,
      cluster: stage.name,
      tables: ['public.sensor'],
      database: WATER,
      target: { kind: 'lsn', lsn: moment },
      how: 'beside',
      live: stage.cluster.connection,
      // One scratch cluster serves all tests.
      openMoment: async () => ({
        connection: scratch.connection,
        plan: scratch.plan,
        recovery: scratch.recovery,
        phases: scratch.phases,
        [Symbol.asyncDispose]: async () => undefined,
      }),
      confirm: async () => undefined,
      binDirectory: TOOLS,
      signal: new AbortController().signal,
      report: () => undefined,
      ...more,
    });
  const fails = (work: Promise<unknown>, code: SpillwayError['code'], said: RegExp): Promise<void> =>
    assert.rejects(
      work,
      (error) => {
        assert.ok(isSpillwayError(error), String(error));
        const text = `${error.message}: ${error.why} (${error.hint})`;
        assert.equal(error.code, code, text);
        assert.match(text, said);
        return true;
      },
      String(said),
    );
  const fingerprint = async (): Promise<string> =>
    JSON.stringify([await rowsOf('sensor'), await rowsOf('reading'), await rowsOf('part'), await rowsOf('log')]);

  test('stand beside the live ones with the columns, keys and rows that they had, and touch nothing of them', async () => {
    const tables = ['reading', 'sensor', 'public.municipality', '"My ""odd"" Table"', 'part'];
    const untouched = await fingerprint();
    const done = await restore({ tables });
    assert.equal(await fingerprint(), untouched);
    const into = new Map(done.tables.map((table) => [table.name, table]));
    assert.deepEqual(
      done.tables.map(({ name }) => name).filter((name) => ['municipality', 'sensor', 'reading'].includes(name)),
      ['municipality', 'sensor', 'reading'],
    );
    const word = `lsn_${moment.toLowerCase().replace('/', '_')}`;
    for (const [table, rows] of then) {
      if (table === 'pump') continue;
      const name = table.replaceAll(/^"|"$/g, '').replaceAll('""', '"');
      const beside = into.get(name);
      assert.equal(beside?.into?.name, `${name}_${word}`);
      assert.equal(await rowsOf(`"${beside?.into?.name.replaceAll('"', '""')}"`, columnsOf(name)), rows, table);
    }
    assert.deepEqual(
      [into.get('sensor')?.format, into.get('reading')?.format, into.get('sensor')?.rows],
      ['binary', 'binary', 1000],
    );
    // Keys among them were made, and so were checked: to municipality, and from reading.
    const keys = `SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE '%${word}'`;
    assert.equal(await value(keys), 2);
    assert.equal(await value(`SELECT count(*)::int FROM pg_index WHERE indrelid = 'sensor_${word}'::regclass`), 2);
    // Whoever may not see the live rows does not see these: default privileges and a table without policies would show them.
    assert.equal(await value(`SELECT relrowsecurity FROM pg_class WHERE relname = 'sensor_${word}'`), true);
    assert.equal(await value(`SELECT has_table_privilege('reader', 'reading_${word}', 'SELECT')`), false);
    // Nothing in it asks a live sequence.
    assert.equal(await value(`SELECT count(*)::int FROM pg_attrdef WHERE adrelid = 'sensor_${word}'::regclass`), 0);
    const sensor = into.get('sensor')?.depends.map(({ kind, name }) => `${kind} ${name}`) ?? [];
    for (const dependent of [
      'foreign key reading_sensor_id_fkey from public.reading',
      'foreign key sensor_municipality_id_fkey to public.municipality',
      'sequence public.sensor_id_seq of id',
      'trigger say',
      'view public.open_sensor',
    ]) {
      assert.ok(sensor.includes(dependent), `${dependent} in ${sensor.join(', ')}`);
    }
    const again = await restore({ as: 'mine', isBare: true, isUnlogged: true });
    assert.deepEqual(again.tables[0]?.into, { schema: 'public', name: 'mine' });
    assert.deepEqual(
      await value(`SELECT relpersistence::text || relhasindex::text FROM pg_class WHERE relname = 'mine'`),
      'ufalse',
    );
    assert.ok(done.phases.some(({ name, rows }) => name === 'rows of public.sensor' && rows === 1000));
    // What was made is in the way of nothing that follows.
    for (const { into: made } of [...done.tables, ...again.tables]) {
      await live.query(`DROP TABLE public."${made?.name.replaceAll('"', '""')}" CASCADE`);
    }
  });

  test('tell with a dry run exactly what differs, by key, by whole rows, and over partitions, and leave nothing', async () => {
    const untouched = await fingerprint();
    const relations = await value('SELECT count(*)::int FROM pg_class');
    const done = await restore({ tables: ['sensor', '"My ""odd"" Table"', 'part', 'pump'], isDryRun: true });
    const found = new Map(done.tables.map(({ name, difference }) => [name, difference]));
    const { samples, ...sensor } = found.get('sensor') ?? assert.fail();
    assert.deepEqual(sensor, {
      key: ['id'],
      moment: 1000,
      same: 900,
      added: 10,
      changed: 50,
      missing: 50,
      changed_columns: [
        { name: 'state', rows: 50 },
        { name: 'remark', rows: 50 },
      ],
    });
    assert.deepEqual(samples.added, ['1001', '1002', '1003', '1004', '1005']);
    const { moment: all, added, changed, missing, key } = found.get('My "odd" Table') ?? assert.fail();
    assert.deepEqual([all, added, changed, missing, key], [100, 1, 0, 4, []]);
    assert.equal(found.get('part')?.missing, 250);
    assert.equal(found.get('pump'), null);
    assert.equal(done.tables.find(({ name }) => name === 'pump')?.rows, 300);
    const notes = done.tables.flatMap((table) => table.notes).join('\n');
    assert.match(
      notes,
      /pump_log_fkey of public\.pump_log pointed at it: ALTER TABLE "public"\."pump_log" ADD CONSTRAINT/,
    );
    assert.equal(done.evidence, null);
    assert.equal(await fingerprint(), untouched);
    await waitFor(
      'temporary tables to go',
      async () => (await value('SELECT count(*)::int FROM pg_class')) === relations,
    );
  });

  test('are not swapped where rows elsewhere would point at nothing, or rows changed since they were shown', async () => {
    const untouched = await fingerprint();
    await fails(
      restore({ how: 'swap' }),
      'SPW_TABLE_UNFIT',
      /4 rows of public\.reading would point at rows of public\.sensor that are not there \(reading_sensor_id_fkey\).*--table public\.sensor --table public\.reading/,
    );
    const refusal = new Error('no');
    await assert.rejects(
      restore({
        how: 'swap',
        confirm: async () => {
          throw refusal;
        },
      }),
      (error) => error === refusal,
    );
    await fails(
      restore({
        how: 'swap',
        tables: ['sensor', 'reading'],
        confirm: async () => void (await live.query(`UPDATE sensor SET remark = 'meanwhile' WHERE id = 500`)),
      }),
      'SPW_TABLE_CHANGED',
      /public\.sensor was not swapped.*then 10 added, 50 changed, 50 missing; now 10 added, 51 changed, 50 missing; among those that differ now: 500 /,
    );
    await live.query(`UPDATE sensor SET remark = 'note 500' WHERE id = 500`);
    await fails(
      restore({
        how: 'swap',
        tables: ['sensor', 'reading'],
        confirm: async () =>
          void (await live.query('CREATE INDEX meanwhile ON sensor (state); ALTER TABLE sensor ADD COLUMN x int')),
      }),
      'SPW_TABLE_CHANGED',
      /its definition, or what depends on it, was changed/,
    );
    await live.query('ALTER TABLE sensor DROP COLUMN x; TRUNCATE log');
    const { rows } = await live.query('SELECT * FROM municipality WHERE id = 7');
    await live.query('SET session_replication_role = replica; DELETE FROM municipality WHERE id = 7');
    await fails(
      restore({ how: 'swap', tables: ['sensor', 'reading'] }),
      'SPW_TABLE_UNFIT',
      /50 rows of public\.sensor would point at rows of public\.municipality that are not there/,
    );
    await live.query('INSERT INTO municipality SELECT * FROM json_populate_recordset(NULL::municipality, $1)', [
      JSON.stringify(rows),
    ]);
    await live.query('RESET session_replication_role');
    await live.query('BEGIN');
    await live.query(`UPDATE reading SET v = v WHERE id = 1`);
    await fails(
      restore({ how: 'swap', lockTimeoutMs: 200 }),
      'SPW_TABLE_BUSY',
      /public\.sensor could not be locked: writers had it for 0\.2 s: postgres \(pid \d+, idle in transaction/,
    );
    await live.query('ROLLBACK');
    assert.equal(await fingerprint(), untouched);
  });

  test('are swapped together while a writer waits: the rows of then, and all that hangs on the tables stays', async () => {
    const writer = new pg.Client({ ...stage.cluster.connection, database: WATER });
    await writer.connect();
    let writing: Promise<unknown> | undefined;
    const oid = await value(`SELECT 'sensor'::regclass::oid`);
    const shown: number[] = [];
    await live.query(`SELECT setval('sensor_id_seq', 5)`);
    try {
      const done = await restore({
        how: 'swap',
        tables: ['sensor', 'reading', '"My ""odd"" Table"', 'part'],
        isLocked: true,
        confirm: async (tables) => {
          shown.push(...tables.map(({ difference }) => difference?.missing ?? -1));
          writing = writer.query(`INSERT INTO sensor (municipality_id, serial) VALUES (2, 'after')`);
          await waitFor(
            'the writer to wait',
            async () => (await value(`SELECT count(*)::int FROM pg_locks WHERE NOT granted`)) === 1,
          );
        },
      });
      await writing;
      assert.deepEqual(
        shown.toSorted((a, b) => a - b),
        [4, 50, 250, 250],
      );
      const kept = new Map(done.tables.map((table) => [table.name, table.kept]));
      assert.deepEqual([kept.get('sensor')?.rows, kept.get('reading')?.rows, kept.get('part')], [60, 4, null]);
      // The writer came after; without its row all is as it was, but for columns that the moment knew nothing of.
      assert.equal(await value(`DELETE FROM sensor WHERE serial = 'after' RETURNING id`), 1001);
      const notes = done.tables.flatMap((table) => table.notes).join('\n');
      assert.match(notes, /Sequence public\.sensor_id_seq was at 5, behind the rows: set to 1000/);
      assert.match(notes, /note was renamed to remark since[^]*added was added since[^]*dropped was dropped since/);
      const columns = 't.id, t.municipality_id, t.state, t.doc, t.remark, t.serial, t.double, NULL::int';
      const wanted = then.get('sensor')?.replaceAll(/,\d+\)$/gm, ',)');
      assert.equal(await rowsOf('sensor', columns), wanted);
      assert.equal(await rowsOf('"My ""odd"" Table"'), then.get('"My ""odd"" Table"'));
      assert.equal(await rowsOf('part'), then.get('part'));
      assert.equal(await rowsOf('reading'), then.get('reading'));
      const filled =
        'SELECT count(*) FILTER (WHERE added = id) || $$ $$ || count(*) FILTER (WHERE added = 7) FROM sensor';
      assert.equal(await value(filled), '100 901');
      assert.equal(await value(`SELECT 'sensor'::regclass::oid`), oid);
      assert.equal(
        await value(
          `SELECT string_agg(tgenabled::text, '' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'sensor'::regclass AND NOT tgisinternal`,
        ),
        'OA',
      );
      // Of the writer's own insert and the delete above alone.
      assert.equal(await value(`SELECT count(*)::int FROM log`), 4);
      assert.equal(
        await value(`SELECT count(*)::int FROM public."${kept.get('sensor')?.name}" WHERE remark = 'wrong'`),
        50,
      );
      assert.equal(
        await value(
          `SELECT count(*)::int FROM information_schema.role_table_grants WHERE table_name = '${kept.get('sensor')?.name}' AND grantee <> 'postgres'`,
        ),
        0,
      );
    } finally {
      await writer.end();
    }
    const again = await restore({ how: 'swap', tables: ['part'] });
    assert.deepEqual([again.tables[0]?.kept, again.tables[0]?.difference?.same], [null, 500]);
  });

  test('that were dropped come back with their definition, under another name or their own', async () => {
    const beside = await restore({ tables: ['pump'], as: 'pump_then' });
    assert.deepEqual([beside.tables[0]?.way, beside.tables[0]?.rows], ['define', 300]);
    assert.equal(await rowsOf('pump_then'), then.get('pump'));
    await live.query('DROP TABLE pump_then');
    const swapped = await restore({ tables: ['pump'], how: 'swap' });
    assert.deepEqual(swapped.tables[0]?.into, { schema: 'public', name: 'pump' });
    assert.equal(await rowsOf('pump'), then.get('pump'));
    assert.equal(await value(`INSERT INTO pump (municipality_id) VALUES (1) RETURNING id || ' ' || state`), '301 shut');
    assert.equal(
      await value(
        `SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM pg_index WHERE indrelid = 'pump'::regclass`,
      ),
      'pump_pkey pump_state',
    );
    assert.equal(await value(`SELECT has_table_privilege('reader', 'pump', 'SELECT')`), true);
    assert.equal(
      await value(`SELECT count(*)::int FROM pg_trigger WHERE tgrelid = 'pump'::regclass AND NOT tgisinternal`),
      1,
    );
    await live.query('DROP TABLE pump; DROP FUNCTION say() CASCADE');
    await fails(
      restore({ tables: ['pump'] }),
      'SPW_TABLE_UNFIT',
      /public\.pump cannot be made again in the live database: .*function public\.say\(\) does not exist.*--file/,
    );
    assert.equal(await value(`SELECT to_regclass('pump')`), null);
  });

  test('are written into files without the live server, and never over one that is there', async () => {
    const nowhere = { ...stage.cluster.connection, port: 1 };
    const file = (name: string): string => join(stage.folder, name);
    const csv = await restore({ how: 'file', file: file('sensor.csv'), live: nowhere });
    const lines = (await readFile(file('sensor.csv'), 'utf8')).trimEnd().split('\n');
    assert.deepEqual([lines[0], lines.length], ['id,municipality_id,state,doc,note,serial,double,dropped', 1001]);
    assert.equal(lines[1], '1,2,shut,"{""n"" : 1}",note 1,S1,2,1');
    const { size, mode } = await stat(file('sensor.csv'));
    assert.deepEqual([csv.file?.bytes, mode & 0o777], [size, 0o600]);
    const tables = ['part', '"My ""odd"" Table"'];
    await restore({ how: 'file', file: file('two.dump'), tables, live: nowhere });
    const { stdout } = await promisify(execFile)(join(TOOLS, 'pg_restore'), ['--list', file('two.dump')]);
    for (const name of ['part', 'part_1', 'part_2', 'My "odd" Table'])
      assert.match(stdout, new RegExp(`TABLE public ${name} `));
    assert.match(stdout, /TABLE DATA public part_2 /);
    await restore({ how: 'file', file: file('two.sql'), tables, live: nowhere });
    assert.match(await readFile(file('two.sql'), 'utf8'), /^COPY public\.part_1 \(day, n\) FROM stdin;$/m);
    await writeFile(file('there.csv'), 'mine');
    await fails(restore({ how: 'file', file: file('there.csv') }), 'SPW_USAGE', /is there already/);
    await fails(restore({ how: 'file', file: file('x.txt') }), 'SPW_USAGE', /\.csv/);
    await fails(restore({ how: 'file', file: file('x.csv'), tables }), 'SPW_USAGE', /cannot hold 2 tables/);
    assert.equal(await readFile(file('there.csv'), 'utf8'), 'mine');
    assert.deepEqual(
      (await readdir(stage.folder)).filter((name) => name.endsWith('.part')),
      [],
    );
  });

  test('that were not there, or are no tables, are told with what was; and all that was done is on record', async () => {
    await fails(
      restore({ tables: ['sensr'] }),
      'SPW_TABLE_UNKNOWN',
      /there was no table sensr at LSN .*did you mean --table public\.sensor\?/,
    );
    await fails(restore({ tables: ['open_sensor'] }), 'SPW_TABLE_UNFIT', /it was a view/);
    await fails(restore({ tables: ['sensor; DROP TABLE sensor'] }), 'SPW_USAGE', /is not the name of a table/);
    await fails(restore({ tables: ['"sensor; DROP TABLE sensor"'] }), 'SPW_TABLE_UNKNOWN', /there was no table/);
    assert.ok(await value(`SELECT to_regclass('sensor')`));
    const { records } = await listEvidence(stage.repository, stage.name);
    const ours = records.filter(({ kind }) => kind === 'table-restore');
    const of = (how: string, result: string): Readonly<Record<string, unknown>> =>
      ours.find((each) => each.details['how'] === how && each.result === result)?.details ??
      assert.fail(`${how} ${result}`);
    assert.deepEqual(of('beside', 'passed')['rows'], { restored: 6620, added: null, changed: null, missing: null });
    assert.match(String(of('swap', 'failed')['error']), /would point at rows/);
    assert.deepEqual(of('swap', 'passed')['rows'], { restored: 6600, added: 15, changed: 50, missing: 554 });
    assert.ok(ours.every(({ backup }) => backup === null));
  });
});

/** Those of then, in the order that they had: a table that was put beside has them in another. */
const columnsOf = (table: string): string =>
  table === 'sensor'
    ? 't.id, t.municipality_id, t.state, t.doc, t.note, t.serial, t.double, t.dropped'
    : table === 'reading'
      ? 't.id, t.sensor_id, t.v'
      : 't.*';
