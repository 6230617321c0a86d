// What happens to files while a backup copies them, held to the rules of docs/rules.md.
//
// The copy is stopped at a known place: a file of several tasks comes first in the order of the data directory, and what a
// test does in the report of its first task is done before any file behind it is opened (a worker holds two tasks at most).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { chown, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { LabCluster } from '@spillway/lab';
import type { FileEntry } from '../src/format/entry.ts';
import type { BackupSummary, Manifest } from '../src/format/manifest.ts';
import { listBackups } from '../src/operation/backups.ts';
import { parseControlFile } from '../src/postgres/control.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import { checksumPage } from '../src/postgres/page.ts';
import { readManifest } from '../src/repository/manifest-store.ts';
import { makeStage, type Stage } from './operation-stage.ts';

const PAGE = 8192;
const TASK_BYTES = 16 * 1024 * 1024;
const SEGMENT_BLOCKS = 131_072;

let stage: Stage;
let data: string;

const at = (path: string): string => join(data, path);

/** Backs up, and does `act` when the first file, which is nothing but filler, is partly copied. */
async function backupWhile(act: () => void): Promise<BackupSummary> {
  let done = false;
  return stage.backup({
    workers: 1,
    report: (event) => {
      if (done || event.type !== 'progress' || event.phase !== 'copying files') return;
      done = true;
      act();
    },
  });
}

/** Without giving the event loop a turn: nothing of the backup goes on meanwhile. */
function queryNow(cluster: LabCluster, sql: string): string {
  const { host, port, user, password } = cluster.connection;
  const script = `
    import pg from 'pg';
    const client = new pg.Client(${JSON.stringify({ host, port, user, password, database: 'postgres' })});
    await client.connect();
    const { rows } = await client.query(${JSON.stringify(sql)});
    process.stdout.write(String(Object.values(rows?.[0] ?? {})[0] ?? ''));
    await client.end();`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
}

/** A page that is not new, with a checksum that is right for `block`, or wrong. */
function pageOf(block: number, lsn: bigint, isRight: boolean): Buffer {
  const page = Buffer.alloc(PAGE, 0x5a);
  page.writeUInt32LE(Number(lsn >> 32n), 0);
  page.writeUInt32LE(Number(lsn & 0xffffffffn), 4);
  const sum = checksumPage(page, 0, block);
  page.writeUInt16LE(isRight ? sum : sum ^ 1, 8);
  return page;
}

before(async () => {
  stage = await makeStage();
  data = stage.cluster.dataDirectory;
  await writeFile(at('0-filler'), '');
  await truncate(at('0-filler'), 6 * TASK_BYTES);
});
after(() => stage[Symbol.asyncDispose]());

describe('a backup of files that change while they are copied', () => {
  let summary: BackupSummary;
  let manifest: Manifest;
  let checkpointed: string;

  before(async () => {
    await writeFile(at('zz-gone'), 'gone');
    await writeFile(at('zz-grown'), 'a'.repeat(1000));
    await writeFile(at('zz-cut'), 'a'.repeat(1000));
    await mkdir(at('zz-folder'));
    await writeFile(at('zz-folder/inside'), 'gone too');
    // Looked at as empty pages, and written while the backup runs.
    await writeFile(at('base/5/77777'), Buffer.alloc(5 * PAGE));
    // A relation of more than one file: the second begins with block 131072.
    await writeFile(at('base/5/77778'), '');
    await truncate(at('base/5/77778'), SEGMENT_BLOCKS * PAGE);
    await writeFile(
      at('base/5/77778.1'),
      Buffer.concat([pageOf(SEGMENT_BLOCKS, 1n, true), pageOf(SEGMENT_BLOCKS + 1, 1n, false), Buffer.alloc(PAGE)]),
    );
    summary = await backupWhile(() => {
      rmSync(at('zz-gone'));
      appendFileSync(at('zz-grown'), 'b'.repeat(1_000_000));
      truncateSync(at('zz-cut'), 100);
      rmSync(at('zz-folder'), { recursive: true });
      writeFileSync(at('zz-new'), 'new');
      const now = parseLsn(queryNow(stage.cluster, 'SELECT pg_current_wal_insert_lsn()::text')) ?? 0n;
      writeFileSync(
        at('base/5/77777'),
        Buffer.concat([
          pageOf(0, now, false),
          pageOf(1, 1n, false),
          pageOf(2, 0xffffffffffffn, false),
          Buffer.alloc(PAGE),
          pageOf(4, 1n, true),
        ]),
      );
      queryNow(stage.cluster, 'CHECKPOINT');
      checkpointed = queryNow(stage.cluster, 'SELECT checkpoint_lsn::text FROM pg_control_checkpoint()');
    });
    manifest = await readManifest(stage.repository, stage.name, summary.id);
  });
  after(async () => {
    for (const name of ['zz-grown', 'zz-cut', 'zz-new', 'base/5/77777', 'base/5/77778', 'base/5/77778.1']) {
      await rm(at(name), { force: true });
    }
  });

  const fileOf = (path: string): FileEntry | undefined =>
    [...manifest.entries].find((entry): entry is FileEntry => entry.kind === 'file' && entry.path === path);

  test('leaves out what vanished, and what appeared', () => {
    assert.equal(fileOf('zz-gone'), undefined);
    assert.equal(fileOf('zz-folder/inside'), undefined);
    assert.equal(fileOf('zz-new'), undefined);
  });

  test('keeps of what was cut all that could be read, and of what grew as much as there was', () => {
    assert.equal(fileOf('zz-cut')?.bytes, 100);
    assert.equal(fileOf('zz-grown')?.bytes, 1000);
  });

  test('takes pg_control as it is when everything else is copied', async () => {
    const planned = await stage.plan({ target: { kind: 'immediate' }, backupId: summary.id });
    await stage.lay(planned);
    const control = parseControlFile(await readFile(join(planned.plan.directory, 'global/pg_control')));
    assert.equal(control.checkPoint, parseLsn(checkpointed));
    assert.equal(
      (await readFile(join(planned.plan.directory, 'backup_label'), 'utf8')).includes(
        `START WAL LOCATION: ${summary.start_lsn}`,
      ),
      true,
    );
    await rm(planned.plan.directory, { recursive: true });
  });

  test('counts a wrong page as damaged where its LSN lies before the start or after the stop, and not in between', () => {
    assert.deepEqual(
      summary.damaged_pages.filter(({ file }) => file === 'base/5/77777'),
      [
        { file: 'base/5/77777', block: 1 },
        { file: 'base/5/77777', block: 2 },
      ],
    );
  });

  test('counts the blocks of a relation over its files, and takes empty pages for good', () => {
    assert.deepEqual(
      summary.damaged_pages.filter(({ file }) => file !== 'base/5/77777'),
      [{ file: 'base/5/77778.1', block: SEGMENT_BLOCKS + 1 }],
    );
    assert.equal(summary.damaged_page_count, 3);
  });

  test('is described by what the server says of itself', async () => {
    const [said] = await stage.cluster.query(
      `SELECT system_identifier::text AS system_identifier, catalog_version_no AS catalog_version,
              current_setting('server_version_num')::int AS postgres_version, bytes_per_wal_segment AS wal_segment_bytes,
              database_block_size AS block_bytes, data_page_checksum_version > 0 AS checksums, timeline_id AS timeline
         FROM pg_control_system(), pg_control_init(), pg_control_checkpoint()`,
    );
    const { system_identifier, catalog_version, postgres_version, timeline } = summary;
    const { wal_segment_bytes, block_bytes, checksums } = summary;
    assert.deepEqual(
      { system_identifier, catalog_version, postgres_version, wal_segment_bytes, block_bytes, checksums, timeline },
      said,
    );
    const start = parseLsn(summary.start_lsn) ?? 0n;
    assert.ok(start > 0n && start < (parseLsn(summary.stop_lsn) ?? 0n));
    assert.ok(Date.parse(summary.started_at) < Date.parse(summary.finished_at));
  });
});

describe('a backup', () => {
  const listed = async (): Promise<number> =>
    (await listBackups({ repository: stage.repository, cluster: stage.name })).length;

  test('ends where a file is there and cannot be read: an I/O error is no vanished file', async () => {
    const earlier = await listed();
    for (const [why, act] of [
      [
        /EISDIR/,
        () => {
          rmSync(at('zz-file'));
          mkdirSync(at('zz-file'));
        },
      ],
      [
        /ELOOP/,
        () => {
          rmSync(at('zz-file'));
          execFileSync('ln', ['-s', at('zz-file'), at('zz-file')]);
        },
      ],
    ] as const) {
      await writeFile(at('zz-file'), 'x'.repeat(1000));
      await assert.rejects(backupWhile(act), { code: 'SPW_DATA_DIRECTORY', message: /zz-file cannot be read/, why });
      await rm(at('zz-file'), { recursive: true });
    }
    assert.equal(await listed(), earlier);
  });

  test('of a tablespace inside the data directory is refused, however the folder is named, by either source', async () => {
    const inside = at('inside');
    await mkdir(inside);
    const { account } = stage.cluster;
    if (account !== undefined) await chown(inside, account.uid, account.gid);
    await stage.cluster.query(`CREATE TABLESPACE inner_one LOCATION '${inside}'`);
    const another = join(stage.folder, 'another-name');
    await symlink(data, another);
    const { connection } = stage.cluster;
    const refused = { code: 'SPW_DATA_DIRECTORY', why: /lies inside the data directory/ };
    for (const dataDirectory of [data, `${data}/`, another]) {
      await assert.rejects(stage.backup({ cluster: { name: stage.name, connection, dataDirectory } }), refused);
    }
    await assert.rejects(stage.backup({ source: 'stream' }), refused);
    await stage.cluster.query('DROP TABLESPACE inner_one');
    await rm(inside, { recursive: true });
    await rm(another);
    // And what is beside it under a name that begins alike is not inside.
    const beside = `${data}-beside`;
    await mkdir(beside);
    if (account !== undefined) await chown(beside, account.uid, account.gid);
    await stage.cluster.query(`CREATE TABLESPACE outer_one LOCATION '${beside}'`);
    assert.equal((await stage.backup()).tablespaces[0]?.path, beside);
    await stage.cluster.query('DROP TABLESPACE outer_one');
    await rm(beside, { recursive: true });
  });

  test('keeps the links of users as links, and pg_wal behind one as a folder', async () => {
    await writeFile(join(stage.folder, 'elsewhere.conf'), '# mine\n');
    await symlink(join(stage.folder, 'elsewhere.conf'), at('elsewhere.conf'));
    const { id } = await stage.backup();
    const { entries } = await readManifest(stage.repository, stage.name, id);
    assert.deepEqual(
      [...entries].filter(({ kind }) => kind === 'link'),
      [{ kind: 'link', path: 'elsewhere.conf', target: join(stage.folder, 'elsewhere.conf') }],
    );
    const planned = await stage.plan({ target: { kind: 'immediate' }, backupId: id });
    await stage.lay(planned);
    assert.equal(readFileSync(join(planned.plan.directory, 'elsewhere.conf'), 'utf8'), '# mine\n');
    await rm(at('elsewhere.conf'));
  });
});
