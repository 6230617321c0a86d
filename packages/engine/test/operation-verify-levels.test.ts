// Each harm is caught by the level of verification that is named for it, marks the backup, and the next restore goes by that.
//
// One cluster of PostgreSQL 15, whose client programs are here, without page checksums at first: a tuple and an index are hurt
// in the files of the source before its second backup, so that both are stored faithfully and nothing but a look inside finds them. Then it
// gets checksums, and a page of another table is hurt under them. What is done to the repository is done to a copy of it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { isSpillwayError } from '@spillway/contract';
import { flipBit, type Installation, installationWithTools } from '@spillway/lab';
import type { BackupSummary } from '../src/format/manifest.ts';
import { manifestName, packName } from '../src/format/names.ts';
import {
  dump,
  type DumpSummary,
  expire,
  findBackup,
  listEvidence,
  planRestore,
  provenBackups,
  verdicts,
  verify,
  verifyDumps,
  verifyRestore,
  type VerifyRestoreOptions,
  type VerifySummary,
  verifyWal,
  Repository,
} from '../src/index.ts';
import { readAllPages, type WrongPage } from '../src/operation/verify/restored/pages.ts';
import { segmentName, segmentSize, timelineId, parseLsn, lsn, segmentEnd } from '../src/postgres/lsn.ts';
import { readDump } from '../src/repository/dump-store.ts';
import { readIndex } from '../src/repository/index-store.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const PAGE = 8192;
const DAY_MS = 86_400_000;
/** Of WAL, at least, between the backups: a row inserted is one. */
const RECORDS = 200;
const run = promisify(execFile);
const installation = await installationWithTools(15);
const signal = new AbortController().signal;
const report = (): void => undefined;

suite('verification', {
  skip: installation === undefined && 'PostgreSQL 15 with its client programs is not here',
}, () => {
  let stage: Stage;
  let good: BackupSummary;
  let bad: BackupSummary;
  let logical: DumpSummary;
  let torn: WrongPage;
  let path: string;
  let repository: Repository;
  let copies = 0;

  before(async () => {
    stage = await makeStage({ installation: installation as Installation, checksums: false });
    const { cluster } = stage;
    const { dataDirectory, account } = cluster;
    for (const table of ['hurt', 'misordered', 'torn']) {
      await cluster.query(`CREATE TABLE ${table} AS SELECT n, md5(n::text) AS word FROM generate_series(1, 500) AS n`);
      await cluster.query(`CREATE INDEX ${table}_n ON ${table} (n)`);
    }
    await cluster.query('CREATE TABLE latest (at timestamptz)');
    await cluster.query('CREATE TABLE many (n int)');
    const receiving = stage.receive();
    good = await stage.backup();
    // So that there are moments, records and segments of WAL between the backups.
    await cluster.query(`INSERT INTO many SELECT generate_series(1, ${RECORDS})`);
    for (let n = 0; n < 3; n++) {
      await cluster.query('INSERT INTO latest VALUES (clock_timestamp())');
      await cluster.query("SELECT pg_logical_emit_message(false, 'x', repeat('y', 1200000))");
    }
    const file = async (table: string): Promise<string> => {
      const [row] = await cluster.query<{ path: string }>(`SELECT pg_relation_filepath('${table}') AS path`);
      return row?.path ?? '';
    };
    const [hurt, index, tornFile] = [await file('hurt'), await file('misordered_n'), await file('torn')];
    await stage.caughtUp(receiving);
    await receiving.stop();
    await cluster.stop();
    await hurtTuple(join(dataDirectory, hurt));
    await misorder(join(dataDirectory, index));
    const bin = cluster.installation.binDirectory;
    await run(join(bin, 'pg_checksums'), ['--enable', '-D', dataDirectory], { ...account, cwd: '/' });
    // The text of a row: nothing that PostgreSQL looks at when it reads the page, but its checksum.
    torn = { path: tornFile, block: 1 };
    await flipBit(join(dataDirectory, tornFile), 2 * PAGE - 20);
    await cluster.start();
    const again = stage.receive();
    bad = await stage.backup();
    await cluster.query('INSERT INTO latest VALUES (clock_timestamp())');
    await stage.caughtUp(again);
    logical = await dump({
      repository: stage.repository,
      cluster: { name: stage.name, connection: cluster.connection },
      kind: 'schema',
      workers: 1,
      compressionLevel: 1,
      binDirectory: bin,
      signal,
      report,
    });
    await again.stop();
  });
  after(() => stage[Symbol.asyncDispose]());
  beforeEach(async () => {
    path = join(stage.folder, `copy-${++copies}`);
    await cp(stage.repositoryPath, path, { recursive: true });
    repository = new Repository({ ...stage.repository.handle, location: { kind: 'filesystem', path } });
  });

  const common = () => ({ repository, cluster: stage.name, workers: 2, signal, report });
  const restoring = (more: Partial<VerifyRestoreOptions> = {}): Promise<VerifySummary> =>
    verifyRestore({
      ...common(),
      folder: join(stage.folder, 'scratch'),
      connection: stage.cluster.connection,
      binDirectory: stage.cluster.installation.binDirectory,
      restoreCommand: 'exit 150',
      seed: 'a',
      ...more,
    });
  const kinds = ({ findings }: VerifySummary): readonly string[] => findings.map(({ kind }) => kind);
  const hurtOf = ({ findings }: VerifySummary): readonly string[] => [
    ...new Set(findings.flatMap(({ hurts }) => hurts.map(({ backup }) => backup))),
  ];
  const planned = async (): ReturnType<typeof planRestore> =>
    planRestore({ repository, cluster: stage.name, target: { kind: 'latest' }, targetDirectory: stage.place() });
  const resultsOf = async (): Promise<Readonly<Record<string, string | undefined>>> => {
    const known = verdicts((await listEvidence(repository, stage.name)).records);
    return { good: known.get(good.id)?.result, bad: known.get(bad.id)?.result };
  };

  test('by a restore finds a hurt tuple, a broken index and a bad page that reading every chunk does not, and the next restore passes that backup by', async () => {
    const data = await verify({ ...common(), level: 'data', all: true });
    assert.equal(data.result, 'passed', JSON.stringify(data.findings));
    assert.equal((await planned()).plan.backup.id, bad.id, 'before anything is known against it');

    const checks = ['SELECT count(*) = 500 FROM hurt', 'SELECT 1', 'SELECT true FROM nowhere'];
    const found = await restoring({ checks });
    assert.equal(found.result, 'failed');
    const objects = found.findings.map(({ kind, object }) => `${kind} ${object}`);
    for (const wanted of [
      'relation heap table postgres.public.hurt, block 0',
      'relation btree index postgres.public.misordered_n',
      `page ${torn.path}, block ${torn.block}`,
      'check SELECT 1',
      'check SELECT true FROM nowhere',
    ]) {
      assert.ok(objects.includes(wanted), `${wanted} is not among ${objects.join('; ')}`);
    }
    assert.ok(!objects.some((object) => object.includes('latest')), objects.join('; '));
    assert.deepEqual(hurtOf(found), [bad.id]);
    assert.deepEqual(
      found.restore?.checks.map(({ result }) => result),
      ['passed', 'failed', 'failed'],
    );
    assert.equal(found.restore?.pages?.by, 'pg_checksums');
    assert.ok((found.restore?.pages?.pages ?? 0) > 500 && found.restore?.amcheck?.version.startsWith('15.'));
    assert.equal(found.next_good, good.id);
    assert.deepEqual(await resultsOf(), { good: 'passed', bad: 'failed' });
    const { plan } = await planned();
    assert.equal(plan.backup.id, good.id);
    assert.match(plan.notes.join(' '), new RegExp(`${bad.id} was passed over.*level restore`));
    // Reading it all again changes nothing about what is in it.
    await verify({ ...common(), level: 'data', ids: [bad.id] });
    assert.deepEqual(await resultsOf(), { good: 'passed', bad: 'failed' });
    assert.deepEqual(await readdir(join(stage.folder, 'scratch')), []);
  });

  test('by a restore to a moment chosen at random passes for a good backup, and counts what is there', async () => {
    const found = await restoring({ id: good.id, checks: ['SELECT count(*) <= 3 FROM latest'], seed: 'b' });
    assert.equal(found.result, 'passed', JSON.stringify(found.findings));
    const { restore } = found;
    assert.ok(restore?.window && restore.target.value, 'a moment was chosen');
    const at = Date.parse(restore.target.value);
    assert.ok(at >= Date.parse(restore.window.from) && at <= Date.parse(restore.window.to));
    assert.equal(restore.seed, 'b');
    const rows = Object.fromEntries(restore.counted.map(({ table, rows: count }) => [table, count]));
    assert.equal(rows['postgres.public.hurt'], 500);
    assert.equal(restore.pages, null);
    assert.match(found.notices.join(' '), /no page checksums/);
    const { records } = await listEvidence(repository, stage.name);
    assert.ok(provenBackups(records).has(good.id));
    assert.equal(records.at(-1)?.details['seed'], 'b');
  });

  test('by a restore that cannot be tried is on record, and says nothing of the backup', async () => {
    for (const wish of [{ limits: { diskBytes: 1 } }, { target: { kind: 'lsn', lsn: 'FF/0' } }] as const) {
      await assert.rejects(restoring(wish), (error) =>
        isSpillwayError(error, 'SPW_DISK_SPACE', 'SPW_TARGET_UNREACHABLE'),
      );
      const { records } = await listEvidence(repository, stage.name);
      const last = records.at(-1);
      assert.deepEqual(
        [last?.backup, last?.level, last?.result, last?.details['tried']],
        [null, 'restore', 'failed', bad.id],
      );
    }
    assert.deepEqual(await resultsOf(), { good: undefined, bad: undefined });
  });

  test('of pages by our own reading finds what pg_checksums finds', async () => {
    const { cluster } = stage;
    const found: WrongPage[] = [];
    const read = (isRunning: boolean): Promise<number> =>
      readAllPages({
        directory: cluster.dataDirectory,
        blockBytes: PAGE,
        fileBlocks: 131_072,
        isRunning,
        signal,
        onWrong: (page) => found.push(page),
        onRead: report,
      });
    // Twice: also where a server may be writing pages, and looks again at those that are wrong.
    assert.ok((await read(true)) > 500);
    await cluster.stop();
    const pages = await read(false);
    await cluster.start();
    assert.deepEqual(found, [torn, torn]);
    assert.ok(pages > 500, `${pages} pages`);
  });

  test('of WAL finds a missing segment, and one that was changed, and tells which backups they hurt and how', async () => {
    const whole = await verifyWal({ ...common(), all: true });
    assert.equal(whole.result, 'passed', JSON.stringify(whole.findings));
    assert.deepEqual(
      whole.wal?.chains.map(({ backup, from_lsn: from }) => [backup, from]),
      [
        [good.id, good.start_lsn],
        [bad.id, bad.start_lsn],
      ],
    );
    assert.ok((whole.wal?.records ?? 0) > RECORDS);
    assert.equal((await verifyWal(common())).wal?.chains.length, 1, 'the newest alone');

    const size = segmentSize(good.wal_segment_bytes);
    const between = segmentEnd(lsn((parseLsn(good.stop_lsn) ?? 0n) + BigInt(size)), size);
    const name = segmentName(timelineId(1), between, size);
    const file = await walFile(path, name);
    const bytes = await readFile(file);
    await flipBit(file, Math.floor(bytes.byteLength / 2));
    const changed = await verifyWal({ ...common(), all: true });
    assert.deepEqual([kinds(changed), changed.findings[0]?.object, hurtOf(changed)], [['wal'], name, [good.id]]);
    await rm(file);
    const missing = await verifyWal({ ...common(), all: true });
    assert.deepEqual([kinds(missing), hurtOf(missing)], [['wal'], [good.id]]);
    assert.match(missing.findings[0]?.problem ?? '', /WAL is missing from .*1 whole segment/s);
    // The backup itself is none the worse for it.
    const { records } = await listEvidence(repository, stage.name);
    assert.deepEqual(
      records.filter(({ backup }) => backup === good.id).map(({ level, result }) => [level, result]),
      [
        ['wal', 'passed'],
        ['wal', 'failed'],
        ['wal', 'failed'],
      ],
    );
    assert.deepEqual(await resultsOf(), { good: 'passed', bad: 'passed' });
    await writeFile(file, bytes);
    // But without its own WAL it is none.
    await rm(await walFile(path, segmentName(timelineId(1), parseLsn(bad.start_lsn) ?? lsn(0n), size)));
    const own = await verifyWal({ ...common(), all: true });
    assert.deepEqual([kinds(own).length > 0, hurtOf(own).toSorted()], [true, [good.id, bad.id].toSorted()]);
    assert.deepEqual(await resultsOf(), { good: 'passed', bad: 'failed' });
  });

  test('of a dump lets pg_restore list it, and finds what cannot be read', async () => {
    const binDirectory = stage.cluster.installation.binDirectory;
    const whole = await verifyDumps({ ...common(), binDirectory });
    assert.equal(whole.result, 'passed');
    assert.ok((whole.dumps?.[0]?.databases[0]?.entries ?? 0) > 5);
    const index = await readIndex(repository);
    const { chunkIds } = await readDump(repository, stage.name, logical.id);
    const place = index.table.find(chunkIds, 0);
    const pack = index.packs[place?.pack ?? -1]?.packId ?? '';
    await flipBit(join(path, packName(pack)), (place?.offset ?? 0) + 9);
    const found = await verifyDumps({ ...common(), binDirectory, all: true });
    assert.deepEqual([kinds(found), hurtOf(found), found.next_good], [['archive'], [logical.id], null]);
    const { records } = await listEvidence(repository, stage.name);
    assert.deepEqual(
      [...verdicts(records)].map(([id, { failedAt }]) => [id, failedAt]),
      [[logical.id, ['dump']]],
    );
  });

  test('of the structure finds that a backup is gone which nothing let go, once', async () => {
    const look = (): Promise<VerifySummary> => verify({ ...common(), level: 'structure', all: true });
    assert.equal((await look()).result, 'passed');
    await rm(join(path, manifestName(stage.name, bad.id)));
    const found = await look();
    assert.deepEqual([kinds(found), found.findings[0]?.object], [['manifest'], manifestName(stage.name, bad.id)]);
    assert.match(found.findings[0]?.problem ?? '', /gone/);
    assert.deepEqual(
      found.backups.filter(({ result }) => result === 'failed').map(({ id }) => id),
      [bad.id],
    );
    const again = await look();
    assert.equal(again.result, 'passed');
    assert.match(again.notices.join(' '), new RegExp(`${bad.id} is still gone`));
  });

  test('of the structure takes no backup for lost that was let go', async () => {
    const look = (): Promise<VerifySummary> => verify({ ...common(), level: 'structure', all: true });
    await look();
    const { removed_backups: removed } = await expire({
      ...common(),
      policy: { minimumProven: 1, keepCount: 1 },
      graceMs: 0,
      repackBelow: 0,
      repackBytesMax: 0,
    });
    assert.deepEqual(removed, [good.id]);
    const found = await look();
    assert.deepEqual([found.result, found.notices], ['passed', []]);
    await assert.rejects(findBackup({ ...common(), id: good.id }));
  });

  test('of a share each day reads everything once a window, finds a flipped bit on its day, and proves in the end', async () => {
    const DAYS = 3;
    const first = Date.now() + DAY_MS;
    const day = (n: number): Promise<VerifySummary> =>
      verify({ ...common(), level: 'data', sampleDays: DAYS, now: () => new Date(first + n * DAY_MS) });
    const found = [await day(0), await day(1), await day(2)];
    assert.deepEqual(
      found.map(({ result }) => result),
      ['passed', 'passed', 'passed'],
    );
    const index = await readIndex(repository);
    assert.equal(
      found.reduce((sum, { chunks }) => sum + chunks, 0),
      index.chunks,
    );
    assert.ok(found.every(({ chunks }) => chunks < index.chunks));
    assert.equal(
      found.reduce((sum, { packs }) => sum + packs, 0),
      index.packs.length,
    );
    assert.deepEqual(
      found.map(({ sample }) => sample?.all_read_since === null),
      [true, true, false],
    );
    const last = new Date(first + 2 * DAY_MS).toISOString().slice(0, 10);
    assert.deepEqual(new Set(found.map(({ sample }) => sample?.all_read_by)), new Set([last]));
    const proven = async (): Promise<ReadonlySet<string>> =>
      provenBackups((await listEvidence(repository, stage.name)).records);
    assert.deepEqual(await proven(), new Set([good.id, bad.id, logical.id]));
    assert.ok(found.slice(0, 2).every(({ backups }) => backups.every(({ evidence }) => evidence === null)));

    const pack = index.packs[0]?.packId ?? '';
    await flipBit(join(path, packName(pack)), 300);
    const later = [await day(3), await day(4), await day(5)];
    const bitDay = later.findIndex(({ findings }) => findings.some(({ kind }) => kind === 'chunk'));
    assert.ok(bitDay >= 0, 'the flipped bit was found');
    assert.equal(later.filter(({ findings }) => findings.some(({ kind }) => kind === 'chunk')).length, 1);
    const hurt = hurtOf(later[bitDay] as VerifySummary);
    assert.ok(hurt.length > 0);
    for (const id of hurt) assert.ok(!(await proven()).has(id), id);
  });
});

/** Of an entry in the first leaf of an index on an int4, which is not in order any more. */
async function misorder(file: string): Promise<void> {
  await using handle = await open(file, 'r+');
  const page = Buffer.alloc(PAGE);
  await handle.read(page, 0, PAGE, PAGE);
  const entry = page.readUInt32LE(24 + 4 * 10) & 0x7fff;
  page.writeInt32LE(1_000_000, entry + 8);
  await handle.write(page, 0, PAGE, PAGE);
}

/** Of the first tuple of the first page, where its data begins. */
async function hurtTuple(file: string): Promise<void> {
  await using handle = await open(file, 'r+');
  const page = Buffer.alloc(PAGE);
  await handle.read(page, 0, PAGE, 0);
  const tuple = page.readUInt32LE(24) & 0x7fff;
  page.writeUInt8(0, tuple + 22);
  await handle.write(page, 0, PAGE, 0);
}

async function walFile(path: string, name: string): Promise<string> {
  const all = await readdir(path, { recursive: true });
  const found = all.find((each) => each.endsWith(`/${name}`));
  assert.ok(found, `${name} is not stored whole: ${all.filter((each) => each.includes('/wal/')).join(' ')}`);
  return join(path, found);
}
