// The command line from afar, over TLS, against a real service with a real cluster and repository: what it tells is what the
// command at the machine tells.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { BackupsDocument, JobDocument, JobPageDocument, CreatedTokenDocument } from '@spillway/contract';
import { commandDocuments } from '@spillway/contract/schemas';
import { makeStage, type Running, type Stage, systemClock, waitFor } from '../../daemon/test/stage.ts';
import type { Ended } from './spawned.ts';

let stage: Stage;
let running: Running;
let certificate: string;

before(async () => {
  stage = await makeStage();
  const { folder } = stage.place;
  certificate = join(folder, 'tls.crt');
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2'.split(' ');
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await promisify(execFile)('openssl', [...words, ...name, '-keyout', join(folder, 'tls.key'), '-out', certificate]);
  const tls = { certificate_file: 'tls.crt', key_file: 'tls.key' };
  running = await stage.start(systemClock, { service: { tls, approvals: 2 } });
});
after(() => stage[Symbol.asyncDispose]());

const where = (): readonly string[] => ['--service', running.service.url, '--ca-file', 'tls.crt'];
/** With the first administrator's token, or another. */
const start = (words: readonly string[], token = running.token) =>
  stage.place.start([...where(), ...words], { SPILLWAY_TOKEN: token });
const there = (words: readonly string[], token?: string): Promise<Ended> => start(words, token).ended;
const here = (words: readonly string[]): Promise<Ended> => stage.place.run(['--config', 'spillway.yaml', ...words]);
const good = ({ code, stdout, stderr }: Ended): string => {
  assert.equal(code, 0, stderr);
  return stdout;
};

/** The document that a command printed, which must be of its schema. */
function documentOf<Document>(command: string, ended: Ended): Document {
  const schema = commandDocuments.get(command);
  assert.ok(schema !== undefined, command);
  return schema.parse(JSON.parse(good(ended))) as Document;
}

test('a command is done by the service and told as at its machine, in words and as a document, with its exit code', async () => {
  const backup = await there(['backup', '--type', 'full']);
  assert.match(good(backup), /^Backup \w+ of water is complete \(full\)\.\n/);
  assert.match(backup.stderr, /waiting for a checkpoint|copying files/);
  const document = (text: string): BackupsDocument => {
    const parsed = JSON.parse(text) as BackupsDocument;
    assert.ok(commandDocuments.get('backups')?.safeParse(parsed).success);
    // The window's end moves with the clock.
    return { ...parsed, recovery_window: { ...parsed.recovery_window, latest_at: null } };
  };
  assert.deepEqual(
    document(good(await there(['backups', '--json']))),
    document(good(await here(['backups', '--json']))),
  );
  const inWords = (text: string): readonly string[] =>
    text
      .split('\n')
      .slice(1)
      .map((line) => line.replaceAll(/\S+ (?:ms|s|min) ago|just now/g, ''));
  assert.deepEqual(inWords(good(await there(['backups']))), inWords(good(await here(['backups']))));
  const unknown = await there(['show', 'ffff']);
  const same = await here(['show', 'ffff']);
  assert.deepEqual(
    [unknown.code, unknown.stdout, unknown.stderr.split('\n').slice(-4)],
    [2, '', same.stderr.split('\n').slice(-4)],
  );
  const failed = await there(['restore', '--into', '/srv/elsewhere', '--dry-run', '--json']);
  assert.deepEqual([failed.code, failed.stdout], [4, '']);
  assert.match(failed.stderr, /"code":"SPW_SERVICE_DENIED".*file_directories/);
});

test('a job is started and left, listed, shown, read, and watched to its end by another command', async () => {
  const started = documentOf<JobDocument>('job show', await there(['verify', '--detach', '--json']));
  assert.equal(started.command, 'verify');
  const watched = await there(['job', 'watch', started.id]);
  assert.match(good(watched), /whole|passed|verified/i);
  const page = JSON.parse(good(await there(['job', 'list', '--json', '--state', 'succeeded']))) as JobPageDocument;
  assert.ok(page.jobs.some(({ id }) => id === started.id));
  documentOf('job list', await there(['job', 'list', '--json']));
  documentOf('job show', await there(['job', 'show', started.id, '--json']));
  documentOf('job log', await there(['job', 'log', started.id, '--json']));
  assert.match(good(await there(['job', 'list'])), new RegExp(`${started.id}  water    verify +succeeded`));
  const shown = good(await there(['job', 'show', started.id]));
  assert.ok(shown.includes(watched.stdout.trim()), shown);
  const bad = JSON.parse(
    good(await there(['job', 'list', '--json', '--state', 'failed', '--limit', '1'])),
  ) as JobPageDocument;
  assert.match(good(await there(['job', 'log', bad.jobs[0]?.id ?? ''])), /\d\d:\d\d.*\[SPW_BACKUP_UNKNOWN\]$/m);
  assert.equal(good(await there(['job', 'log', started.id])), 'The job said nothing.\n');
  const over = await there(['job', 'cancel', started.id]);
  assert.deepEqual([over.code, /it is succeeded/.test(over.stderr)], [15, true]);
  const absent = await there(['job', 'show', '20200101T000000000Z-00000000']);
  assert.deepEqual([absent.code, /there is no job/.test(absent.stderr)], [15, true]);
});

test('what could lose something is confirmed by name, waits for a second person, and goes on; Ctrl-C ends the watching alone', async () => {
  const [backup] = (JSON.parse(good(await here(['backups', '--json']))) as BackupsDocument).backups;
  assert.ok(backup !== undefined);
  good(await there(['hold', 'add', backup.id, '--reason', 'court']));
  const remove = ['hold', 'remove', backup.id, '--reason', 'over'];
  for (const words of [remove, [...remove, '--confirm', 'power'], [...remove, '--no-input']]) {
    const unsure = await there(words);
    assert.deepEqual([unsure.code, /did nothing: hold remove/.test(unsure.stderr)], [15, true], unsure.stderr);
  }
  const first = start([...remove, '--confirm', 'water']);
  const waiting = await waitFor(
    'the job that waits',
    () => running.service.parts.jobs.list({ state: 'awaiting-approval', limit: 1 })[0],
  );
  first.child.kill('SIGINT');
  const left = await first.ended;
  assert.deepEqual([left.code, /goes on at the service/.test(left.stderr)], [130, true], left.stderr);
  const again = start(['job', 'watch', waiting.id]);
  const same = await there(['job', 'approve', waiting.id, '--confirm', 'water']);
  assert.deepEqual([same.code, /another person/.test(same.stderr)], [4, true], same.stderr);
  const second = JSON.parse(
    good(await there(['token', 'create', 'second', '--role', 'administrator', '--json'])),
  ) as CreatedTokenDocument;
  documentOf('job approve', await there(['job', 'approve', waiting.id, '--confirm', 'water', '--json'], second.token));
  assert.match(good(await again.ended), /is not on hold any more: over/);
  const rejected = start([...remove, '--confirm', 'water']);
  const other = await waitFor(
    'the other job',
    () => running.service.parts.jobs.list({ state: 'awaiting-approval', limit: 1 })[0],
  );
  documentOf('job reject', await there(['job', 'reject', other.id, '--json'], second.token));
  const ended = await rejected.ended;
  const third = documentOf<JobDocument>(
    'job show',
    await there([...remove, '--confirm', 'water', '--detach', '--json']),
  );
  const cancelled = documentOf<JobDocument>('job cancel', await there(['job', 'cancel', third.id, '--json']));
  assert.equal(cancelled.state, 'cancelled');
  assert.deepEqual([ended.code, /is rejected/.test(ended.stderr)], [15, true], ended.stderr);
});

test('tokens are made, listed and revoked from afar; a wrong one, none, an untrusted certificate and no service are told apart', async () => {
  const viewer = JSON.parse(
    good(await there(['token', 'create', 'eyes', '--role', 'viewer', '--expires', '1d', '--json'])),
  ) as CreatedTokenDocument;
  assert.match(good(await there(['token', 'list'])), /eyes +viewer/);
  const mayNot = await there(['backup'], viewer.token);
  assert.deepEqual([mayNot.code, /wants the role operator/.test(mayNot.stderr)], [4, true], mayNot.stderr);
  good(await there(['token', 'revoke', viewer.id]));
  const revoked = await there(['backups'], viewer.token);
  assert.deepEqual([revoked.code, /does not let you/.test(revoked.stderr)], [4, true]);
  const { url } = running.service;
  const none = await stage.place.run(['--service', url, 'backups']);
  assert.deepEqual([none.code, /wants a token/.test(none.stderr)], [2, true]);
  const odd = await there(['backups'], 'no token');
  assert.deepEqual([odd.code, /another form/.test(odd.stderr)], [2, true]);
  const untrusted = await stage.place.run(['--service', url, 'backups'], { SPILLWAY_TOKEN: running.token });
  assert.deepEqual([untrusted.code, /--ca-file/.test(untrusted.stderr)], [22, true], untrusted.stderr);
  const away = await stage.place.run([
    '--service',
    'http://127.0.0.1:1',
    '--token-file',
    'state/first-token',
    'backups',
  ]);
  assert.deepEqual([away.code, /cannot be asked/.test(away.stderr)], [22, true], away.stderr);
  const alone = await stage.place.run(['backups', '--detach']);
  assert.deepEqual([alone.code, /goes with --service/.test(alone.stderr)], [2, true], alone.stderr);
  const nowhere = await stage.place.run(['job', 'list']);
  assert.deepEqual([nowhere.code, /none is named/.test(nowhere.stderr)], [2, true]);
  assert.equal((await readFile(join(stage.stateFolder, 'first-token'), 'utf8')).trim(), running.token);
});
