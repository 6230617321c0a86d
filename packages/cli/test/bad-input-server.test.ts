// Bad input that needs a server or a repository to be bad: each ends with its own exit code, in three lines that name
// the object and the next step, and changes nothing. No secret is printed by anything, however much is asked for.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { BackupsDocument, InitDocument, WalReport } from '@spillway/contract';
import { errorDocument } from '@spillway/contract/schemas';
import { freePort, type LabCluster, startCluster } from '@spillway/lab';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, type Workplace } from './spawned.ts';

const passphrase = randomBytes(33).toString('base64url');
const secrets: string[] = [passphrase];
const outputs: string[] = [];

let place: Workplace;
let cluster: LabCluster;
let foreign: LabCluster;

interface Change {
  readonly repository?: string;
  readonly port?: number;
  readonly password?: string;
  readonly passphrase?: string;
}

const configuration = ({ repository, port, password, passphrase: file }: Change = {}): string => `repository:
  path: ${repository ?? 'repository'}
  passphrase: { file: ${file ?? 'passphrase'} }
clusters:
  main:
    connection:
      host: 127.0.0.1
      port: ${port ?? cluster.port}
      user: ${cluster.user}
      password: { file: ${password ?? 'password'} }
    bin_directory: ${cluster.installation.binDirectory}
    wal: { flush_interval: 100ms }
    backup: { wal_timeout: 20s }
`;

/** Runs the command line, and keeps what it printed for the last test. */
async function spillway(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const ended = await place.run(words, environment);
  // `init` shows the recovery key on purpose, on stdout alone.
  outputs.push(words[0] === 'init' ? ended.stderr : ended.stdout + ended.stderr);
  return ended;
}

async function done<Document>(words: readonly string[]): Promise<Document> {
  const { code, stdout, stderr } = await spillway([...words, '--json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Document;
}

/** Every object with its length and time of change. Locks are taken and released by what is refused later. */
async function listing(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const root of (await readdir(place.folder)).filter((name) => name.startsWith('repository'))) {
    for (const entry of await readdir(join(place.folder, root), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || path.includes('/locks/')) continue;
      const { size, mtimeMs } = await stat(path);
      found.push(`${path} ${size} ${mtimeMs}`);
    }
  }
  return found.toSorted();
}

let gapAt = '';

before(async () => {
  [cluster, foreign] = await Promise.all([startCluster({ walSegmentMegabytes: 1 }), startCluster()]);
  place = await makeWorkplace({ passphrase: `${passphrase}\n`, password: `${cluster.password}\n` });
  secrets.push(cluster.password, foreign.password);
  const write = (name: string, text: string): Promise<void> =>
    writeFile(join(place.folder, name), text, { mode: 0o600 });
  await write('spillway.yaml', configuration());
  const { recovery_key: recoveryKey } = await done<InitDocument>(['init']);
  await lightenPassphrase(place.folder);
  secrets.push(recoveryKey);
  await done(['backup', '--type', 'full']);
  const receiver = place.start(['wal', 'receive', '--json', '--debug', '--verbose']);
  await cluster.query('CREATE TABLE held (n int)');
  for (let segment = 0; segment < 4; segment += 1) {
    await cluster.query('INSERT INTO held SELECT generate_series(1, 100); SELECT pg_switch_wal()');
  }
  const [row] = await cluster.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  for (
    let report: WalReport | undefined;
    report?.timelines[0] === undefined || lsnOf(report.timelines[0].last_lsn) < lsnOf(row?.lsn ?? '');
  ) {
    report = await done<WalReport>(['wal', 'check']);
  }
  const locked = await spillway(['wal', 'receive']);
  assert.equal(locked.code, 11, locked.stderr);
  assert.match(locked.stderr, /holds the lock wal-main[^]*\n {2}hint: .* \[SPW_LOCKED\]\n$/);
  receiver.child.kill('SIGTERM');
  const { stdout, stderr } = await receiver.ended;
  outputs.push(stdout + stderr);

  // A repository that lacks a segment in the middle, one of a newer format, and wrong secrets.
  await cp(join(place.folder, 'repository'), join(place.folder, 'repository-gap'), { recursive: true });
  const wal = join(place.folder, 'repository-gap/clusters/main/wal');
  const segments = (await readdir(wal, { recursive: true })).filter((name) => /\/[0-9A-F]{24}$/.test(name)).toSorted();
  await rm(join(wal, segments.at(-2) ?? ''));
  gapAt = (await done<WalReport>(['wal', 'check'])).timelines[0]?.last_lsn ?? '';
  await cp(join(place.folder, 'repository'), join(place.folder, 'repository-newer'), { recursive: true });
  const head = join(place.folder, 'repository-newer/spillway.json');
  const words = await readFile(head, 'utf8');
  await rm(head);
  await writeFile(head, words.replace('"format": 1', '"format": 7'));
  await write('wrong', `${randomBytes(33).toString('base64url')}\n`);
  secrets.push((await readFile(join(place.folder, 'wrong'), 'utf8')).trim());
  await mkdir(join(place.folder, 'used'));
  await writeFile(join(place.folder, 'used/somebody.txt'), 'was here');
  await write('unreachable.yaml', configuration({ port: await freePort() }));
  await write('password.yaml', configuration({ password: 'wrong' }));
  await write('passphrase.yaml', configuration({ passphrase: 'wrong' }));
  await write('foreign.yaml', configuration({ port: foreign.port, password: 'foreign' }));
  await write('foreign', foreign.password);
  await write('gap.yaml', configuration({ repository: 'repository-gap' }));
  await write('newer.yaml', configuration({ repository: 'repository-newer' }));
  await write('nowhere.yaml', configuration({ repository: 'nowhere' }));
});
after(async () => {
  await Promise.all([cluster.destroy(), foreign.destroy()]);
  await place[Symbol.asyncDispose]();
});

suite('bad input to a repository in use', () => {
  const restore = (...words: readonly string[]): readonly string[] => ['restore', '--into', 'new', ...words];
  const cases: readonly (readonly [
    name: string,
    words: () => readonly string[],
    config: string,
    exit: number,
    code: string,
    said: RegExp,
  ])[] = [
    ['an unreachable server', () => ['backup'], 'unreachable', 20, 'SPW_POSTGRES_UNREACHABLE', /127\.0\.0\.1:\d+/],
    [
      'an unreachable server to receive from',
      () => ['wal', 'receive'],
      'unreachable',
      20,
      'SPW_POSTGRES_UNREACHABLE',
      /127\.0\.0\.1:\d+/,
    ],
    ['a wrong password', () => ['backup'], 'password', 20, 'SPW_POSTGRES_DENIED', /postgres@127\.0\.0\.1:\d+/],
    ['a wrong passphrase', () => ['backups'], 'passphrase', 12, 'SPW_KEY_WRONG', /repository/],
    [
      'a foreign cluster to back up',
      () => ['backup'],
      'foreign',
      15,
      'SPW_SYSTEM_MISMATCH',
      /system identifier is \d+/,
    ],
    [
      'a foreign cluster to receive from',
      () => ['wal', 'receive'],
      'foreign',
      15,
      'SPW_SYSTEM_MISMATCH',
      /system identifier is \d+/,
    ],
    [
      'a target before the first backup',
      () => restore('--at', '2020-01-01T00:00:00Z'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /2020-01-01.*\n.*first backup ended at 20/,
    ],
    [
      'a target in the future',
      () => restore('--at', '2090-01-01T00:00:00Z'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /2090-01-01.*\n.*ends at [0-9A-F]+\/[0-9A-F]+/,
    ],
    [
      'a target behind all WAL',
      () => restore('--lsn', 'FF/0'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /LSN FF\/0.*\n.*ends at [0-9A-F]+\/[0-9A-F]+/,
    ],
    [
      'a target behind a gap',
      () => restore('--lsn', gapAt),
      'gap',
      15,
      'SPW_TARGET_UNREACHABLE',
      /WAL is missing from [0-9A-F]+\/[0-9A-F]+.* to [0-9A-F]+\/[0-9A-F]+/,
    ],
    ['the latest moment, behind a gap', () => restore(), 'gap', 15, 'SPW_TARGET_UNREACHABLE', /WAL is missing from/],
    [
      'a transaction there never was',
      () => restore('--xid', '4000000'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /4000000/,
    ],
    [
      'a restore point there never was',
      () => restore('--name', 'nothing'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /nothing/,
    ],
    [
      'a backup there never was',
      () => restore('--backup', 'ffffffff'),
      'spillway',
      2,
      'SPW_BACKUP_UNKNOWN',
      /ffffffff/,
    ],
    [
      'a timeline there never was',
      () => restore('--timeline', '9'),
      'spillway',
      15,
      'SPW_TARGET_UNREACHABLE',
      /timeline 9/,
    ],
    [
      'a folder with something in it',
      () => ['restore', '--into', 'used'],
      'spillway',
      15,
      'SPW_FOLDER_NOT_EMPTY',
      /used\n.*somebody\.txt/,
    ],
    [
      'the data directory of a running server',
      () => ['restore', '--into', cluster.dataDirectory],
      'spillway',
      15,
      'SPW_SERVER_RUNNING',
      /process \d+ runs/,
    ],
    [
      'a rewind of a running server',
      () => ['rewind', '--data-directory', cluster.dataDirectory],
      'spillway',
      15,
      'SPW_SERVER_RUNNING',
      /process \d+ runs/,
    ],
    [
      'a rewind of a folder that is none',
      () => ['rewind', '--data-directory', 'used'],
      'spillway',
      1,
      'SPW_DATA_DIRECTORY',
      /used could not be read/,
    ],
    ['no repository', () => ['backups'], 'nowhere', 10, 'SPW_REPOSITORY_MISSING', /nowhere/],
    ['a repository of a newer format', () => ['backups'], 'newer', 1, 'SPW_REPOSITORY_NEWER', /format 7/],
  ];
  for (const [name, words, config, exit, errorCode, said] of cases) {
    test(`${name}: its exit code, three lines, nothing changed`, async () => {
      const [objects, files] = [await listing(), await readdir(place.folder)];
      const told = await spillway([...words(), '--config', `${config}.yaml`]);
      assert.equal(told.code, exit, told.stderr);
      assert.equal(told.stdout, '');
      assert.match(told.stderr, said);
      const message = told.stderr.slice(told.stderr.indexOf('spillway: '));
      assert.match(message, new RegExp(`^spillway: \\S.*\\n {2}\\S.*\\n {2}hint: \\S.* \\[${errorCode}\\]\\n$`));

      const asked = await spillway([...words(), '--config', `${config}.yaml`, '--json', '--debug', '--verbose']);
      assert.equal(asked.code, exit);
      assert.equal(asked.stdout, '');
      const line = asked.stderr.split('\n').find((each) => each.startsWith('{"type":"error"')) ?? '';
      const document = errorDocument.parse(JSON.parse(line));
      assert.deepEqual([document.code, document.exit_code], [errorCode, exit]);
      assert.match(asked.stderr, /^\s+at .*:\d+:\d+/m);
      assert.deepEqual([await listing(), await readdir(place.folder)], [objects, files]);
    });
  }
});

test('no secret is in anything that a command prints, however much is asked for', async () => {
  const { backups } = await done<BackupsDocument>(['backups']);
  const all = [
    ['check'],
    ['backup'],
    ['backups'],
    ['show', backups[0]?.id ?? ''],
    ['wal', 'check'],
    ['wal', 'fetch', '000000010000000000000001', 'fetched'],
    ['restore', '--into', 'dry', '--dry-run'],
    ['restore', '--into', 'laid'],
    ['config', 'show'],
    ['config', 'check'],
  ];
  for (const words of all) {
    for (const more of [[], ['--json']]) {
      if (words[2] === 'laid' && more.length > 0) continue;
      const { code, stderr } = await spillway([...words, ...more, '--debug', '--verbose']);
      assert.ok(code === 0 || words[1] === 'fetch', `${words.join(' ')}: ${stderr}`);
    }
  }
  const settings = await readFile(join(place.folder, 'laid/postgresql.auto.conf'), 'utf8');
  const script = await readFile(join(place.folder, 'laid/spillway_recovery/fetch'), 'utf8');
  outputs.push(settings, script);
  for (const secret of secrets) {
    for (const output of outputs) assert.ok(!output.includes(secret), `a secret was printed in:\n${output}`);
  }
  assert.ok(outputs.length > 50 && secrets.every((secret) => secret.length > 10));
});

const lsnOf = (text: string): bigint => {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high || '0'}`) << 32n) + BigInt(`0x${low}`);
};
