// What every command really prints with --json, held against its schema: one story on one throw-away cluster, by the
// command line itself. A command that has a document and is not run here fails the last test.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type {
  BackupsDocument,
  CreatedTokenDocument,
  DoctorDocument,
  EvidenceExportDocument,
  EvidenceListDocument,
  InvestigationDocument,
  RewindPlan,
  TimetravelDocument,
  TimetravelListDocument,
  ServeDocument,
  WalReport,
} from '@spillway/contract';
import { commandDocuments } from '@spillway/contract/schemas';
import { checkExportedEvidence } from '@spillway/engine';
import { freePort, type LabCluster, startCluster } from '@spillway/lab';
import pg from 'pg';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { type Ended, makeWorkplace, type Workplace } from './spawned.ts';

/** Not run here: they want client programs, a policy, a second key or a service, and have a test of their own beside this one. */
const elsewhere: ReadonlySet<string> = new Set([
  'notify test',
  'drill init',
  'drill run',
  'drill list',
  'drill show',
  'dump show',
  'dump verify',
  'dump restore',
  'dump export',
  'evidence head',
  'evidence verify',
  'report compliance',
  'key remove',
  'key rotate-data',
  'key split',
  'key combine',
  'key check',
  'expire',
  'storage plan',
  'storage apply',
  'storage recover',
  'storage seal',
  'storage tier',
  'status',
  'canary',
  'anomalies',
  'job list',
  'job show',
  'job log',
  'job cancel',
  'job approve',
  'job reject',
]);

const seen = new Set<string>();
let place: Workplace;
let cluster: LabCluster;

before(async () => {
  cluster = await startCluster({ walSegmentMegabytes: 1, settings: { max_slot_wal_keep_size: '1GB' } });
  place = await makeWorkplace({
    passphrase: `${randomBytes(33).toString('base64url')}\n`,
    password: `${cluster.password}\n`,
  });
  // The server's account must get through to what is restored in here.
  await chmod(place.folder, 0o755);
  await mkdir(join(place.folder, 'nas'));
  const yaml = `repository:
  path: repository
  passphrase: { file: passphrase }
copies:
  nas: { path: nas }
clusters:
  main:
    connection: { host: 127.0.0.1, port: ${cluster.port}, user: ${cluster.user}, password: { file: password } }
    bin_directory: ${cluster.installation.binDirectory}
    wal: { flush_interval: 100ms }
    scratch_directory: scratch
`;
  await writeFile(join(place.folder, 'spillway.yaml'), yaml, { mode: 0o600 });
});
after(async () => {
  await place[Symbol.asyncDispose]();
  await cluster.destroy();
});

async function answer(connection: pg.ClientConfig, sql: string): Promise<unknown> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query<{ v: unknown }>(sql)).rows[0]?.v;
  } finally {
    await client.end();
  }
}

/** Parses what the command printed by the schema that the registry has for it. */
function checked<Document>(command: string, { code, stdout, stderr }: Ended, codes: readonly number[] = [0]): Document {
  assert.ok(codes.includes(code ?? -1), `${command}: ${code} ${stderr}${stdout}`);
  const schema = commandDocuments.get(command);
  assert.ok(schema, `${command} is in the registry`);
  const document: unknown = JSON.parse(stdout);
  schema.parse(document);
  seen.add(command);
  return document as Document;
}

const run = async <Document>(command: string, ...rest: readonly string[]): Promise<Document> =>
  checked<Document>(command, await place.run([...command.split(' '), ...rest, '--json']));

const doctor = async (...codes: readonly number[]): Promise<DoctorDocument> =>
  checked('doctor', await place.run(['doctor', '--json']), codes);

test('what needs no repository', async () => {
  for (const command of ['config check', 'config show', 'explain', 'man', 'lab list']) await run(command);
  await run('explain', 'SPW_LOCKED');
  await run('completion', 'fish');
  const failed = await place.run(['backups', '--json']);
  checked('error', { ...failed, stdout: failed.stderr }, [10]);
});

test('a backup with its WAL, from init to restore, and the doctor at each step', async () => {
  const first = await doctor(1);
  assert.equal(first.findings[0]?.area, 'repository');
  assert.ok(first.looked_at.includes('server'), 'a repository that is not there hides no server');

  await run('init');
  await lightenPassphrase(place.folder);
  await run('check');
  const bare = await doctor(1);
  assert.ok(bare.findings.some(({ message }) => message === 'there is no backup'));
  assert.ok(bare.findings.some(({ message }) => /nobody takes WAL/.test(message)));

  const receiving = place.start(['wal', 'receive', '--json']);
  await run('backup');
  await cluster.query('CREATE TABLE told AS SELECT generate_series(1, 3) AS n');
  await run('backup', '--type', 'incremental');
  const { backups } = await run<BackupsDocument>('backups');
  await run('show', backups[0]?.id ?? '');
  const well = await doctor(0, 3);
  assert.deepEqual(
    well.findings.filter(({ severity }) => severity === 'failed'),
    [],
  );
  assert.deepEqual(well.not_looked_at, []);
  receiving.child.kill('SIGTERM');
  checked('wal receive', await receiving.ended, [0, 143]);
  const left = await doctor(1);
  assert.match(left.findings.map(({ message }) => message).join('\n'), /nobody receives on slot spillway_main/);

  const report = await run<WalReport>('wal check');
  assert.equal(report.backups_without_wal.length, 0);
  await run('verify', '--level', 'structure');
  const { records } = await run<EvidenceListDocument>('evidence list');
  assert.deepEqual(
    records.map(({ level, result }) => [level, result]),
    [['structure', 'passed']],
  );
  const [record] = records;
  const exported = await run<EvidenceExportDocument>('evidence export', record?.id ?? '');
  const head = JSON.parse(await readFile(join(place.folder, 'repository', 'spillway.json'), 'utf8')) as {
    readonly evidence_public_key: string;
  };
  assert.deepEqual(checkExportedEvidence(exported, head.evidence_public_key), record);
  const other = { ...exported, signed: exported.signed.replace('passed', 'failed') };
  assert.equal(typeof checkExportedEvidence(other, head.evidence_public_key), 'string');
  const plain = await place.run(['evidence', 'export', record?.id.slice(0, 12) ?? '']);
  assert.deepEqual(JSON.parse(plain.stdout), exported);
  assert.match((await place.run(['evidence', 'export', 'none'])).stderr, /evidence list names them/);
  await run('hold add', backups[0]?.id ?? '', '--reason', 'a case');
  await run('hold list');
  await run('hold remove', backups[0]?.id ?? '', '--reason', 'closed');
  await run('copy');
  await run('repair');
  await run('key list');
  await run('dump list');
  const past = await run<InvestigationDocument>('investigate', '--from', '2026-01-01T00:00Z', '--table', 'told');
  assert.deepEqual(
    past.found.map(({ created, inserts }) => [created[0]?.name, inserts]),
    [['told', 3]],
  );
  const at = ['--xid', past.found[0]?.xid ?? '', '--exclusive'];
  const then = await run<TimetravelDocument>('timetravel start', ...at, '--for', '1h');
  const { servers } = await run<TimetravelListDocument>('timetravel list');
  assert.deepEqual(
    servers.map(({ id, state }) => [id, state]),
    [[then.id, 'kept']],
  );
  const asked = { ...then.tcp, password: cluster.password };
  assert.deepEqual(await answer(asked, "SELECT to_regclass('told') IS NULL AS v"), true, 'before it was made');
  await assert.rejects(answer(asked, 'CREATE TABLE mine AS SELECT 1 AS v'), /read-only/);
  await run('timetravel end', then.id);
  await run('restore', '--into', 'planned', '--dry-run');
  await run('restore', '--into', 'restored');
  // Restored and not started yet: that is refused, in a document with the reason.
  const rewind = await place.run(['rewind', '--data-directory', 'restored', '--dry-run', '--json']);
  const planned = checked<RewindPlan>('rewind', rewind, [15]);
  assert.match(planned.reasons.map(({ reason }) => reason).join(' '), /backup_label lies in the data directory/);
});

test('single WAL files', async () => {
  await cluster.query('SELECT pg_switch_wal()');
  const [row] = await cluster.query<{ name: string }>(
    "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY name LIMIT 1",
  );
  const name = row?.name ?? '';
  await run('wal push', join(cluster.dataDirectory, 'pg_wal', name));
  await run('wal fetch', name, 'fetched');
});

test('further keys', async () => {
  await run('key add', '--recovery-key');
  await writeFile(join(place.folder, 'next'), `${randomBytes(33).toString('base64url')}\n`, { mode: 0o600 });
  await run('key rotate', '--passphrase-file', 'next', '--yes', '--confirm', 'rotate');
});

test('progress comes as JSON too, one object a line, and check speaks as a monitoring plugin', async () => {
  await rename(join(place.folder, 'next'), join(place.folder, 'passphrase'));
  const { code, stdout, stderr } = await place.run(['backup', '--type', 'full', '--json-lines']);
  assert.equal(code, 0, stderr);
  commandDocuments.get('backup')?.parse(JSON.parse(stdout));
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string });
  assert.ok(
    lines.some(({ type }) => type === 'progress'),
    stderr,
  );
  assert.match(stderr, /\n\{"type":"result","at":"[^"]+","text":"Backup [^\n]+\}\n$/);
  const plugin = await place.run(['check', '--nagios']);
  assert.match(plugin.stdout, /^SPILLWAY (?:OK|WARNING) - .* \| failed=0 warnings=\d+\n$/);
  assert.equal(plugin.code, plugin.stdout.includes(' OK ') ? 0 : 1);
  const unknown = await place.run(['check', '--nagios', '--config', 'nowhere.yaml']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stdout, /^SPILLWAY UNKNOWN - /);
});

test('the service, and who may call it', async () => {
  const environment = { SPILLWAY_SERVICE__PORT: '0', SPILLWAY_SERVICE__STATE_DIRECTORY: join(place.folder, 'state') };
  const say = async <Document>(command: string, ...rest: readonly string[]): Promise<Document> =>
    checked<Document>(command, await place.run([...command.split(' '), ...rest, '--json'], environment));
  const { id } = await say<CreatedTokenDocument>('token create', 'console', '--role', 'viewer', '--expires', '1h');
  await say('token list');
  await say('token revoke', id);
  const { child, ended } = place.start(['serve', '--json'], environment);
  let log = '';
  child.stderr.on('data', (text: string) => {
    const heard = log;
    log += text;
    // Once: a second SIGTERM ends it at once.
    const listens = '"the service listens"';
    if (!heard.includes(listens) && log.includes(listens)) child.kill('SIGTERM');
  });
  const document = checked<ServeDocument>('serve', await ended);
  assert.match(document.url, /^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a lab', async () => {
  await run('lab up', '--port', String(await freePort()));
  await run('lab list');
  await run('lab down', '--yes', '--confirm', 'main');
});

test('every command that has a document was run', () => {
  assert.deepEqual(
    [...commandDocuments.keys()].filter((command) => !seen.has(command) && !elsewhere.has(command)),
    [],
  );
});
