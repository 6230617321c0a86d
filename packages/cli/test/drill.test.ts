// Drills from the command line, on one cluster and one repository: first a drill that passes while clients write, then the
// same drill with each item of its checklist broken on purpose, then those that cannot begin, and one that is killed.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Drill, DrillDocument } from '@spillway/contract';
import {
  drillDocument,
  drillInitDocument,
  drillsDocument,
  errorDocument,
  parseDrill,
} from '@spillway/contract/schemas';
import { type DrillRun, runDrill } from '@spillway/control';
import { openRepository, openScratch, type ScratchLimits } from '@spillway/engine';
import { type LabCluster, startCluster } from '@spillway/lab';
import { readDrillFile } from '../src/drill-file.ts';
import { parseTarget } from '../src/target.ts';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, type Workplace } from './spawned.ts';

const WAIT_MS = 30_000;
const PASSPHRASE = 'the passphrase of the repository of this test';
const CLIENTS = 3;

let cluster: LabCluster;
let place: Workplace;
let receiving: ReturnType<Workplace['start']>;

const SCHEMA = `
CREATE TABLE municipality (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE sensor (id int PRIMARY KEY, code text NOT NULL, municipality_id int NOT NULL REFERENCES municipality,
                     value int NOT NULL DEFAULT 0 CONSTRAINT value_is_sane CHECK (value > -1000000));
CREATE INDEX sensor_municipality ON sensor (municipality_id);
CREATE TABLE reading (at timestamptz NOT NULL DEFAULT clock_timestamp(), sensor_id int NOT NULL, value int NOT NULL)
  PARTITION BY RANGE (at);
CREATE TABLE reading_all PARTITION OF reading FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE INDEX reading_sensor ON reading (sensor_id, at);
CREATE TABLE valve (id int PRIMARY KEY);
CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, page text NOT NULL);
INSERT INTO municipality SELECT n, 'place ' || n FROM generate_series(1, 40) AS n;
INSERT INTO sensor SELECT n, 'S' || n, 1 + n % 40 FROM generate_series(1, 2000) AS n;
INSERT INTO reading (sensor_id, value) SELECT 1 + n % 2000, n FROM generate_series(1, 20000) AS n;
INSERT INTO valve SELECT generate_series(1, 10);
INSERT INTO ledger (page) SELECT repeat('x', 500) FROM generate_series(1, 200);
ANALYZE;
CREATE UNLOGGED TABLE session AS SELECT generate_series(1, 7) AS id;
`;

before(async () => {
  cluster = await startCluster({ walSegmentMegabytes: 1, settings: { max_prepared_transactions: '8' } });
  await cluster.query('CREATE DATABASE water');
  await inWater(SCHEMA);
  place = await makeWorkplace({ passphrase: PASSPHRASE, password: cluster.password });
  // The scratch server's account must get through to its own folder.
  await chmod(place.folder, 0o711);
  await writeFile(
    join(place.folder, 'spillway.yaml'),
    `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection:
      { host: 127.0.0.1, port: ${cluster.port}, user: ${cluster.user}, password: { file: password }, database: water }
    bin_directory: ${cluster.installation.binDirectory}
    scratch_directory: scratch
    wal: { flush_interval: 100ms }
    backup: { workers: 1, compression_level: 1, wal_timeout: 20s }
`,
  );
  assert.equal((await place.run(['init'])).code, 0);
  await lightenPassphrase(place.folder);
  receiving = place.start(['wal', 'receive']);
  await until('WAL to be received', async () => {
    const [row] = await cluster.query<{ there: boolean }>(
      "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming') AS there",
    );
    return row?.there === true;
  });
  const { code, stderr } = await place.run(['backup']);
  assert.equal(code, 0, stderr);
});

after(async () => {
  receiving?.child.kill('SIGTERM');
  await receiving?.ended;
  await place?.[Symbol.asyncDispose]();
  await cluster?.destroy();
});

async function inWater(sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = await cluster.connect('water');
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } finally {
    await client.end();
  }
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + WAIT_MS; !(await look()); await pause(20)) {
    assert.ok(performance.now() < end, `this did not come about: ${what}`);
  }
}

async function drill(...words: readonly string[]): Promise<DrillDocument & { readonly code: number | null }> {
  const { code, stdout, stderr } = await place.run(['drill', ...words, '--json']);
  assert.notEqual(stdout, '', stderr);
  return { ...drillDocument.parse(JSON.parse(stdout)), code };
}

const refused = ({ stderr, stdout }: Ended): string => errorDocument.parse(JSON.parse(stdout || stderr)).code;

const fileOf = (name: string): string => join(place.folder, 'drills', `${name}.yaml`);

/** What a drill may leave: nothing in the folder of scratch clusters. */
const leftOver = async (): Promise<readonly string[]> =>
  existsSync(join(place.folder, 'scratch')) ? readdir(join(place.folder, 'scratch')) : [];

const resultsOf = ({ details }: Pick<DrillRun, 'details'>): Readonly<Record<string, string>> =>
  Object.fromEntries(details.checks.map(({ name, result }) => [name, result]));

const found = ({ details }: Pick<DrillRun, 'details'>, name: string): string =>
  details.checks.find((check) => check.name === name)?.found ?? 'no such check';

/** A file that says no more than this. */
function small(given: object): Drill {
  const parsed = parseDrill({ name: 'small', ...given });
  assert.ok(parsed.ok);
  return parsed.drill;
}

/** A drill in this process. */
async function here(
  given: Drill,
  limits: ScratchLimits = {},
  signal = new AbortController().signal,
): Promise<DrillRun> {
  const repository = await openRepository({
    location: { kind: 'filesystem', path: join(place.folder, 'repository') },
    secret: { kind: 'passphrase', passphrase: PASSPHRASE },
  });
  const common = {
    repository,
    cluster: 'main',
    connection: { ...cluster.connection, database: 'water' },
    folder: join(place.folder, 'scratch'),
    report: () => undefined,
    signal,
  };
  return runDrill({
    ...common,
    drill: given,
    openScratch: (wish) =>
      openScratch({
        ...common,
        ...wish,
        purpose: 'drill',
        binDirectory: cluster.installation.binDirectory,
        workers: 1,
        restoreCommand: 'exit 1',
        limits,
      }),
    parseTime: (at) => parseTarget({ at }),
    walTimeoutMs: WAIT_MS,
    environment: process.env,
    directory: place.folder,
    random: () => 0,
    versions: { spillway: '0', node: process.versions.node },
  });
}

const SERVICE = `exec ${process.execPath} -e '
  require("node:http")
    .createServer((q, a) => a.end(JSON.stringify({ ready: q.url === "/readyz", database: process.env.PGDATABASE })))
    .listen(process.env.PORT, "127.0.0.1")'`;

const MORE_CHECKS = `
  - name: all of reading
    sql: SELECT count(*), sum(value), max(at) FROM reading
    equals_source: true
  - name: sensors with their values
    sql: SELECT id, value FROM sensor
    equals_source: true
  - name: valves
    sql: SELECT count(*) FROM valve
    at_least: 1
  - name: readings by their index
    sql: SELECT max(at) FROM reading WHERE sensor_id = 7
    plan_uses_index: reading_sensor
  - name: sensors of a place
    sql: SELECT * FROM sensor WHERE municipality_id = 3
    faster_than: 1s
  - name: psql gets in
    shell: test -n "$PGPASSWORD" && test "$PGDATABASE" = water && test -d "$TMPDIR"
  - name: the service is ready
    start: |
      ${SERVICE.replaceAll('\n', '\n      ')}
    http: http://127.0.0.1:{port}/readyz
    json: { path: ready, equals: true }
`;

test('init writes what the live database has, and overwrites nothing', async () => {
  const { code, stdout, stderr } = await place.run(['drill', 'init', 'monthly', '--json']);
  assert.equal(code, 0, stderr);
  const document = drillInitDocument.parse(JSON.parse(stdout));
  assert.deepEqual([document.database, document.tables, document.extensions], ['water', 6, 1]);
  const text = await readFile(fileOf('monthly'), 'utf8');
  assert.match(text, /sensor_municipality/);
  assert.match(text, /value_is_sane/);
  assert.doesNotMatch(text, /reading_all/);
  assert.doesNotMatch(text, /count\(\*\) FROM session/);
  assert.equal(refused(await place.run(['drill', 'init', 'monthly', '--json'])), 'SPW_DRILL_EXISTS');
  assert.equal(await readFile(fileOf('monthly'), 'utf8'), text);
  assert.match((await place.run(['drill', 'init', '--force', '--database', 'postgres'])).stderr, /there are water/);
  await writeFile(fileOf('monthly'), text.replace('\nobjects:', `${MORE_CHECKS}\nobjects:`));
});

test('a drill passes while clients write: every row is equal to the source at its moment, and every item was measured', async () => {
  let commits = 0;
  const resting = new AbortController();
  const write = async (client: number): Promise<void> => {
    const session = await cluster.connect('water');
    for (let n = 0; !resting.signal.aborted; n++) {
      const id = 1 + ((n * 7 + client * 500) % 2000);
      if (n % 10 === 9) {
        // Prepared ones commit by another record.
        await session.query(
          `BEGIN; UPDATE sensor SET value = value + 1 WHERE id = ${id}; PREPARE TRANSACTION 'p${client}'`,
        );
        await session.query(`COMMIT PREPARED 'p${client}'`);
      } else {
        await session.query(`BEGIN; INSERT INTO reading (sensor_id, value) VALUES (${id}, ${n});
          UPDATE sensor SET value = value + 1 WHERE id = ${id};
          DELETE FROM reading WHERE at = (SELECT min(at) FROM reading WHERE sensor_id = ${id}); COMMIT`);
      }
      commits += 1;
    }
    await session.end();
  };
  const clients = Array.from({ length: CLIENTS }, (_, client) => write(client));
  await until('clients to write', async () => commits > 50);
  const running = drill('run', 'monthly');
  // Long past the moment that is compared; the rest has the machine to itself.
  await until('the scratch cluster to be laid', async () =>
    (await leftOver()).some((name) => /^drill-.*json/.test(name)),
  );
  resting.abort();
  const document = await running;
  await Promise.all(clients);
  assert.deepEqual(document.failures, []);
  assert.deepEqual([document.code, document.result], [0, 'passed']);
  assert.deepEqual(
    document.details.checklist.map(({ result }) => result),
    Array.from({ length: 7 }, () => 'passed'),
  );
  const phases = document.details.phases.map(({ name }) => name);
  assert.deepEqual(phases, ['source', 'choose', 'plan', 'lay', 'start-and-recover', 'check', 'clean-up']);
  assert.ok(document.details.rto_seconds !== null && document.details.rpo_seconds !== null);
  // The source went on from there: so it was a moment that was compared, and not an idle cluster.
  const [now] = await inWater('SELECT sum(value)::text AS sum FROM sensor');
  assert.ok(Number(now?.['sum']) > 50);
  assert.match(found(document, 'pages'), /^all \d{3,} pages/);
  assert.match(found(document, 'structure'), /^all \d{2,} relations are whole/);
  assert.deepEqual(await leftOver(), []);
  assert.ok(existsSync(join(place.folder, 'repository', document.object)));
  const shown = await drill('show');
  assert.deepEqual([shown.code, shown.evidence, shown.details], [0, document.evidence, document.details]);
});

test('each item that is broken is caught, by the check that asks for it', async () => {
  await inWater('CHECKPOINT');
  const [file] = await inWater("SELECT pg_relation_filepath('ledger') AS path");
  const heap = await open(join(cluster.dataDirectory, String(file?.['path'])), 'r+');
  await heap.write(Buffer.from('damage'), 0, 6, 2 * 8192 + 5000);
  await heap.close();
  assert.equal((await place.run(['backup', '--type', 'full'])).code, 3);
  await inWater('DROP INDEX sensor_municipality');
  await inWater('ALTER TABLE sensor DROP CONSTRAINT value_is_sane');
  await inWater('DROP TABLE valve');
  const whole = await readFile(fileOf('monthly'), 'utf8');
  await writeFile(
    fileOf('broken'),
    whole
      .replace('name: monthly', 'name: broken')
      .replace('rto: 1h', 'rto: 0s')
      .replace(
        '\nobjects:',
        `
  - name: rows that a recovery loses
    sql: SELECT count(*) FROM session
    equals_source: true
  - name: a wrong count
    sql: SELECT count(*) FROM municipality
    equals: 41
  - name: a slow query
    sql: SELECT pg_sleep(0.03)
    faster_than: 20ms
    runs: 2
  - name: a query without its index
    sql: SELECT * FROM municipality WHERE name = 'place 1'
    plan_uses_index: sensor_pkey
  - name: a query that takes for ever
    sql: SELECT pg_sleep(60)
    timeout: 50ms
    is_true: true
  - name: a command that fails
    shell: echo it is broken; exit 3
  - name: a command that takes for ever
    shell: sleep 300
    timeout: 100ms
  - name: a service that is not ready
    start: ${JSON.stringify(SERVICE)}
    http: http://127.0.0.1:{port}/other
    json: { path: ready, equals: true }
    timeout: 700ms
  - name: a service that ends
    start: echo no licence; exit 1
    http: http://127.0.0.1:{port}/readyz
objects:`,
      ),
  );
  const { record, details } = await here(await readDrillFile(fileOf('broken')));
  const document = { details };
  assert.deepEqual([record.result, details.error, record.backup], ['failed', null, details.backup]);
  const results = resultsOf(document);
  const caught: readonly (readonly [name: string, found: RegExp])[] = [
    ['rows that a recovery loses', /0/],
    ['a wrong count', /40/],
    ['a slow query', /ms, the median of 2/],
    ['a query without its index', /it uses/],
    ['a query that takes for ever', /statement timeout/],
    ['a command that fails', /exit code 3; it said: it is broken/],
    ['a command that takes for ever', /no end within 0\.1 s/],
    ['a service that is not ready', /ready = false/],
    ['a service that ends', /no answer.*has ended.*no licence/],
    ['valves', /the source failed|does not exist/],
    ['SELECT count(*) FROM valve', /the source failed: relation "valve" does not exist/],
    ['tables of water', /valve is missing/],
    ['indexes of water', /sensor_municipality of sensor is missing/],
    ['constraints of water', /value_is_sane of sensor is missing/],
    ['pages', /1 of \d+ pages are damaged: page 2 of base\//],
    ['structure', /ledger in water: invalid page in block 2/],
  ];
  for (const [name, what] of caught) {
    assert.equal(results[name], 'failed', name);
    assert.match(found(document, name), what, name);
  }
  // What was not broken is not blamed.
  for (const name of ['SELECT count(*) FROM municipality', 'all of reading', 'psql gets in', 'the service is ready']) {
    assert.equal(results[name], 'passed', name);
  }
  assert.deepEqual(
    document.details.checklist.map(({ result }) => result),
    ['passed', 'passed', 'failed', 'failed', 'failed', 'failed', 'failed'],
  );
  assert.deepEqual(await leftOver(), []);
});

test('a drill that cannot begin is on record as failed with a sentence, and leaves nothing', async () => {
  await writeFile(fileOf('unknown'), 'name: unknown\nchecks:\n  - sql: SELECT 1\n    at_lest: 1\n');
  const document = await drill('run', 'unknown');
  assert.deepEqual([document.code, document.result, document.details.drill], [14, 'failed', 'unknown']);
  assert.match(document.details.error ?? '', /unknown\.yaml:4:5 checks\[1\]\.at_lest .*did you mean at_least/);

  const refusals: readonly (readonly [given: object, error: RegExp, limits?: ScratchLimits])[] = [
    [{ target: '2001-01-01T00:00:00Z' }, /no backup to drill with: none was finished before 2001/],
    [{ target: '2101-01-01T00:00:00Z' }, /cannot be reached: the WAL in the repository ends/],
    [{ backup: 'ffffffff' }, /asks for backup ffffffff/],
    [{ databases: ['watre'] }, /watre.*water/],
    [{}, /it needs \d+ bytes in .*scratch, and may take 1000/, { diskBytes: 1000 }],
  ];
  for (const [given, error, limits] of refusals) {
    const { record, details } = await here(small(given), limits);
    assert.equal(record.result, 'failed');
    assert.match(details.error ?? '', error);
    assert.ok(details.checklist.every(({ result }) => result !== 'passed'));
  }
  assert.deepEqual(await leftOver(), []);
});

test('a drill that is interrupted ends what it started, and is on record as failed', async () => {
  const mark = join(place.folder, 'begun');
  const interruption = new AbortController();
  const waits = { name: 'waits', shell: `echo $$ > ${mark}; sleep 300`, timeout: '1h' };
  const running = here(small({ name: 'interrupted', checks: [waits] }), {}, interruption.signal);
  await until('the check to run', async () => existsSync(mark) && (await readFile(mark, 'utf8')).endsWith('\n'));
  interruption.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
  assert.deepEqual([await leftOver(), existsSync(`/proc/${Number(await readFile(mark, 'utf8'))}`)], [[], false]);
  const { details, result } = await drill('show', 'interrupted');
  assert.deepEqual([result, details.error], ['failed', 'it was interrupted']);
});

test('a drill that is killed is swept away and put on record by whoever looks next', async () => {
  const mark = join(place.folder, 'reached');
  await writeFile(
    fileOf('killed'),
    `name: killed\nchecks:\n  - name: waits\n    shell: echo $$ > ${mark}; sleep 300\n    timeout: 1h\n`,
  );
  const { child, ended } = place.start(['drill', 'run', 'killed']);
  await until('the check to run', async () => existsSync(mark) && (await readFile(mark, 'utf8')).endsWith('\n'));
  const command = Number(await readFile(mark, 'utf8'));
  child.kill('SIGKILL');
  assert.equal((await ended).signal, 'SIGKILL');
  assert.notDeepEqual(await leftOver(), []);
  assert.ok(existsSync(`/proc/${command}`));

  // Who may only look writes nothing.
  const looked = await place.run(['drill', 'list', '--no-record', '--json']);
  const seen = drillsDocument.parse(JSON.parse(looked.stdout));
  assert.deepEqual([seen.killed, seen.drills.find((each) => each.drill === 'killed')?.last], [[], null]);

  const { code, stdout, stderr } = await place.run(['drill', 'list', '--json']);
  assert.equal(code, 0, stderr);
  const list = drillsDocument.parse(JSON.parse(stdout));
  const killed = list.drills.find((each) => each.drill === 'killed');
  assert.deepEqual([list.killed.length, killed?.last?.evidence], [1, list.killed[0]]);
  assert.deepEqual([killed?.last?.result, killed?.last?.error], ['failed', 'it was killed before its end']);
  assert.deepEqual(await leftOver(), []);
  await until('what it had started to be gone', async () => !existsSync(`/proc/${command}`));

  const again = drillsDocument.parse(JSON.parse((await place.run(['drill', 'list', '--json'])).stdout));
  assert.deepEqual([again.killed, again.drills.length], [[], list.drills.length]);
  assert.equal(again.drills.find((each) => each.drill === 'monthly')?.last?.result, 'passed');
  assert.match(again.drills.find((each) => each.drill === 'unknown')?.problem ?? '', /at_lest/);
  assert.equal(again.drills.find((each) => each.drill === 'small')?.file, null);
});

test('a backup that cannot be fetched fails the drill at its first item, and the backup with it', async () => {
  const packs = join(place.folder, 'repository/packs');
  for (const folder of await readdir(packs)) {
    for (const name of await readdir(join(packs, folder))) {
      const path = join(packs, folder, name);
      await chmod(path, 0o600);
      const pack = await open(path, 'r+');
      const { size } = await pack.stat();
      for (let at = 200; at < size - 4096; at += 4096) await pack.write(Buffer.from([0xff, 0x00, 0xff]), 0, 3, at);
      await pack.close();
    }
  }
  const { record, details } = await here(small({}));
  const [download, restored] = details.checklist;
  assert.deepEqual(
    [record.result, download?.result, restored?.result],
    ['failed', 'failed', 'failed'],
    details.error ?? '',
  );
  assert.deepEqual([record.backup, typeof record.backup], [details.backup, 'string']);
  assert.deepEqual(await leftOver(), []);
});
