// Objectives on a real cluster: signs of an attack, the canary of a role that may little, and the source killed at a random
// moment under load, with the loss that is reported held against the rows that were really lost.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type {
  AnomaliesDocument,
  CanaryDocument,
  CheckDocument,
  DoctorDocument,
  OperationEvent,
  RestoreDocument,
  StatusDocument,
} from '@spillway/contract';
import { commandDocuments } from '@spillway/contract/schemas';
import {
  backup,
  type BackupSummary,
  canaryFile,
  listEvidence,
  openRepository,
  readCanaryAt,
  readStateFile,
  receiveWal,
  type Repository,
  runCanary,
} from '@spillway/engine';
import { adoptCluster, freePort, type LabCluster, seededRandom, startCluster } from '@spillway/lab';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { makeWorkplace, type Workplace } from './spawned.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
const passphrase = randomBytes(33).toString('base64url');
let place: Workplace;
let cluster: LabCluster;
let repository: Repository;
/** Ends what a test that failed left running. */
const over = new AbortController();
const untilOver = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, over.signal]);

const yaml = (extra = ''): string => `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, port: ${cluster.port}, user: ${cluster.user}, password: { file: password } }
    bin_directory: ${cluster.installation.binDirectory}
    canary: { interval: 1s, state_directory: state }
    wal: { flush_interval: 100ms }
${extra}`;

const configure = (extra = ''): Promise<void> =>
  writeFile(join(place.folder, 'spillway.yaml'), yaml(extra), { mode: 0o600 });

before(async () => {
  cluster = await startCluster({
    walSegmentMegabytes: 1,
    settings: { max_slot_wal_keep_size: '1GB', wal_level: 'logical' },
  });
  place = await makeWorkplace({ passphrase: `${passphrase}\n`, password: `${cluster.password}\n` });
  // The server's account must get through to what is restored in here.
  await chmod(place.folder, 0o755);
  await configure();
  await run('init', [0]);
  await lightenPassphrase(place.folder);
  const location = { kind: 'filesystem', path: join(place.folder, 'repository') } as const;
  repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
});
after(async () => {
  over.abort();
  await place[Symbol.asyncDispose]();
  await cluster.destroy();
});

async function run<Document>(command: string, codes: readonly number[], ...rest: readonly string[]): Promise<Document> {
  const { code, stdout, stderr } = await place.run([...command.split(' '), ...rest, '--json']);
  assert.ok(codes.includes(code ?? -1), `${command}: ${code} ${stderr}${stdout}`);
  const document: unknown = JSON.parse(stdout);
  commandDocuments.get(command)?.parse(document);
  return document as Document;
}

const anomalies = (codes: readonly number[], ...words: readonly string[]): Promise<AnomaliesDocument> =>
  run('anomalies', codes, ...words);

const backUp = (): Promise<BackupSummary> =>
  backup({
    repository,
    cluster: { name: 'main', connection: cluster.connection },
    type: 'incremental',
    workers: 2,
    compressionLevel: 1,
    walTimeoutMs: 30_000,
    slot: 'spillway_main',
    flushIntervalMs: 100,
    signal: new AbortController().signal,
    report: () => undefined,
  });

const openRules = ({ findings }: AnomaliesDocument): readonly string[] =>
  findings.filter(({ accepted }) => !accepted).map(({ rule }) => rule);

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await done())) {
    assert.ok(performance.now() < deadline, `waited in vain for ${what} (seed ${seed})`);
    await wait(10);
  }
}

/** Some of them hold what compresses well, until `encrypt` writes over it. */
const sensible = `CREATE TABLE ledger (id int PRIMARY KEY, body bytea STORAGE EXTERNAL);
  INSERT INTO ledger SELECT n, convert_to(repeat('the meter of house ' || n || ' says ', 32), 'UTF8') FROM generate_series(1, 12000) n`;
const encrypt = `UPDATE ledger SET body =
  (SELECT string_agg(sha512(convert_to(id || ' ' || part, 'UTF8')), '') FROM generate_series(1, 14) part)`;

test('encryption in place, and protection that is weakened, are raised until somebody accepts them', async () => {
  await cluster.query(sensible);
  await backUp();
  for (const id of [1, 2]) {
    await cluster.query(`UPDATE ledger SET body = body WHERE id = ${id}`);
    await backUp();
  }
  const quiet = await anomalies([0]);
  assert.deepEqual(quiet.findings, []);
  assert.equal(quiet.baseline, null);
  assert.ok(quiet.evidence !== null);

  await cluster.query(encrypt);
  const encrypted = await backUp();
  const struck = await anomalies([13]);
  assert.deepEqual(openRules(struck), ['encrypted']);
  const [sign] = struck.findings;
  assert.equal(sign?.subject, encrypted.id);
  assert.ok(Number(sign?.figures['stored_ratio']) > 0.4, JSON.stringify(sign));
  assert.match((await place.run(['anomalies'])).stdout, /^ALARM backup .* encrypted in place\n +new_share /);
  assert.deepEqual(openRules(await anomalies([0], '--accept')), []);

  await configure('    retention: { keep_count: 1 }\n');
  assert.deepEqual(openRules(await anomalies([13], '--no-source')), ['weakened']);
  await configure();
  const { records } = await listEvidence(repository, 'main');
  assert.deepEqual(
    records.filter(({ kind }) => kind === 'anomaly').map(({ result }) => result),
    ['passed', 'failed', 'passed', 'failed'],
  );
});

test('a role that may not make the table gets one warning and no canary, and with the grants of the page it may', async () => {
  const told = async (): Promise<readonly (string | undefined)[]> => {
    const [checked, examined] = await Promise.all(['check', 'doctor'].map((word) => place.run([word, '--json'])));
    const { probes } = JSON.parse(checked?.stdout ?? '') as CheckDocument;
    const { findings, looked_at: seen } = JSON.parse(examined?.stdout ?? '') as DoctorDocument;
    assert.ok(seen.includes('canary'));
    const probe = probes.find(({ name }) => name === 'canary');
    return [probe?.status, probe?.message, findings.find(({ area }) => area === 'canary')?.mend];
  };
  assert.deepEqual(await told(), [
    'warning',
    'not installed: there is no table spillway.canary yet',
    'spillway wal receive makes it when it runs, or spillway canary',
  ]);
  await cluster.query(`CREATE ROLE spillway LOGIN REPLICATION PASSWORD 'little'`);
  const connection = { ...cluster.connection, user: 'spillway', password: 'little' };
  const warnings: string[] = [];
  const report = (event: OperationEvent): void => void (event.type === 'notice' && warnings.push(event.message));
  const stateFile = join(place.folder, 'little', 'canary.json');
  const options = {
    repository,
    cluster: 'main',
    connection,
    stateFile,
    intervalMs: 5,
    quietMs: 0,
    recordMs: 100,
    report,
  };
  await assert.rejects(runCanary({ ...options, signal: AbortSignal.timeout(30_000) }), {
    code: 'SPW_POSTGRES_UNSUITABLE',
  });
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0] ?? '', /may not make spillway\.canary .* GRANT CREATE ON DATABASE postgres TO spillway/);

  // A receiver goes on without it.
  const beside = new AbortController();
  let position = '';
  const receiving = receiveWal({
    repository,
    cluster: { name: 'main', connection },
    slot: 'little',
    flushIntervalMs: 50,
    canary: { intervalMs: 5, stateFile },
    signal: untilOver(beside.signal),
    report,
    onPosition: ({ durable_lsn: durable }) => (position = durable),
  });
  await until('the stream', () => position !== '' && warnings.length === 2);
  beside.abort();
  await receiving;
  await cluster.query(`SELECT pg_drop_replication_slot('little')`);

  const page = await readFile(join(import.meta.dirname, '../../../docs/objectives.md'), 'utf8');
  const [, sql] = /```sql\n(CREATE SCHEMA spillway;[^`]*)```/.exec(page) ?? [];
  assert.ok(sql !== undefined, 'the page has the statements');
  await cluster.query(sql);
  const stopping = new AbortController();
  const writing = runCanary({ ...options, signal: untilOver(stopping.signal) });
  await until(
    'two hundred canaries',
    async () => ((await readStateFile(stateFile))?.acknowledged.at(-1)?.sequence ?? 0) >= 200,
  );
  stopping.abort();
  const { written, newest } = await writing;
  const row = await readCanaryAt(cluster.connection);
  // The last one may have been committed without anybody's being told.
  assert.ok([0, 1].includes((row?.sequence ?? -1) - (newest?.sequence ?? 0)), `${row?.sequence} ${newest?.sequence}`);
  assert.equal(newest?.sequence, written);
  const [table] = await cluster.query<{ bytes: string }>(`SELECT pg_relation_size('spillway.canary')::text AS bytes`);
  assert.equal(table?.bytes, '8192', 'it never grows');
  assert.equal(warnings.length, 2, 'nothing more to say');

  // The command itself goes on with the same row.
  const noted = canaryFile(join(place.folder, 'state'), repository.id, 'main');
  const { child, ended } = place.start(['canary', '--json']);
  await until('one more', async () => (await readStateFile(noted)) !== undefined);
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  assert.ok(code === 0 || code === 143, stderr);
  const document: unknown = JSON.parse(stdout);
  commandDocuments.get('canary')?.parse(document);
  assert.equal((document as CanaryDocument).state_file, noted);
  assert.ok(((document as CanaryDocument).newest?.sequence ?? 0) > (newest?.sequence ?? 0), stdout);
  const [status, message, mend] = await told();
  assert.match(message ?? '', /^fresh: number \d+, \d+ s ago$/);
  assert.deepEqual([status, mend], ['ok', undefined]);
});

interface Row {
  readonly id: number;
  /** The server's clock when it was written. */
  readonly at: number;
}

test('the loss that a restore reports is what was really lost', async () => {
  await cluster.query('CREATE TABLE note (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())');
  const stateFile = canaryFile(join(place.folder, 'state'), repository.id, 'main');
  const [streaming, writing] = [new AbortController(), new AbortController()];
  const quiet = (): void => undefined;
  let durable = '';
  const receiving = receiveWal({
    repository,
    cluster: { name: 'main', connection: cluster.connection },
    slot: 'spillway_main',
    flushIntervalMs: 50,
    signal: untilOver(streaming.signal),
    report: quiet,
    onPosition: ({ durable_lsn: at }) => (durable = at),
  });
  const beating = runCanary({
    repository,
    cluster: 'main',
    connection: cluster.connection,
    stateFile,
    intervalMs: 25,
    signal: untilOver(writing.signal),
    report: quiet,
  });
  const acknowledged: Row[] = [];
  const load = Promise.all(
    [0, 1].map(async (client) => {
      const session = await cluster.connect();
      try {
        for (let id = client; ; id += 2) {
          const { rows } = await session.query<{ at: Date }>('INSERT INTO note VALUES ($1) RETURNING at', [id]);
          acknowledged.push({ id, at: rows[0]?.at.getTime() ?? Number.NaN });
        }
      } catch {
        // The source is gone.
      }
      await session.end().catch(quiet);
    }),
  );
  await until('the load', () => acknowledged.length > 100 && durable !== '');
  await backUp();

  const well = await run<StatusDocument>('status', [0]);
  assert.equal(well.rpo.state, 'met');
  assert.ok((well.rpo.seconds ?? 99) < 5, JSON.stringify(well.rpo));
  assert.equal(well.canary.known_by, 'source');
  assert.ok((well.rpo.places[0]?.canary ?? 0) > 200, 'a canary is durable');
  assert.deepEqual(
    well.rto.scenarios.map(({ basis }) => basis),
    ['guess', 'guess', 'guess'],
  );
  const plugin = await place.run(['status', '--format', 'nagios']);
  assert.match(
    plugin.stdout,
    /^SPILLWAY (?:OK|WARNING) - main can be recovered to .* \| rpo=[\d.]+s;450;900 rto=\d+s;2880;3600 wal_since=\d+B\n$/,
  );

  // The receiver goes first, the source a while later; the canary sees it go.
  await wait(random.between(50, 400));
  streaming.abort();
  await receiving;
  await wait(random.between(100, 900));
  await cluster.kill();
  await load;
  await until(
    'the canary to miss the source',
    async () => ((await readStateFile(stateFile))?.lost_at ?? null) !== null,
  );
  writing.abort();
  const { newest } = await beating;

  const port = await freePort();
  const restored = await run<RestoreDocument>(
    'restore',
    [0],
    '--into',
    'restored',
    '--start',
    '--isolated',
    '--port',
    String(port),
  );
  const { loss } = restored;
  const { folder } = place;
  const { user, password } = cluster.connection;
  await using server = await adoptCluster({
    dataDirectory: join(folder, 'restored'),
    binDirectory: cluster.installation.binDirectory,
    port,
    user,
    password,
  });
  const there = new Set((await server.query<{ id: number }>('SELECT id FROM note')).map(({ id }) => id));
  const lost = acknowledged.filter(({ id }) => !there.has(id));
  const kept = acknowledged.filter(({ id }) => there.has(id));
  const found = loss?.newest_found;
  const last = loss?.newest_acknowledged;
  assert.ok(
    loss !== null && found !== null && found !== undefined && last !== null && last !== undefined,
    JSON.stringify(loss),
  );
  const said = `seed ${seed}, ${lost.length} of ${acknowledged.length} rows lost: ${JSON.stringify(loss)}`;
  assert.equal(loss.certainty, 'exact', said);
  assert.equal(last.sequence, newest?.sequence, said);
  assert.ok(lost.length > 0 && loss.canaries !== null && loss.canaries > 0, said);
  // Every row from before the newest canary that was found is there, and every row that is lost came after it.
  const foundAt = Date.parse(found.written_at);
  assert.ok(
    lost.every(({ at }) => at >= foundAt - 1),
    said,
  );
  // In time: from the newest row that was kept to the newest that was acknowledged, to within what is said, and the distance
  // to the next canary on either side.
  const ends = (rows: readonly Row[]): number => Math.max(...rows.map(({ at }) => at));
  const really = (ends(lost) - ends(kept)) / 1000;
  const next = (await readStateFile(stateFile))?.acknowledged.find(({ sequence }) => sequence > found.sequence);
  const spacing = next === undefined ? 0 : (Date.parse(next.written_at) - foundAt) / 1000;
  const within = (loss.within_seconds ?? 0) + 0.05;
  assert.ok(
    really >= (loss.seconds ?? 0) - spacing - 0.05 && really <= (loss.seconds ?? 0) + within,
    `${really} s really; ${said}`,
  );

  const { records } = await listEvidence(repository, 'main');
  const record = records.findLast(({ kind }) => kind === 'restore');
  assert.ok(record !== undefined);
  assert.equal(record.details['rpo_seconds'], loss.seconds);
  assert.deepEqual(record.details['canary'], { newest_found: found, newest_acknowledged: last });

  // The source is gone, and a recovery was measured now.
  await configure('    objectives: { rpo: 1s, rto: 1h }\n');
  const gone = await run<StatusDocument>('status', [14]);
  assert.equal(gone.source, null);
  assert.deepEqual(
    gone.rto.scenarios.map(({ basis, state }) => [basis, state]),
    [
      ['measured', 'met'],
      ['measured', 'met'],
      ['guess', 'unproven'],
    ],
  );
  assert.equal(gone.rto.scenarios[0]?.proof?.evidence, record.id);
});
