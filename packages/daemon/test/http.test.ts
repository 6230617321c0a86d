// The API against bad and hostile input, with a program that stands in for the command line and a repository that is away.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type ClusterDocument,
  type JobDocument,
  mayActAs,
  type OverviewDocument,
  type Role,
  roles,
  type SessionDocument,
  SpillwayError,
} from '@spillway/contract';
import { parseConfiguration, scheduleKinds } from '@spillway/contract/schemas';
import { readPair, renew } from '../src/http/tls.ts';
import { startService, type Watch } from '../src/index.ts';
import { startProvider } from './provider.ts';
import {
  type Answer,
  ask,
  call,
  jobThatIs,
  ManualClock,
  type Method,
  type Running,
  sightless,
  waitFor,
} from './stage.ts';

const run = promisify(execFile);
const NOW = Date.parse('2026-11-28T12:00:00Z');
const folder = await mkdtemp(join(tmpdir(), 'spillway-http-'));
const allowed = join(folder, 'allowed');
const clock = new ManualClock(NOW);
let running: Running;
const services: Running[] = [];

interface Over {
  readonly clock?: ManualClock;
  readonly schedules?: object;
  readonly watch?: Watch;
  readonly hasDrill?: (name: string) => boolean;
}

async function start(name: string, service: object = {}, oidcSecret?: string, over: Over = {}): Promise<Running> {
  const never = Object.fromEntries(scheduleKinds.map((kind) => [kind, 'never']));
  const cluster = {
    connection: { host: '127.0.0.1', user: 'u' },
    schedules: { ...never, receive: false, ...over.schedules },
  };
  const parsed = parseConfiguration({
    repository: { path: folder, passphrase: { file: 'passphrase' } },
    clusters: { water: cluster, power: cluster },
    service: { port: 0, requests_per_minute: 1_000_000, file_directories: [allowed], ...service },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const log: string[] = [];
  const started = await startService({
    version: '0.1.0',
    configuration: parsed.configuration,
    shown: { file: '/etc/spillway/spillway.yaml', settings: [] },
    stateFolder: join(folder, name),
    resolvePath: (_path, value) => join('/', value),
    launch: {
      command: process.execPath,
      words: [join(import.meta.dirname, 'fake-program.ts')],
      directory: folder,
      environment: {},
    },
    ...(oidcSecret === undefined ? {} : { oidcSecret }),
    ...(over.watch === undefined ? {} : { watch: over.watch }),
    ...(over.hasDrill === undefined ? {} : { hasDrill: over.hasDrill }),
    openRepository: () => Promise.reject(new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the disk is gone')),
    logStream: { write: (line) => void log.push(line) },
    logLevel: 'info',
    clock: over.clock ?? clock,
    endWithinMs: 2000,
  });
  const token = (await readFile(join(folder, name, 'first-token'), 'utf8')).trim();
  const one: Running = { service: started, log, token, stop: started.stop };
  services.push(one);
  return one;
}

before(async () => {
  await mkdir(allowed);
  running = await start('state');
});
after(async () => {
  for (const { stop } of services) await stop();
  await rm(folder, { recursive: true });
});

const tokenOf = async (role: Role, name: string = role): Promise<string> =>
  (await ask<{ readonly token: string }>(running, 'POST', '/api/v1/tokens', { name, role })).token;
const code = ({ status, body }: Answer): readonly unknown[] => [status, (body as { readonly code?: unknown }).code];
const job = (body: object, of: Parameters<typeof call>[3] = {}): Promise<Answer> =>
  call(running, 'POST', '/api/v1/jobs', { body: { cluster: 'water', ...body }, ...of });

test('the document has every route and no other, each with who may call it, what it answers and how it fails', async () => {
  const document = await ask<{
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  }>(running, 'GET', '/api/v1/openapi.json');
  interface Operation {
    readonly summary?: string;
    readonly security?: readonly object[];
    readonly responses: Readonly<Record<string, unknown>>;
    readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  }
  assert.match(document.openapi, /^3\.1\./);
  const told = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const routes = running.service.api.routeList.map(({ method, url }) => `${method} ${url}`);
  assert.deepEqual(told.toSorted(), routes.toSorted());
  assert.ok(routes.length >= 20, routes.join());
  for (const { method, url, wants } of running.service.api.routeList) {
    const operation = document.paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    assert.ok(operation?.summary !== undefined, url);
    assert.ok(
      Object.keys(operation.responses).some((status) => /^2|^302$/.test(status)),
      url,
    );
    assert.equal(operation.security !== undefined, wants !== 'open', url);
    for (const [, name] of url.matchAll(/:(\w+)/g)) {
      assert.ok(
        operation.parameters?.some((each) => each.in === 'path' && each.name === name),
        `${url} ${name}`,
      );
    }
  }
});

test('nobody gets in without a token that is known, good, and of the role that is wanted', async () => {
  const tokens = Object.fromEntries(
    await Promise.all(roles.map(async (role) => [role, await tokenOf(role)] as const)),
  ) as Record<Role, string>;
  const revoked = await ask<{ readonly id: string; readonly token: string }>(running, 'POST', '/api/v1/tokens', {
    name: 'gone',
    role: 'administrator',
  });
  await ask(running, 'DELETE', `/api/v1/tokens/${revoked.id}`);
  const expired = await ask<{ readonly token: string }>(running, 'POST', '/api/v1/tokens', {
    name: 'late',
    role: 'administrator',
    expires_at: new Date(NOW + 1000).toISOString(),
  });
  clock.set(NOW + 1000);
  const strangers = [
    'nonsense',
    `${tokens.administrator}x`,
    tokens.administrator.slice(0, -1),
    revoked.token,
    expired.token,
  ];
  for (const { method, url, wants } of running.service.api.routeList) {
    if (wants === 'open' || method === 'HEAD') continue;
    const path = url
      .replace(':cluster', 'water')
      .replace(':job', '20261128T120000000Z-00000000')
      .replace(':token', '00000000');
    const asked = (token: string | null): Promise<Answer> => call(running, method as Method, path, { token });
    assert.equal((await asked(null)).status, 401, url);
    for (const stranger of strangers) assert.equal((await asked(stranger)).status, 401, url);
    for (const role of roles) {
      if (path === '/api/v1/events' && mayActAs(role, wants)) continue;
      const { status } = await asked(tokens[role]);
      assert.equal(status === 403, !mayActAs(role, wants), `${role} ${method} ${url}: ${status}`);
    }
  }
  for (const authorization of ['', 'Bearer', 'Bearer  ', 'Basic dTpw', `bearer\t${tokens.viewer}`, 'x'.repeat(8000)]) {
    const answer = await call(running, 'GET', '/api/v1/jobs', { token: null, headers: { authorization } });
    assert.equal(answer.status, 401, authorization.slice(0, 20));
  }
  assert.deepEqual(code(await job({ command: 'backup' }, { token: tokens.viewer })), [403, 'forbidden']);
  assert.deepEqual(
    code(
      await job(
        { command: 'rewind', data_directory: join(allowed, 'x'), confirm: 'water' },
        { token: tokens.operator },
      ),
    ),
    [403, 'forbidden'],
  );
  assert.deepEqual(
    code(await job({ command: 'expire', keep_count: 1, confirm: 'water' }, { token: tokens.operator })),
    [403, 'forbidden'],
  );
  // SQL of the caller's own is for nobody, an administrator neither.
  const sql = await job({ command: 'verify', level: 'restore', check: ['SELECT true'] });
  assert.equal(sql.status, 400);
  assert.deepEqual(
    code(await job({ command: 'restore', table: ['t'], swap: true, confirm: 'water' }, { token: tokens.operator })),
    [403, 'forbidden'],
  );
  const states = running.service.parts.database.all<{ readonly hash: Buffer }>('SELECT hash FROM token');
  assert.ok(states.every(({ hash }) => hash.length === 32));
  assert.doesNotMatch(running.log.join(''), /spw_[0-9a-f]{8}_/, 'no token in the log');
});

test('a session is opened with a token, and another site can do nothing with it', async () => {
  const host = 'spillway.example';
  const site = `http://${host}`;
  const post = (url: string, body: object, headers: Readonly<Record<string, string>>): Promise<Answer> =>
    call(running, 'POST', url, { token: null, body, headers: { host, ...headers } });
  assert.deepEqual(code(await post('/api/v1/session', { token: 'spw_00000000_x' }, {})), [401, 'unauthorised']);
  const foreign = await post('/api/v1/session', { token: running.token }, { origin: 'http://evil.example' });
  assert.deepEqual(code(foreign), [403, 'forbidden']);
  const opened = await post('/api/v1/session', { token: running.token }, { origin: site });
  assert.equal(opened.status, 200);
  const set = String(opened.headers['set-cookie']);
  assert.match(set, /^spillway_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  const cookie = set.split(';')[0] ?? '';
  const { csrf_token: csrf } = opened.body as SessionDocument;
  const look = (headers: Readonly<Record<string, string>>): Promise<Answer> =>
    call(running, 'GET', '/api/v1/session', { token: null, headers: { host, ...headers } });
  assert.deepEqual((await look({ cookie })).body, opened.body);

  const backup = { command: 'backup', cluster: 'water' };
  for (const [headers, status] of [
    [{ cookie }, 403],
    [{ cookie, 'x-spillway-csrf': 'wrong' }, 403],
    [{ cookie, 'x-spillway-csrf': csrf, origin: 'http://evil.example' }, 403],
    [{ cookie, 'x-spillway-csrf': csrf, origin: 'null' }, 403],
    [{ cookie, 'x-spillway-csrf': csrf, origin: `${site}.evil.example` }, 403],
    [{ cookie, 'x-spillway-csrf': csrf, 'sec-fetch-site': 'cross-site' }, 403],
    [{ cookie, 'x-spillway-csrf': csrf, 'sec-fetch-site': 'same-site' }, 403],
    [{ 'x-spillway-csrf': csrf }, 401],
    [{ cookie: 'spillway_session=x', 'x-spillway-csrf': csrf }, 401],
    [{ cookie, 'x-spillway-csrf': csrf, origin: site, 'sec-fetch-site': 'same-origin' }, 202],
    // Where a token is sent, the cookie counts for nothing.
    [{ cookie, 'x-spillway-csrf': csrf, authorization: 'Bearer wrong' }, 401],
  ] as const) {
    assert.equal((await post('/api/v1/jobs', backup, headers)).status, status, JSON.stringify(headers));
  }
  const ended = await call(running, 'DELETE', '/api/v1/session', {
    token: null,
    headers: { host, cookie, 'x-spillway-csrf': csrf },
  });
  assert.equal(ended.status, 200);
  assert.equal((await look({ cookie })).status, 401);
});

test('bodies that are too large, of another kind, or of another form are refused, and nothing is begun', async () => {
  const jobsBefore = running.service.parts.jobs.list({ limit: 500 }).length;
  const raw = (body: string, type = 'application/json'): Promise<Answer> =>
    call(running, 'POST', '/api/v1/jobs', { body, headers: { 'content-type': type } });
  assert.deepEqual(
    code(await raw(JSON.stringify({ command: 'backup', cluster: 'water', database: ['x'.repeat(300_000)] }))),
    [413, 'too_large'],
  );
  assert.deepEqual(code(await raw('command=backup&cluster=water', 'application/x-www-form-urlencoded')), [
    415,
    'unsupported',
  ]);
  assert.deepEqual(code(await raw('{"command":"backup","cluster":"water"}', 'text/plain')), [415, 'unsupported']);
  for (const body of [
    '',
    '{',
    'null',
    '[]',
    '"backup"',
    '{"__proto__":{"command":"backup"},"cluster":"water"}',
    '{"command":"backup","cluster":"water","__proto__":{"role":"administrator"}}',
    '{"command":"backup","cluster":"water","constructor":{"prototype":{}}}',
    '{"command":"backup","cluster":"water","words":["--debug"]}',
    '{"command":["backup"],"cluster":"water"}',
    `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
  ]) {
    assert.deepEqual(code(await raw(body)), [400, 'invalid_request'], body.slice(0, 80));
  }
  assert.deepEqual(code(await job({ command: 'backup', cluster: 'gas' })), [404, 'not_found']);
  for (const url of [
    '/api/v1/clusters/__proto__/backups',
    '/api/v1/clusters/..%2f..%2fetc/backups',
    "/api/v1/clusters/x';DROP TABLE job;--",
    '/api/v1/jobs/../../etc/passwd',
    '/api/v1/jobs?cursor=%27%20OR%201=1&limit=1000',
    '/api/v1/jobs?state=x',
    '/api/v1/audit?cursor=1;DROP',
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/api/v1/nothing',
  ]) {
    const { status } = await call(running, 'GET', url);
    assert.ok(status === 400 || status === 404, `${url}: ${status}`);
  }
  const quoted = await ask<{ readonly jobs: readonly unknown[] }>(
    running,
    'GET',
    '/api/v1/jobs?cursor=%27%20OR%201=1--',
  );
  assert.ok(Array.isArray(quoted.jobs));
  assert.equal(running.service.parts.jobs.list({ limit: 500 }).length, jobsBefore);
});

test('files are named only below the folders that are configured, wherever links lead', async () => {
  await symlink('/etc', join(allowed, 'way-out'));
  for (const into of [
    '/etc',
    '/srv/x',
    `${allowed}/../outside`,
    `${allowed}/way-out/x`,
    `${folder}/allowed-not`,
    allowed,
  ]) {
    assert.deepEqual(code(await job({ command: 'restore', into })), [403, 'forbidden'], into);
  }
  for (const more of [{ log: '/etc/cron.d/x' }, { wal_directory: '/etc' }, { tablespace_all_into: '/etc' }]) {
    assert.deepEqual(code(await job({ command: 'restore', into: join(allowed, 'new'), ...more })), [403, 'forbidden']);
  }
  for (const asked of [
    { command: 'restore', table: ['t'], file: '/etc/cron.d/x.csv' },
    { command: 'report compliance', month: '2026-11', html: '/etc/x.html' },
    { command: 'report compliance', month: '2026-11', pdf: `${allowed}/../x.pdf` },
  ]) {
    assert.deepEqual(code(await job(asked)), [403, 'forbidden'], JSON.stringify(asked));
  }
  const plan = await call(running, 'POST', '/api/v1/clusters/water/restore-plan', { body: { into: '/etc/x' } });
  assert.deepEqual(code(plan), [403, 'forbidden']);
  const planned = await ask<{ readonly plan: { readonly words: readonly string[] } }>(
    running,
    'POST',
    '/api/v1/clusters/water/restore-plan',
    { into: join(allowed, 'new'), at: '2026-11-28T11:00:00Z', name: "'; DROP TABLE x; --$(reboot)`id`" },
  );
  assert.deepEqual(planned.plan.words.slice(planned.plan.words.indexOf('restore')), [
    'restore',
    `--into=${join(allowed, 'new')}`,
    '--at=2026-11-28T11:00:00Z',
    "--name='; DROP TABLE x; --$(reboot)`id`",
    '--dry-run',
  ]);
});

test('what a job prints can forge no event, no line of the log, and move no cursor', async () => {
  const { id } = (await job({ command: 'backup' })).body as JobDocument;
  const ended = await jobThatIs(running, { id }, 'succeeded');
  assert.deepEqual((ended.result as { readonly cluster: string }).cluster, 'water');
  const { lines } = running.service.parts.jobs.lines(id, 0, 100);
  // oxlint-disable-next-line no-control-regex -- those are what it is about
  for (const { message } of lines) assert.doesNotMatch(message, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['info', 'output', 'output', 'output', 'output'],
  );
  assert.ok(lines.every(({ message }) => message.length <= 4001));
  const kept = running.service.parts.bus.since(0) ?? [];
  assert.ok(kept.every(({ event }) => !('forged' in event)));
  for (const line of running.log.join('').trim().split('\n'))
    assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
});

test('what could lose something wants the name of the cluster, and where it is so configured a second person', async () => {
  const expire = { command: 'expire', keep_count: 1 };
  assert.deepEqual(code(await job(expire)), [403, 'confirmation_needed']);
  assert.deepEqual(code(await job({ ...expire, confirm: 'power' })), [403, 'confirmation_needed']);
  assert.deepEqual(code(await job({ command: 'restore', table: ['t'], swap: true })), [403, 'confirmation_needed']);
  const { id } = (await job({ ...expire, confirm: 'water' })).body as JobDocument;
  const done = await jobThatIs(running, { id }, 'succeeded');
  assert.deepEqual((done.result as { readonly words: readonly string[] }).words.slice(-4), [
    'expire',
    '--keep-count=1',
    '--yes',
    '--confirm=water',
  ]);
  assert.ok(!('confirm' in done.request));

  const careful = await start('careful', { approvals: 2 });
  const other = await ask<{ readonly token: string }>(careful, 'POST', '/api/v1/tokens', {
    name: 'second',
    role: 'administrator',
  });
  const same = await ask<{ readonly token: string }>(careful, 'POST', '/api/v1/tokens', {
    name: 'first',
    role: 'administrator',
  });
  const asked = await ask<JobDocument>(careful, 'POST', '/api/v1/jobs', {
    ...expire,
    cluster: 'water',
    confirm: 'water',
  });
  assert.deepEqual([asked.state, asked.approvals.length, asked.approvals_needed], ['awaiting-approval', 1, 2]);
  const approve = (token: string, confirm = 'water', which = asked.id): Promise<Answer> =>
    call(careful, 'POST', `/api/v1/jobs/${which}/approve`, { token, body: { confirm } });
  assert.deepEqual(code(await approve(careful.token)), [403, 'forbidden'], 'whoever asked is no second person');
  assert.deepEqual(code(await approve(same.token)), [403, 'forbidden'], 'nor is he under another token');
  assert.deepEqual(code(await approve(other.token, 'power')), [403, 'confirmation_needed']);
  assert.equal((await approve(other.token)).status, 200);
  await jobThatIs(careful, { id: asked.id }, 'succeeded');
  assert.deepEqual(code(await approve(other.token)), [409, 'conflict']);
  const plain = await ask<JobDocument>(careful, 'POST', '/api/v1/jobs', { command: 'backup', cluster: 'water' });
  assert.notEqual(plain.state, 'awaiting-approval');

  const forgotten = await ask<JobDocument>(careful, 'POST', '/api/v1/jobs', {
    ...expire,
    cluster: 'water',
    confirm: 'water',
  });
  clock.set(clock.now() + 3_600_000);
  await jobThatIs(careful, { id: forgotten.id }, 'rejected');
  const { entries } = await ask<{ readonly entries: readonly { readonly who: string; readonly action: string }[] }>(
    careful,
    'GET',
    '/api/v1/audit',
  );
  assert.deepEqual(
    entries.map(({ who, action }) => `${who} ${action}`).filter((each) => each.includes('job')),
    ['first job.start', 'first job.start', 'second job.approve', 'first job.start'],
  );
  await careful.stop();
});

test('a repository that is away makes the service no less ready, and is told', async () => {
  assert.equal((await call(running, 'GET', '/livez', { token: null })).status, 200);
  assert.deepEqual((await call(running, 'GET', '/readyz', { token: null })).body, { ready: true, why: null });
  const { clusters } = await ask<{ readonly clusters: readonly { readonly problems: readonly string[] }[] }>(
    running,
    'GET',
    '/api/v1/overview',
  );
  assert.match(clusters[0]?.problems[0] ?? '', /The repository cannot be read: the disk is gone/);
  assert.deepEqual(code(await call(running, 'GET', '/api/v1/clusters/water/status')), [404, 'not_found']);
  assert.deepEqual(code(await call(running, 'GET', '/api/v1/clusters/water/backups')), [
    502,
    'SPW_STORAGE_UNREACHABLE',
  ]);
});

test('a cluster that cannot be looked at, or not soon, hides nothing else of the overview', async () => {
  const slow = Promise.withResolvers<never>();
  const watched = await start('watched', {}, undefined, {
    watch: {
      ...sightless,
      status: (cluster) =>
        cluster === 'water'
          ? Promise.reject(new SpillwayError('SPW_STORAGE_UNREACHABLE', 'every place is gone'))
          : slow.promise,
    },
  });
  const { clusters } = await ask<OverviewDocument>(watched, 'GET', '/api/v1/overview');
  assert.deepEqual(
    clusters.map(({ name, standing, standing_error: why }) => [name, standing, why]),
    [
      ['water', null, 'every place is gone'],
      ['power', null, 'it is still being looked at; ask again in a moment'],
    ],
  );
  assert.deepEqual(code(await call(watched, 'GET', '/api/v1/clusters/water/status')), [502, 'SPW_STORAGE_UNREACHABLE']);
  await watched.stop();
});

test('a drill that has no file is skipped and told, and is never taken for one that passed', async () => {
  let there = false;
  const own = new ManualClock(Date.parse('2026-12-07T02:59:00Z'));
  const drilled = await start('drilled', {}, undefined, {
    clock: own,
    schedules: { drill: 'first Monday 03:00', time_zone: 'UTC' },
    hasDrill: (name) => there && name === 'monthly',
  });
  const drill = async (): Promise<ClusterDocument['schedules'][number] | undefined> =>
    (await ask<ClusterDocument>(drilled, 'GET', '/api/v1/clusters/water')).schedules.find(
      ({ kind }) => kind === 'drill',
    );
  own.set(Date.parse('2026-12-07T03:00:00Z'));
  await waitFor('the drill to be skipped', () => /a run is due, and is skipped/.test(drilled.log.join('')));
  const skipped = await drill();
  assert.match(skipped?.idle_because ?? '', /there is no drill file monthly, so nothing is drilled/);
  assert.deepEqual(
    [skipped?.handled_up_to, skipped?.last_success_at, skipped?.last_job, skipped?.next_at],
    ['2026-12-07T03:00:00.000Z', null, null, null],
  );
  there = true;
  assert.deepEqual([(await drill())?.idle_because, (await drill())?.next_at], [null, '2027-01-04T03:00:00.000Z']);
  own.set(Date.parse('2027-01-04T03:00:00Z'));
  const held = await jobThatIs(drilled, { schedule: 'drill', cluster: 'water' }, 'succeeded');
  assert.deepEqual((held.result as { readonly words: readonly string[] }).words.slice(-4), [
    'drill',
    'run',
    '--',
    'monthly',
  ]);
  assert.notEqual((await drill())?.last_success_at, null);
  await drilled.stop();
});

test('whoever asks too often is put off, strangers sooner', async () => {
  const strict = await start('strict', { requests_per_minute: 100 });
  const counts = async (token: string | null, times: number): Promise<number> => {
    const answers: Answer[] = [];
    for (let time = 0; time < times; time++) answers.push(await call(strict, 'GET', '/api/v1/jobs', { token }));
    const put = answers.filter(({ status }) => status === 429);
    assert.ok(put.every(({ headers }) => headers['retry-after'] !== undefined));
    return put.length;
  };
  assert.equal(await counts(null, 30), 20);
  assert.equal(await counts(strict.token, 130), 30);
  const logins: number[] = [];
  for (let time = 0; time < 12; time++) {
    logins.push((await call(strict, 'POST', '/api/v1/session', { token: null, body: { token: 'spw_guess' } })).status);
  }
  assert.deepEqual(logins.slice(9), [401, 429, 429]);
  assert.equal(
    (await call(strict, 'GET', '/livez', { token: null })).status,
    200,
    'who asks whether it lives is never put off',
  );
  await strict.stop();
});

test('a thousand listeners hear every event, one more is refused, who does not read is let go, and memory stays', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { url, parts } = running.service;
  const { port } = new URL(url);
  const listeners = Array.from({ length: 1000 }, () => listen(Number(port), running.token));
  await waitFor('a thousand streams', () => parts.streams.size === 1000);
  const refused = listen(Number(port), running.token);
  await waitFor('an answer', () => refused.text().includes('\r\n\r\n'));
  assert.match(refused.text(), /^HTTP\/1\.1 503 /);

  const tell = async (from: number, to: number): Promise<void> => {
    for (let line = from; line <= to; line++) {
      parts.bus.publish({
        type: 'log',
        cluster: 'water',
        job: 'x',
        line,
        at: new Date(NOW).toISOString(),
        level: 'info',
        message: `<${line}>`,
      });
    }
    await waitFor('everybody to hear', () => listeners.every((each) => each.isPaused() || each.heard() === to));
  };
  await tell(1, 100);
  collect();
  const memoryBefore = process.memoryUsage();
  await tell(101, 300);
  collect();
  const now = process.memoryUsage();
  const grown = now.heapUsed + now.external - memoryBefore.heapUsed - memoryBefore.external;
  assert.ok(grown < 8 * 2 ** 20, `200 events to 1,000 listeners left ${grown} bytes`);

  // Ten stop reading: what their sockets do not take is not kept for them.
  for (const each of listeners.slice(0, 10)) each.pause();
  const long = 'y'.repeat(100_000);
  for (const each of listeners.slice(10)) each.socket.destroy();
  await waitFor('the others to go', () => parts.streams.size === 10);
  for (let sent = 0; sent < 400 && parts.streams.size > 0; sent++) {
    parts.bus.publish({
      type: 'log',
      cluster: 'water',
      job: 'x',
      line: 1,
      at: new Date(NOW).toISOString(),
      level: 'info',
      message: long,
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(parts.streams.size, 0);
  for (const each of listeners) each.socket.destroy();
  refused.socket.destroy();
});

test('a stream goes on where it broke off, and ends with its token', async () => {
  const { parts, url } = running.service;
  const port = Number(new URL(url).port);
  const made = await ask<{ readonly id: string; readonly token: string }>(running, 'POST', '/api/v1/tokens', {
    name: 'short',
    role: 'viewer',
  });
  const say = (line: number, cluster: string): void =>
    parts.bus.publish({
      type: 'log',
      cluster,
      job: 'x',
      line,
      at: new Date(NOW).toISOString(),
      level: 'info',
      message: `<${line}>`,
    });
  let last = 0;
  const unlisten = parts.bus.listen(({ id }) => {
    last = id;
  });
  say(1, 'water');
  unlisten();
  say(2, 'water');
  say(3, 'power');
  const listener = listen(port, made.token, '?cluster=water', last);
  await waitFor('what was missed', () => listener.text().includes('<2>'));
  say(4, 'water');
  await waitFor('what comes', () => listener.text().includes('<4>'));
  assert.doesNotMatch(listener.text(), /<1>|<3>/);
  const lost = listen(port, running.token, '', 999_999);
  await waitFor('the word that more is lost', () => lost.text().includes('event: reset'));
  await ask(running, 'DELETE', `/api/v1/tokens/${made.id}`);
  parts.streams.beat();
  await waitFor('its end', () => listener.socket.destroyed);
  assert.equal(lost.socket.destroyed, false);
  lost.socket.destroy();
});

test('with TLS the cookie is for TLS alone, and a renewed certificate is shown to the next who comes', async () => {
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  const make = async (): Promise<string> => {
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    await run('openssl', [...words, ...name, '-keyout', files.key, '-out', files.certificate]);
    return readFile(files.certificate, 'utf8');
  };
  const first = await make();
  const safe = await start('safe', { tls: { certificate_file: files.certificate, key_file: files.key } });
  assert.match(safe.service.url, /^https:/);
  const lives = (ca: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      get(`${safe.service.url}/livez`, { ca, agent: false }, (answer) => {
        answer.resume();
        resolve([answer.statusCode, answer.headers['strict-transport-security']?.includes('max-age=31536000')]);
      }).on('error', reject);
    });
  assert.deepEqual(await lives(first), [200, true]);
  const opened = await call(safe, 'POST', '/api/v1/session', { token: null, body: { token: safe.token } });
  assert.match(String(opened.headers['set-cookie']), /; Secure; SameSite=Strict$/);
  const second = await make();
  clock.set(clock.now() + 60_000);
  await waitFor('the renewed certificate', () => lives(second).catch(() => undefined));
  await assert.rejects(lives(first));
  await safe.stop();
});

test('whoever logs in with OpenID Connect has the role of his groups, and nobody comes in with the login of another', async () => {
  await using provider = await startProvider('spillway');
  const oidc = {
    issuer: provider.issuer,
    client_id: 'spillway',
    client_secret: { file: 'x' },
    public_url: 'https://spillway.example',
    roles: { operator: ['dba'] },
  };
  const open = await start('open', { oidc }, provider.secret);
  const begin = async (): Promise<{ readonly url: string; readonly cookie: string }> => {
    const { status, headers } = await call(open, 'GET', '/api/v1/oidc/login', { token: null });
    assert.equal(status, 302);
    return { url: String(headers['location']), cookie: String(headers['set-cookie']).split(';')[0] ?? '' };
  };
  const back = ({ pathname, search }: URL, cookie: string): Promise<Answer> =>
    call(open, 'GET', pathname + search, { token: null, headers: cookie === '' ? {} : { cookie } });

  const first = await begin();
  const ann = provider.consent(first.url, { sub: '7', preferred_username: 'ann', groups: ['dba', 'staff'] });
  assert.equal(ann.origin, 'https://spillway.example');
  assert.equal((await back(ann, '')).status, 401, 'another browser');
  const other = await begin();
  assert.equal((await back(ann, other.cookie)).status, 401, 'the login of another browser');
  const came = await back(ann, first.cookie);
  assert.equal(came.status, 200, JSON.stringify(came.body));
  const session = String(
    [came.headers['set-cookie']].flat().find((each) => String(each).startsWith('spillway_session')),
  );
  assert.match(session, /HttpOnly; SameSite=Strict$/);
  const who = await call(open, 'GET', '/api/v1/session', {
    token: null,
    headers: { cookie: session.split(';')[0] ?? '' },
  });
  const { name, role } = who.body as SessionDocument;
  assert.deepEqual([name, role], ['ann', 'operator']);
  assert.equal((await back(ann, first.cookie)).status, 401, 'a login is good once');

  const stranger = await begin();
  assert.equal(
    (await back(provider.consent(stranger.url, { sub: '8', groups: ['sales'] }), stranger.cookie)).status,
    403,
  );
  const late = await begin();
  clock.set(clock.now() + 600_000);
  assert.equal((await back(provider.consent(late.url, { sub: '7', groups: ['dba'] }), late.cookie)).status, 401);
  const replayed = await begin();
  const wrong = provider.consent(replayed.url, { sub: '7', groups: ['dba'], nonce: 'another' });
  assert.equal((await back(wrong, replayed.cookie)).status, 401, 'a token that was made for another login');
  provider.forge();
  const forged = await begin();
  assert.equal((await back(provider.consent(forged.url, { sub: '7', groups: ['dba'] }), forged.cookie)).status, 401);
  const { tokens } = await ask<{ readonly tokens: readonly { readonly name: string }[] }>(
    open,
    'GET',
    '/api/v1/tokens',
  );
  assert.deepEqual(tokens.map((each) => each.name).toSorted(), ['ann', 'first']);
  await open.stop();
  assert.equal(
    (await call(running, 'GET', '/api/v1/oidc/login', { token: null })).status,
    404,
    'where it is not configured',
  );
});

test('requests that come slowly have an end, and so have connections', () => {
  const { server } = running.service.api;
  assert.deepEqual([server.requestTimeout, server.timeout, server.maxConnections], [30_000, 60_000, 1512]);
  assert.ok(server.headersTimeout > 0 && server.headersTimeout <= 60_000);
});

test('a renewed certificate is taken, one that does not fit its key is not', async () => {
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const make = (): Promise<unknown> =>
    run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-keyout',
      files.key,
      '-out',
      files.certificate,
    ]);
  await make();
  const first = await readPair(files);
  const taken: unknown[] = [];
  const server = { setSecureContext: (pair: unknown): void => void taken.push(pair) };
  assert.equal(await renew(server, files, first), undefined);
  await make();
  const second = await renew(server, files, first);
  assert.ok(second !== undefined && second.cert !== first.cert);
  assert.equal(taken.length, 1);
  await assert.rejects(readPair({ ...files, key: join(folder, 'none') }), { code: 'SPW_CONFIG_INVALID' });
  const key = files.key;
  await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
  await assert.rejects(renew(server, files, second), { code: 'SPW_CONFIG_INVALID' });
  assert.equal(taken.length, 1);
});

interface Listener {
  readonly socket: Socket;
  readonly text: () => string;
  readonly heard: () => number;
  readonly pause: () => void;
  readonly isPaused: () => boolean;
}

/** Keeps the beginning of what comes, and counts the lines of the log in all of it. */
function listen(port: number, token: string, query = '', last?: number): Listener {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let heard = 0;
  let rest = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    if (text.length < 2000) text += piece;
    const all = rest + piece;
    const lines = all.match(/<\d+>"/g) ?? [];
    heard += lines.length;
    rest = all.slice(-12).replaceAll(/<\d+>"/g, '');
  });
  socket.on('error', () => undefined);
  socket.write(
    `GET /api/v1/events${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${last === undefined ? '' : `Last-Event-ID: ${last}\r\n`}\r\n`,
  );
  let isPaused = false;
  return {
    socket,
    text: () => text,
    heard: () => heard,
    pause: () => {
      isPaused = true;
      socket.pause();
    },
    isPaused: () => isPaused,
  };
}
