// The files of the console, and what the service has for it alone: where it was built, where it was not, and against paths that lead out.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AlertsDocument,
  type JobHistoryDocument,
  type ServersDocument,
  SpillwayError,
  type StatusDocument,
} from '@spillway/contract';
import { parseConfiguration, scheduleKinds } from '@spillway/contract/schemas';
import { startService } from '../src/index.ts';
import type { Watch } from '../src/watch.ts';
import { type Answer, ask, call, jobThatIs, ManualClock, type Running, sightless } from './stage.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const folder = await mkdtemp(join(tmpdir(), 'spillway-console-'));
const clock = new ManualClock(NOW);
const services: Running[] = [];

async function start(name: string, of: { readonly consoleFolder?: string; readonly watch?: Watch }): Promise<Running> {
  const never = Object.fromEntries(scheduleKinds.map((kind) => [kind, 'never']));
  const parsed = parseConfiguration({
    repository: { path: folder, passphrase: { file: 'passphrase' } },
    clusters: { water: { connection: { host: '127.0.0.1', user: 'u' }, schedules: { ...never, receive: false } } },
    service: { port: 0 },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const log: string[] = [];
  const service = await startService({
    version: '0.1.0',
    configuration: parsed.configuration,
    shown: { file: null, settings: [] },
    stateFolder: join(folder, name),
    resolvePath: (_path, value) => value,
    launch: {
      command: process.execPath,
      words: [join(import.meta.dirname, 'fake-program.ts')],
      directory: folder,
      environment: {},
    },
    openRepository: () => Promise.reject(new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the disk is gone')),
    logStream: { write: (line) => void log.push(line) },
    logLevel: 'info',
    clock,
    ...of,
  });
  const token = (await readFile(join(folder, name, 'first-token'), 'utf8')).trim();
  const running: Running = { service, log, token, stop: service.stop };
  services.push(running);
  return running;
}

let built: Running;
let asked = 0;

before(async () => {
  const files = join(folder, 'console');
  await mkdir(join(files, 'assets'), { recursive: true });
  await writeFile(join(folder, 'secret.html'), 'not of the console');
  await writeFile(join(files, 'index.html'), '<!doctype html><title>Spillway</title>');
  await writeFile(join(files, 'notes.md'), 'of a kind that is not served');
  await writeFile(join(files, 'assets', 'index-abc.js'), 'export {};');
  built = await start('built', {
    consoleFolder: files,
    watch: {
      status: (cluster) => {
        asked++;
        return Promise.resolve(standing(cluster));
      },
      ...sightless,
      servers: () => Promise.resolve([{ server: 'db:5432', figures: undefined, problem: 'connection refused' }]),
      places: () => Promise.resolve([{ place: 'repository', availableBytes: 7, sizeBytes: 9, weak: null }]),
    },
  });
});
after(async () => {
  for (const { stop } of services) await stop();
  await rm(folder, { recursive: true });
});

const open = (of: Running, url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call(of, 'GET', url, { token: null, headers });
const BROWSER = { accept: 'text/html,application/xhtml+xml' };

test('the console is served to whoever comes, its pages by their addresses, its files for ever', async () => {
  for (const [url, headers] of [
    ['/', {}],
    ['/', BROWSER],
    ['/clusters/water/restore?at=x', BROWSER],
    ['/index.html', BROWSER],
  ] as const) {
    const { status, body, headers: told } = await open(built, url, headers);
    assert.deepEqual(
      [status, body],
      url === '/index.html' ? [404, body] : [200, '<!doctype html><title>Spillway</title>'],
      url,
    );
    if (status === 200) assert.equal(told['cache-control'], 'no-cache');
  }
  const { headers, body } = await open(built, '/assets/index-abc.js');
  assert.equal(body, 'export {};');
  assert.match(String(headers['cache-control']), /immutable/);
  assert.match(String(headers['content-security-policy']), /^default-src 'self'/);
  assert.equal(
    (await open(built, '/', { 'if-none-match': String((await open(built, '/')).headers['etag']) })).status,
    304,
  );
  assert.equal((await open(built, '/', { 'accept-encoding': 'gzip' })).headers['content-encoding'], 'gzip');
});

test('nothing else is: no path that leads out, no file of another kind, nothing for the API', async () => {
  for (const url of [
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/assets/../../secret.html',
    '/assets/..%2f..%2fsecret.html',
    '/notes.md',
    '/assets/index-old.js',
    '/api/v1/nothing',
    '/api/',
    '/<script>',
  ]) {
    const { status, body } = await open(built, url, BROWSER);
    assert.equal(status, 404, url);
    assert.equal((body as { readonly code?: string }).code, 'not_found', url);
  }
  assert.equal((await open(built, '/jobs', { accept: 'application/json' })).status, 404);
  assert.equal((await call(built, 'POST', '/jobs', { token: null })).status, 404);
});

test('where it is not built that is said, at its address and in the log, and the API works', async () => {
  const bare = await start('bare', {});
  const { status, body } = await open(bare, '/');
  assert.equal(status, 503);
  assert.match(String(body), /npm run web/);
  assert.match(bare.log.join(''), /the console is not built/);
  assert.equal((await call(bare, 'GET', '/api/v1/clusters')).status, 200);
  for (const url of ['/api/v1/clusters/water/status', '/api/v1/storage']) {
    assert.equal((await call(bare, 'GET', url)).status, 404, url);
  }
});

test('what servers do, what alerts are open and who is told is answered from memory; what keeps a backup wants the repository', async () => {
  const servers = await ask<ServersDocument>(built, 'GET', '/api/v1/clusters/water/servers');
  assert.deepEqual(
    servers.servers.map(({ server, up, problem }) => [server, up, problem]),
    [['db:5432', false, 'connection refused']],
  );
  assert.deepEqual(
    servers.series.map(({ connections }) => connections),
    [null],
  );
  const { alerts, channels, runbooks } = await ask<AlertsDocument>(built, 'GET', '/api/v1/alerts');
  assert.ok(
    alerts.some(
      ({ alert, cluster, told_at: told }) => alert === 'AvailabilityBurnFast' && cluster === 'water' && told === null,
    ),
  );
  assert.deepEqual([channels, runbooks], [[], null]);
  const retention = await call(built, 'GET', '/api/v1/clusters/water/retention');
  assert.deepEqual(
    [retention.status, (retention.body as { readonly code: string }).code],
    [502, 'SPW_STORAGE_UNREACHABLE'],
  );
  for (const path of ['servers', 'retention']) {
    assert.equal((await call(built, 'GET', `/api/v1/clusters/gas/${path}`)).status, 404);
    assert.equal((await call(built, 'GET', `/api/v1/clusters/water/${path}`, { token: null })).status, 401);
  }
});

test('how it stands is asked once for all who want to know, and how it went is told in a line a job', async () => {
  const status = '/api/v1/clusters/water/status';
  const answers = await Promise.all([1, 2, 3].map(() => ask<StatusDocument>(built, 'GET', status)));
  assert.deepEqual(
    answers.map(({ cluster, verdict }) => `${cluster} ${verdict}`),
    Array(3).fill('water at-risk'),
  );
  assert.equal(asked, 1);
  assert.deepEqual(await ask(built, 'GET', '/api/v1/storage'), {
    places: [{ place: 'repository', available_bytes: 7, size_bytes: 9 }],
  });
  const job = async (command: string): Promise<void> => {
    const { id } = await ask<{ readonly id: string }>(built, 'POST', '/api/v1/jobs', { command, cluster: 'water' });
    await jobThatIs(built, { id }, 'succeeded');
  };
  await job('backup');
  await job('check');
  clock.set(NOW + 40 * 86_400_000);
  await job('expire');
  const history = async (query = ''): Promise<readonly string[]> =>
    (await ask<JobHistoryDocument>(built, 'GET', `/api/v1/clusters/water/history${query}`)).jobs.map(
      ({ command, state, at }) => `${at.slice(0, 10)} ${command} ${state}`,
    );
  assert.deepEqual(await history(), ['2027-01-07 expire succeeded']);
  assert.deepEqual(await history('?days=60'), ['2026-11-28 backup succeeded', '2027-01-07 expire succeeded']);
  assert.equal((await call(built, 'GET', '/api/v1/clusters/water/history?days=0')).status, 400);
  assert.equal((await call(built, 'GET', '/api/v1/clusters/gas/history')).status, 404);
});

function standing(cluster: string): StatusDocument {
  const at = '2026-11-28T12:00:00.000Z';
  return {
    cluster,
    at,
    verdict: 'at-risk',
    recoverable_to: at,
    recovery_window: {
      earliest_at: at,
      latest_at: at,
      earliest_lsn: '0/1',
      latest_lsn: '0/2',
      latest_timeline: 1,
      gaps: [],
    },
    rpo: { objective_seconds: 300, seconds: 200, state: 'at-risk', places: [] },
    canary: { configured: false, newest: null, known_by: null, quiet_until: null },
    source: null,
    rto: { objective_seconds: 900, state: 'met', newest_backup_bytes: 1, wal_since_bytes: 1, scenarios: [] },
    findings: [],
  };
}
