// Dumps of a real PostgreSQL with its own client programs: what comes back is what was there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { differences, fingerprint, type LabCluster, startCluster } from '@spillway/lab';
import pg from 'pg';
import { CHUNK_BYTES } from '../src/format/chunk.ts';
import { type DumpOptions, dump } from '../src/operation/logical/dump.ts';
import { listDumps, openDump, verifyDump } from '../src/operation/logical/dumps.ts';
import { exportDump } from '../src/operation/logical/export.ts';
import { readStream } from '../src/operation/logical/read.ts';
import { type DumpRestoreOptions, restoreDump } from '../src/operation/logical/restore.ts';
import type { DumpSummary } from '../src/format/dump.ts';
import { COLLECT_LOCK, collect, type Collected } from '../src/repository/collect.ts';
import { dumpChunks, readDump, removeDump } from '../src/repository/dump-store.ts';
import { listBackups } from '../src/operation/backups.ts';
import { readIndex } from '../src/repository/index-store.ts';
import { takeLock } from '../src/repository/lock.ts';
import { initRepository, openRepository, type Repository } from '../src/repository/repository.ts';
import { makeRepository } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';
import { folderOf } from '../src/storage/port.ts';

const run = promisify(execFile);
const READER = fileURLToPath(new URL('../../../tools/independent-reader/read.mjs', import.meta.url));
const ODD = `Odd name's "water" = \\x`;
const UPPER = 'LOUD';
const TOOLS = '/usr/lib/postgresql/15/bin';
const signal = new AbortController().signal;

if (existsSync(join(TOOLS, 'pg_dump'))) {
  let folder: string;
  let source: LabCluster;
  let target: LabCluster;
  let repository: Repository;
  let first: DumpSummary;

  const settings = (kind: DumpOptions['kind'], more: Partial<DumpOptions> = {}): DumpOptions => ({
    repository,
    cluster: { name: 'main', connection: source.connection },
    kind,
    workers: 2,
    compressionLevel: 1,
    signal,
    report: () => undefined,
    ...more,
  });
  const reading = { cluster: 'main', workers: 2, signal, report: () => undefined } as const;
  const restoring = (more: Partial<DumpRestoreOptions>): DumpRestoreOptions => ({
    ...reading,
    repository,
    id: first.id,
    target: target.connection,
    create: false,
    clean: false,
    globals: false,
    owners: true,
    jobs: 1,
    ...more,
  });
  const inDatabase = async <Result>(
    cluster: LabCluster,
    database: string,
    work: (client: pg.Client) => Promise<Result>,
  ): Promise<Result> => {
    const client = new pg.Client({ ...cluster.connection, database });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spillway-dump-'));
    await chmod(folder, 0o755);
    [source, target] = await Promise.all([startCluster({ major: 15 }), startCluster({ major: 15 })]);
    repository = await makeRepository(folder);
    await source.query(`CREATE ROLE "Keeper of ""pipes""" LOGIN PASSWORD 'a secret'`);
    await source.query('CREATE ROLE reader');
    await source.query(`CREATE DATABASE "${ODD.replaceAll('"', '""')}" OWNER "Keeper of ""pipes"""`);
    await source.query(`CREATE DATABASE "${UPPER}" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
    await source.query(`ALTER DATABASE "${UPPER}" SET work_mem = '5MB'`);
    await inDatabase(source, ODD, async (client) => {
      await client.query(`
        CREATE TYPE state AS ENUM ('open', 'shut');
        CREATE SCHEMA "Odd Schema" AUTHORIZATION "Keeper of ""pipes""";
        CREATE TABLE "Odd Schema"."Valve ""x""" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state state NOT NULL,
          at timestamptz, price numeric(20, 6), ratio float8, raw bytea, doc jsonb, parts text[], span tstzrange,
          note text, double bigint GENERATED ALWAYS AS (id * 2) STORED);
        INSERT INTO "Odd Schema"."Valve ""x""" (state, at, price, ratio, raw, doc, parts, span, note)
          SELECT (ARRAY['open', 'shut'])[1 + g % 2]::state, timestamptz '2024-01-15' + g * interval '7 min', g / 7.0, pi() * g,
                 decode(md5(g::text), 'hex'), jsonb_build_object('g', g, 'null', NULL), ARRAY['a', NULL, E'b\\t\\\\c\\n'],
                 tstzrange(now(), NULL), repeat('ä€ ', g % 40) FROM generate_series(1, 40000) AS g;
        CREATE TABLE empty (nothing int);
        CREATE MATERIALIZED VIEW valves AS SELECT state, count(*) FROM "Odd Schema"."Valve ""x""" GROUP BY 1;
        CREATE TABLE part (day date, n int) PARTITION BY RANGE (day);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        INSERT INTO part SELECT date '2024-01-01' + g % 300, g FROM generate_series(1, 5000) AS g;
        GRANT SELECT ON empty TO reader;`);
      await client.query(`SELECT lo_from_bytea(4242, decode(repeat('00ff10', 200000), 'hex'))`);
      await client.query(`SELECT lo_from_bytea(4243, 'small')`);
      await client.query('CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"').catch(() => undefined);
    });
    await inDatabase(source, UPPER, async (client) => {
      await client.query(
        `SET client_encoding = 'UTF8'; CREATE TABLE words (word text); INSERT INTO words VALUES ('Größe'), ('naïf')`,
      );
    });
    first = await dump(settings('logical'));
  });
  after(async () => {
    await source?.destroy();
    await target?.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  test('a dump says what it holds, is no backup, and names every chunk it needs', async () => {
    assert.equal(first.source, 'logical');
    assert.deepEqual(
      first.databases.map(({ name }) => name),
      [UPPER, ODD, 'postgres'].toSorted(),
    );
    const odd = first.databases.find(({ name }) => name === ODD);
    assert.equal(odd?.large_objects, 2);
    assert.equal(odd?.owner, 'Keeper of "pipes"');
    assert.equal(first.databases.find(({ name }) => name === UPPER)?.encoding, 'LATIN1');
    assert.match(first.lsn ?? '', /^[0-9A-F]+\/[0-9A-F]+$/);
    assert.equal(first.role_passwords, true);
    assert.deepEqual(await listDumps({ repository, cluster: 'main' }), [first]);
    assert.deepEqual(await listBackups({ repository, cluster: 'main' }), []);
    const manifest = await readDump(repository, 'main', first.id);
    const named = await Array.fromAsync(dumpChunks(repository, 'main'));
    assert.deepEqual(
      named.map(({ id }) => id),
      [first.id],
    );
    assert.ok(Buffer.from(manifest.chunkIds).equals(named[0]?.chunkIds ?? Buffer.alloc(0)));
    assert.equal(
      manifest.lengths.reduce((sum, length) => sum + length, 0),
      first.bytes,
    );
  });

  test('a dump restored into a new server, roles and all, equals its source', async () => {
    const { databases, globals } = await restoreDump(restoring({ create: true, globals: true }));
    assert.deepEqual(globals, { restored: 2, skipped: ['postgres'] });
    assert.deepEqual(
      databases.map(({ name, created }) => [name, created]),
      [
        [UPPER, true],
        [ODD, true],
        ['postgres', false],
      ],
    );
    assert.deepEqual(differences(await fingerprint(source.connection), await fingerprint(target.connection)), []);
    assert.ok((await fingerprint(target.connection)).size >= 5);
    for (const sql of [
      `SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid`,
      `SELECT extname, extversion FROM pg_extension ORDER BY 1`,
      `SELECT relname, relowner::regrole::text, relacl::text FROM pg_class WHERE oid >= 16384 AND relkind IN ('r','p','m','i','S') AND relnamespace::regnamespace::text !~ '^pg_' ORDER BY 1, 2`,
      `SELECT datname, datdba::regrole::text, datacl::text FROM pg_database WHERE NOT datistemplate ORDER BY 1`,
      `SELECT rolname, rolpassword FROM pg_authid WHERE rolname <> 'postgres' ORDER BY 1`,
      `SELECT setconfig FROM pg_db_role_setting ORDER BY 1`,
    ]) {
      const [there, here] = await Promise.all(
        [source, target].map((cluster) => inDatabase(cluster, ODD, async (client) => (await client.query(sql)).rows)),
      );
      assert.deepEqual(here, there, sql);
    }
  });

  test('a database that has tables is refused, cleaned when asked, and one restored under another name with several jobs', async () => {
    const refused = await restoreDump(restoring({ databases: [ODD] })).catch((error: unknown) => error);
    assert.ok(isSpillwayError(refused, 'SPW_DATABASE_NOT_EMPTY'), String(refused));
    await inDatabase(target, ODD, (client) => client.query(`DELETE FROM part; INSERT INTO empty VALUES (1)`));
    await restoreDump(restoring({ databases: [ODD], clean: true }));
    assert.deepEqual(differences(await fingerprint(source.connection), await fingerprint(target.connection)), []);

    const missing = await restoreDump(restoring({ databases: [ODD], toDatabase: 'copy' })).catch(
      (error: unknown) => error,
    );
    assert.ok(isSpillwayError(missing, 'SPW_RESTORE_FAILED'), String(missing));
    const work = join(folder, 'work');
    await mkdir(work);
    const { databases } = await restoreDump(
      restoring({ databases: [ODD], toDatabase: 'copy', create: true, jobs: 2, workFolder: work }),
    );
    assert.deepEqual(await readdir(work), []);
    assert.ok(databases[0] !== undefined && databases[0].tables_loaded >= 3);
    const prints = await fingerprint(target.connection);
    for (const [table, print] of prints) {
      if (table.startsWith(`${ODD}.`)) assert.equal(prints.get(table.replace(ODD, 'copy')), print, table);
    }
    await target.query('DROP DATABASE copy');
  });

  test('data that did not change is stored once, and a row more costs a few chunks', async () => {
    const again = await dump(settings('logical'));
    // Where the cuts lie is the repository's secret, so the bounds are wide: here of the heads of all three databases.
    assert.ok(again.new_bytes <= 4 * CHUNK_BYTES, `${again.new_bytes} of ${again.bytes}`);
    // In front of everything else: all that follows moves.
    await inDatabase(source, ODD, (client) =>
      client.query(`CREATE TABLE "Odd Schema"."A" (n int); INSERT INTO "Odd Schema"."A" VALUES (1)`),
    );
    const more = await dump(settings('logical', { databases: [ODD] }));
    assert.ok(more.new_bytes < more.bytes / 4, `${more.new_bytes} of ${more.bytes}`);
    await inDatabase(source, ODD, (client) => client.query(`DROP TABLE "Odd Schema"."A"`));
  });

  test('a schema dump has tables and no rows', async () => {
    const schema = await dump(settings('schema', { databases: [ODD] }));
    const verified = await verifyDump({ ...reading, repository, id: schema.id });
    assert.deepEqual(
      verified.databases.map((each) => each.tables_with_data),
      [0],
    );
    await restoreDump(restoring({ id: schema.id, toDatabase: 'bare', create: true }));
    const { rows } = await inDatabase(target, 'bare', (client) => client.query('SELECT count(*)::int AS n FROM part'));
    assert.deepEqual(rows, [{ n: 0 }]);
    await target.query('DROP DATABASE bare');
  });

  test('a dump is verified chunk by chunk, and a flipped bit is found', async () => {
    const verified = await verifyDump({ ...reading, repository, id: 'latest' });
    assert.equal(verified.databases.length, 1);
    const whole = await verifyDump({ ...reading, repository, id: first.id });
    assert.equal(whole.bytes, first.bytes);
    assert.deepEqual(
      whole.databases.map(({ name }) => name),
      [UPPER, ODD, 'postgres'],
    );
    const other = await makeRepository(folder);
    const damaged = await dump(settings('logical', { repository: other, databases: [ODD] }));
    const packs = join(folderOf(other.location) ?? '', 'packs');
    const [sub = ''] = await readdir(packs);
    const [pack = ''] = await readdir(join(packs, sub));
    const path = join(packs, sub, pack);
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    await rm(path);
    await writeFile(path, bytes);
    const found = await verifyDump({ ...reading, repository: other, id: damaged.id }).catch((error: unknown) => error);
    assert.ok(isSpillwayError(found, 'SPW_OBJECT_DAMAGED'), String(found));
  });

  test('an export is plain SQL under the name of the plan, whole, and overwrites nothing', async () => {
    const out = join(folder, 'out');
    await mkdir(out);
    const asked = { ...reading, repository, id: first.id, format: 'sql.gz', folder: out, databases: [ODD] } as const;
    const { files } = await exportDump(asked);
    const [file] = files;
    assert.match(file?.file ?? '', /^backup_full_\d{8}_\d{6}\.sql\.gz$/);
    assert.ok((file?.bytes ?? 0) > 1000);
    const path = join(out, file?.file ?? '');
    await run('gzip', ['-t', path]);
    assert.deepEqual(await readdir(out), [file?.file]);
    await target.query('CREATE DATABASE exported');
    await writeFile(join(out, 'plain.sql'), gunzipSync(await readFile(path)));
    const { host, port, user } = target.connection;
    await run(
      'psql',
      [
        '-X',
        '-q',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        host,
        '-p',
        String(port),
        '-U',
        user,
        '-f',
        join(out, 'plain.sql'),
        'exported',
      ],
      {
        env: { PATH: '/usr/lib/postgresql/15/bin:/usr/bin:/bin', PGPASSWORD: target.connection.password ?? '' },
      },
    );
    const prints = await fingerprint(target.connection);
    for (const [table, print] of prints) {
      if (table.startsWith(`${ODD}.`)) assert.equal(prints.get(table.replace(ODD, 'exported')), print, table);
    }
    const again = await exportDump(asked).catch((error: unknown) => error);
    assert.ok(isSpillwayError(again, 'SPW_FOLDER_NOT_EMPTY'), String(again));
    const { databases: _, ...whole } = asked;
    const all = await exportDump({ ...whole, format: 'custom' });
    assert.deepEqual(
      all.files.map((each) => each.file.replace(/\d{8}_\d{6}/, 'TIME')),
      [
        'backup_full_TIME.globals.sql.gz',
        'backup_full_TIME_LOUD.dump',
        'backup_full_TIME_Odd%20name%27s%20%22water%22%20%3D%20%5Cx.dump',
        'backup_full_TIME_postgres.dump',
      ],
    );
  });

  test('the independent reader writes the very bytes that pg_dump wrote', async () => {
    const place = join(folder, 'opened');
    await mkdir(place);
    const location = { kind: 'filesystem', path: place } as const;
    const passphrase = 'a passphrase of more than thirty-two characters';
    await initRepository({ location, passphrase });
    await writeFile(join(folder, 'passphrase'), passphrase);
    const opened = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
    const made = await dump(settings('logical', { repository: opened, databases: [ODD] }));
    const out = join(folder, 'read');
    const { stdout } = await run(process.execPath, [
      READER,
      place,
      'dump',
      'main',
      made.id,
      out,
      '--passphrase-file',
      join(folder, 'passphrase'),
    ]);
    assert.match(stdout, /1\.dump: database Odd name/);
    const manifest = await readDump(opened, 'main', made.id);
    const index = await readIndex(opened);
    for (const [number, file] of ['globals.sql', '1.dump'].entries()) {
      const bytes = await Array.fromAsync(
        readStream({ repository: opened, index, manifest, workers: 2, signal }, number),
      );
      assert.ok(Buffer.concat(bytes).equals(await readFile(join(out, file))), file);
    }
    const listed = await run(join(TOOLS, 'pg_restore'), ['--list', join(out, '1.dump')]);
    assert.match(listed.stdout, /TABLE DATA public part_1/);
  });

  test('a dump that is removed while it is read is read to its end, and its packs go afterwards', async () => {
    const place = await mkdtemp(join(folder, 'held-'));
    const own = await makeRepository(place);
    const made = await dump(settings('logical', { repository: own, databases: [ODD] }));
    const collectAll = async (): Promise<Collected> => {
      await using lock = await takeLock(own, COLLECT_LOCK, { holder: 'a test' });
      const nothing = { graceMs: 0, repackBelow: 0, repackBytesMax: 0, lockWaitMs: 0 };
      return await collect({ ...reading, ...nothing, repository: own, lock, now: () => new Date() });
    };
    {
      await using opened = await openDump({ ...reading, repository: own, id: made.id });
      await removeDump(own, 'main', made.id);
      const { packs_removed: removed, waiting_for: reasons } = await collectAll();
      assert.equal(removed, 0);
      assert.match(reasons.join(), new RegExp(`the reader of dump ${made.id} of cluster main`));
      let bytes = 0;
      for (const number of opened.manifest.head.streams.keys()) {
        for await (const piece of readStream(opened.reading, number)) bytes += piece.byteLength;
      }
      assert.equal(bytes, made.bytes);
    }
    assert.ok((await collectAll()).packs_removed > 0);
    assert.deepEqual(await Array.fromAsync(own.storage.list('packs/')), []);
    await assert.rejects(openDump({ ...reading, repository: own, id: made.id }), (error) =>
      isSpillwayError(error, 'SPW_DUMP_UNKNOWN'),
    );
  });

  test('a pg_dump that is killed leaves no dump, and what it said comes through', async () => {
    const dumps = (await listDumps({ repository, cluster: 'main' })).length;
    const events: OperationEvent[] = [];
    /** The server ends the session, as the kill of a backend or of the network would. */
    const endSession = async (program: number): Promise<void> => {
      try {
        await waitFor('the session to be ended', async () => {
          const sessions = await source.query(
            `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
              WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid() AND application_name = 'spillway'`,
            [ODD],
          );
          return sessions.length === 0;
        });
      } finally {
        process.kill(program, 'SIGCONT');
      }
    };
    let ending: Promise<void> | undefined;
    let program: number | undefined;
    const failure = await dump(
      settings('logical', {
        databases: [ODD],
        report: (event) => {
          events.push(event);
          if (event.type !== 'progress' || event.detail !== ODD || program !== undefined) return;
          // Its pipe is full and it is stopped: it cannot have ended before its session has.
          program = ownPrograms().find((each) => environmentOf(each).get('PGDATABASE') === ODD);
          assert.ok(program !== undefined);
          process.kill(program, 'SIGSTOP');
          ending = endSession(program);
        },
        compressionLevel: 15,
        workers: 1,
      }),
    ).catch((error: unknown) => error);
    await ending;
    assert.ok(isSpillwayError(failure, 'SPW_DUMP_FAILED'), String(failure));
    assert.match(failure.why ?? '', /pg_dump ended with code 1/);
    assert.equal((await listDumps({ repository, cluster: 'main' })).length, dumps);

    const stopping = new AbortController();
    const stopped = await dump(
      settings('logical', {
        report: (event) => event.type === 'progress' && stopping.abort(new Error('enough')),
        signal: stopping.signal,
      }),
    ).catch((error: unknown) => error);
    assert.equal((stopped as Error).message, 'enough');
    assert.equal((await listDumps({ repository, cluster: 'main' })).length, dumps);
  });

  test('a pg_dump that the system kills at once leaves no dump, no program, no session and no folder', async () => {
    const dumps = (await listDumps({ repository, cluster: 'main' })).length;
    let itsFolder = '';
    const failure = await dump(
      settings('logical', {
        report: (event) => {
          if (event.type !== 'progress' || event.detail !== ODD || itsFolder !== '') return;
          // Its pipe is full: it cannot have ended.
          const pid = ownPrograms().find((each) => environmentOf(each).get('PGDATABASE') === ODD);
          assert.ok(pid !== undefined);
          itsFolder = dirname(environmentOf(pid).get('PGSSLROOTCERT') ?? '');
          assert.ok(existsSync(itsFolder));
          process.kill(pid, 'SIGKILL');
        },
      }),
    ).catch((error: unknown) => error);
    assert.ok(isSpillwayError(failure, 'SPW_DUMP_FAILED'), String(failure));
    assert.ok(failure.message.includes(`database ${ODD} was not dumped`), failure.message);
    assert.match(failure.why ?? '', /pg_dump was ended by SIGKILL/);
    assert.equal((await listDumps({ repository, cluster: 'main' })).length, dumps);
    assert.deepEqual(ownPrograms(), []);
    assert.ok(!existsSync(itsFolder));
    await waitFor(
      'its sessions to end',
      async () =>
        (await source.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'spillway'")).length === 0,
    );
  });

  test('a user who may not read passwords dumps roles without them, and is told so', async () => {
    await source.query("CREATE ROLE modest LOGIN PASSWORD 'modest'");
    const events: OperationEvent[] = [];
    const made = await dump(
      settings('logical', {
        cluster: { name: 'main', connection: { ...source.connection, user: 'modest', password: 'modest' } },
        databases: ['postgres'],
        report: (event) => events.push(event),
      }),
    );
    await source.query('DROP ROLE modest');
    assert.equal(made.role_passwords, false);
    assert.ok(
      events.some((event) => event.type === 'notice' && /without their passwords: user modest/.test(event.message)),
    );
    await using opened = await openDump({ ...reading, repository, id: made.id });
    const globals = Buffer.concat(await Array.fromAsync(readStream(opened.reading, 0))).toString();
    assert.match(globals, /^CREATE ROLE reader;$/m);
    assert.doesNotMatch(globals, /PASSWORD/);
  });
}

/** The processes of pg_dump and pg_dumpall that this one started. */
function ownPrograms(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return Number(parent) === process.pid && name?.startsWith('pg_dump') === true;
      } catch {
        // Gone since it was listed.
        return false;
      }
    });
}

function environmentOf(pid: number): ReadonlyMap<string, string> {
  let content = '';
  try {
    content = readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch (error) {
    // Another program of the same dump may have ended, which cannot be read any more though it is still listed.
    if (!['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  const lines = content.split('\0');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
