// Dumps from the command line, and the plan's scripts, against a real server that has its client programs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  dumpDocument,
  dumpExportDocument,
  dumpRestoreDocument,
  dumpsDocument,
  errorDocument,
  verifiedDumpDocument,
} from '@spillway/contract/schemas';
import {
  differences,
  fingerprint,
  freePort,
  killTree,
  type LabCluster,
  listInstallations,
  markProcess,
  startCluster,
} from '@spillway/lab';
import type { z } from 'zod';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, mainFile, type Workplace } from './spawned.ts';

const TOOLS = '/usr/lib/postgresql/15/bin';
const scripts = join(import.meta.dirname, '../../../scripts');
const passphrase = 'correct horse battery staple, twice over';

if (existsSync(join(TOOLS, 'pg_dump'))) {
  let place: Workplace;
  let cluster: LabCluster;

  before(async () => {
    cluster = await startCluster({ major: 15, walSegmentMegabytes: 1 });
    const { host, port, user } = cluster.connection;
    place = await makeWorkplace({
      'spillway.yaml': `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: ${host}, port: ${port}, user: ${user}, password: { file: password } }
    backup: { workers: 1, compression_level: 1 }
`,
      passphrase,
      password: cluster.connection.password,
      // Notes how it was called, and fails where the test says so.
      stub: '#!/bin/sh\necho "$*" >> calls\ncase "$*" in "$FAILS"*) exit "${CODE:-1}";; esac\n',
      spillway: `#!/bin/sh\nexec '${process.execPath}' '${mainFile}' "$@"\n`,
    });
    for (const program of ['stub', 'spillway']) await chmod(join(place.folder, program), 0o755);
    await cluster.query('CREATE DATABASE water');
    const client = await cluster.connect('water');
    await client.query(
      `CREATE TABLE sensor (id int PRIMARY KEY, name text); INSERT INTO sensor SELECT g, md5(g::text) FROM generate_series(1, 3000) AS g`,
    );
    await client.end();
    const made = await place.run(['init']);
    assert.equal(made.code, 0, made.stderr);
    await lightenPassphrase(place.folder);
  });
  after(async () => {
    await place?.[Symbol.asyncDispose]();
    await cluster?.destroy();
  });

  const json = async <Schema extends z.ZodType>(
    schema: Schema,
    ...words: readonly string[]
  ): Promise<z.infer<Schema>> => {
    const { code, stdout, stderr } = await place.run([...words, '--json']);
    assert.equal(code, 0, stderr);
    return schema.parse(JSON.parse(stdout));
  };

  /** Runs a script of the plan in the workplace. */
  const script = (name: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    new Promise<Ended>((resolve) => {
      const env = {
        PATH: process.env['PATH'] ?? '',
        TZ: 'UTC',
        SPILLWAY: join(place.folder, 'spillway'),
        ...environment,
      };
      execFile(join(scripts, name), [...words], { cwd: place.folder, env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), signal: null, stdout, stderr }),
      );
    });

  test('a dump is made, listed, shown, verified, restored and exported, each with its document', async () => {
    const made = await json(dumpDocument, 'backup', '--source', 'logical');
    assert.deepEqual(
      made.databases.map(({ name }) => name),
      ['postgres', 'water'],
    );
    assert.deepEqual((await json(dumpsDocument, 'dump', 'list')).dumps, [made]);
    assert.deepEqual(await json(dumpDocument, 'dump', 'show', made.id.slice(-8)), made);
    assert.equal((await json(verifiedDumpDocument, 'dump', 'verify', 'latest')).bytes, made.bytes);
    const words = ['dump', 'restore', 'latest', '--database', 'water', '--to-database', 'again', '--create'];
    const restored = await json(dumpRestoreDocument, ...words);
    assert.deepEqual(
      restored.databases.map(({ database, created }) => [database, created]),
      [['again', true]],
    );
    const prints = await fingerprint(cluster.connection);
    assert.equal(prints.get('again.public.sensor'), prints.get('water.public.sensor'));

    const refused = await place.run([...words]);
    assert.equal(refused.code, 15, refused.stderr);
    assert.match(refused.stderr, /SPW_DATABASE_NOT_EMPTY/);
    const unconfirmed = await place.run([...words, '--clean']);
    assert.equal(unconfirmed.code, 15, unconfirmed.stderr);
    assert.match(unconfirmed.stderr, /SPW_CONFIRMATION_NEEDED/);
    const cleaned = await place.run([...words, '--clean', '--yes', '--confirm', 'again']);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.equal(differences(prints, await fingerprint(cluster.connection)).length, 0);
    await cluster.query('DROP DATABASE again');

    const exported = await json(dumpExportDocument, 'dump', 'export', 'latest', '--to', 'out', '--database', 'water');
    assert.match(exported.files[0]?.file ?? '', /^backup_full_\d{8}_\d{6}\.sql\.gz$/);
    for (const word of ['list', 'show latest', 'verify latest']) {
      const shown = await place.run(['dump', ...word.split(' ')]);
      assert.equal(shown.code, 0, shown.stderr);
      assert.match(shown.stdout, new RegExp(made.id.slice(-8)));
    }
  });

  test('a dump is restored into a server made for it, which runs on', async () => {
    const folder = join(place.folder, 'made');
    const port = String(await freePort());
    await chmod(place.folder, 0o755);
    const { server } = await json(dumpRestoreDocument, 'dump', 'restore', 'latest', '--into', folder, '--port', port);
    assert.ok(server !== null);
    try {
      const connection = { host: folder, port: server.port, user: server.user, password: '', database: 'postgres' };
      assert.deepEqual(differences(await fingerprint(cluster.connection), await fingerprint(connection)), []);
      const again = await place.run(['dump', 'restore', 'latest', '--into', folder]);
      assert.equal(again.code, 15, again.stderr);
      assert.match(again.stderr, /SPW_FOLDER_NOT_EMPTY/);
    } finally {
      const postmaster = markProcess(server.pid);
      if (postmaster !== undefined) await killTree(postmaster);
    }
  });

  test('words that do not fit are told', async () => {
    const cases: readonly (readonly [words: string, code: number, why: RegExp])[] = [
      ['backup --database water', 2, /--database needs --source/],
      ['backup --source logical --database nowhere', 2, /no database of that name/],
      ['dump show ffffffff', 2, /SPW_DUMP_UNKNOWN/],
      ['dump restore latest --jobs 2', 2, /--jobs needs --work-folder/],
      ['dump restore latest --to-database one', 2, /only one database/],
      ['dump restore latest --database nowhere', 2, /no database nowhere/],
    ];
    for (const [words, code, why] of cases) {
      const ended = await place.run(words.split(' '));
      assert.equal(ended.code, code, `${words}: ${ended.stderr}`);
      assert.match(ended.stderr, why);
    }
  });

  test('backup.sh --full backs up, dumps, and writes the file that the plan names; restore.sh lists and restores it', async () => {
    const exports = join(place.folder, 'exports');
    const full = await script('backup.sh', ['--full'], {
      BACKUP_DIRECTORY: exports,
      BACKUP_COMPRESSION: 'true',
      BACKUP_RETENTION_DAYS: '30',
    });
    assert.equal(full.code, 0, full.stderr);
    const file = (await readdir(exports)).find((name) => /^backup_full_\d{8}_\d{6}_water\.sql\.gz$/.test(name));
    assert.ok(file !== undefined, (await readdir(exports)).join());
    assert.ok((await readFile(join(exports, file))).length > 1000);
    const some = await script('backup.sh', []);
    assert.equal(some.code, 0, some.stderr);
    const schema = await script('backup.sh', ['--schema-only']);
    assert.equal(schema.code, 0, schema.stderr);
    const listed = await script('restore.sh', ['--list-backups']);
    assert.equal(listed.code, 0, listed.stderr);
    for (const word of [/full/, /incremental/, /logical/, /schema/]) assert.match(listed.stdout, word);

    const into = join(place.folder, 'restored');
    const latest = await script('restore.sh', ['--latest'], { RESTORE_INTO: into });
    assert.equal(latest.code, 0, latest.stderr);
    assert.equal(await readFile(join(into, 'PG_VERSION'), 'utf8'), '15\n');

    await cluster.query('CREATE DATABASE "plain = SQL"');
    const { host, port, user, password } = cluster.connection;
    const server = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
    const plain = { ...server, RESTORE_DATABASE: 'plain = SQL' };
    const restored = await script('restore.sh', [join(exports, file)], plain);
    assert.equal(restored.code, 0, restored.stderr);
    const prints = await fingerprint(cluster.connection);
    assert.equal(prints.get('plain = SQL.public.sensor'), prints.get('water.public.sensor'));
    const twice = await script('restore.sh', [join(exports, file)], plain);
    assert.equal(twice.code, 15, twice.stderr);
    await writeFile(join(exports, 'cut.sql.gz'), (await readFile(join(exports, file))).subarray(0, 900));
    await cluster.query('DROP DATABASE "plain = SQL"');
    const cut = await script('restore.sh', ['exports/cut.sql.gz'], plain);
    assert.equal(cut.code, 13, cut.stderr);
  });

  test('the scripts call spillway as the variables say, and stop at what fails', async () => {
    const calls = async (
      name: string,
      words: readonly string[],
      environment: Readonly<Record<string, string>>,
    ): Promise<readonly [number | null, string]> => {
      await writeFile(join(place.folder, 'calls'), '');
      const { code } = await script(name, words, {
        SPILLWAY: join(place.folder, 'stub'),
        FAILS: 'nothing',
        ...environment,
      });
      return [code, (await readFile(join(place.folder, 'calls'), 'utf8')).trim().replaceAll('\n', ', ')];
    };
    const full = 'backup --type full';
    const cases: readonly (readonly [string, string, Record<string, string>, number, string])[] = [
      ['backup.sh', '', {}, 0, 'backup --type incremental'],
      ['backup.sh', '', { BACKUP_COMPRESSION: 'false' }, 0, 'backup --type incremental --compression-level 0'],
      [
        'backup.sh',
        '--full',
        { BACKUP_RETENTION_DAYS: '30' },
        0,
        `${full}, backup --source logical, expire --keep-days 30`,
      ],
      ['backup.sh', '--full', { BACKUP_RETENTION_DAYS: '30', FAILS: 'backup --type' }, 1, full],
      ['backup.sh', '--full', { FAILS: 'backup --type', CODE: '3' }, 3, `${full}, backup --source logical`],
      [
        'backup.sh',
        '--full',
        { FAILS: 'backup --source', BACKUP_RETENTION_DAYS: '7' },
        1,
        `${full}, backup --source logical`,
      ],
      [
        'backup.sh',
        '--schema-only',
        { BACKUP_DIRECTORY: 'a b' },
        0,
        'backup --source schema, dump export latest --format sql.gz --to a b',
      ],
      ['backup.sh', '--ful', {}, 2, ''],
      ['backup.sh', '--full now', {}, 2, ''],
      ['backup.sh', '--full', { BACKUP_RETENTION_DAYS: '0' }, 2, ''],
      ['backup.sh', '--full', { BACKUP_RETENTION_DAYS: '30 days' }, 2, ''],
      ['backup.sh', '--full', { BACKUP_COMPRESSION: 'gzip' }, 2, ''],
      ['backup.sh', '--full', { BACKUP_ENCRYPTION_KEY: 'x'.repeat(31) }, 2, ''],
      ['backup.sh', '--full', { BACKUP_ENCRYPTION_KEY: '' }, 2, ''],
      ['backup.sh', '', { BACKUP_ENCRYPTION_KEY: 'x'.repeat(32) }, 0, 'backup --type incremental'],
      ['backup.sh', '--full', { AWS_S3_BUCKET: 'water-backups' }, 2, ''],
      ['backup.sh', '--help', {}, 0, ''],
      ['restore.sh', '--list-backups', {}, 0, 'backups, dump list'],
      ['restore.sh', '--latest', {}, 2, ''],
      ['restore.sh', '--latest', { RESTORE_INTO: '/srv/a b' }, 0, 'restore --into /srv/a b'],
      [
        'restore.sh',
        '1a2b3c4d -- --start',
        { RESTORE_INTO: '/srv/x' },
        0,
        'restore --into /srv/x --backup 1a2b3c4d --start',
      ],
      ['restore.sh', '1a2b3c4d --start', { RESTORE_INTO: '/srv/x' }, 2, ''],
      ['restore.sh', 's3://water-backups/backup_latest.sql.gz', { RESTORE_INTO: '/srv/x' }, 2, ''],
      ['restore.sh', 'backup_latest.sql.gz', {}, 2, ''],
      ['restore.sh', '', {}, 2, ''],
      ['restore.sh', '--lates', { RESTORE_INTO: '/srv/x' }, 2, ''],
    ];
    for (const [name, words, environment, code, called] of cases) {
      const label = `${name} ${words} ${JSON.stringify(environment)}`;
      assert.deepEqual(await calls(name, words.split(' ').filter(Boolean), environment), [code, called], label);
    }
  });

  test('BACKUP_ENCRYPTION_KEY opens the repository in place of the configured passphrase', async () => {
    await writeFile(join(place.folder, 'passphrase'), 'something else, and long enough too');
    const wrong = await script('restore.sh', ['--list-backups']);
    assert.equal(wrong.code, 12, wrong.stderr);
    const right = await script('restore.sh', ['--list-backups'], { BACKUP_ENCRYPTION_KEY: passphrase });
    assert.equal(right.code, 0, right.stderr);
    await writeFile(join(place.folder, 'passphrase'), passphrase);
  });

  const newer = (await listInstallations()).find(({ major }) => major > 15);
  if (newer !== undefined && !existsSync(`/usr/lib/postgresql/${newer.major}/bin/pg_dump`)) {
    test('a server newer than every pg_dump here is not dumped, and the package to install is named', async () => {
      await using server = await startCluster({ installation: newer });
      const { host, port } = server.connection;
      const ended = await place.run(['backup', '--source', 'logical', '--json'], {
        SPILLWAY_CLUSTERS__MAIN__CONNECTION__HOST: host,
        SPILLWAY_CLUSTERS__MAIN__CONNECTION__PORT: String(port),
        SPILLWAY_CLUSTERS__MAIN__CONNECTION__PASSWORD__ENV: 'SECRET',
        SECRET: server.connection.password,
      });
      assert.equal(ended.code, 1, ended.stderr);
      const error = errorDocument.parse(JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? ''));
      assert.equal(error.code, 'SPW_POSTGRES_PROGRAM');
      assert.match(error.hint, new RegExp(`postgresql-client-${newer.major}`));
      assert.match(error.why ?? '', /found only 15\./);
    });
  }
}
