// Notifications against receivers that are real: of HTTP, of SMTP with TLS, and one that checks AWS's signatures.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect, promisify } from 'node:util';
import { notifyTestDocument, parseConfiguration } from '@spillway/contract/schemas';
import { SMTPServer } from 'smtp-server';
import { makeWorkplace } from '../../cli/test/spawned.ts';
import type { Facts } from '../src/metrics/samples.ts';
import { type Channel, deliver } from '../src/notify/channel.ts';
import type { Letter } from '../src/notify/letters.ts';
import { Notifier } from '../src/notify/notifier.ts';
import { openState } from '../src/state/database.ts';
import { ManualClock } from './stage.ts';

const HEAD = `7:${'ab'.repeat(32)}`;
const NOW = Date.parse('2026-11-28T12:00:00Z');
const never = new AbortController().signal;
const atOnce = (): Promise<void> => Promise.resolve();
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Got {
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

type Reply = number | { readonly status: number; readonly body: string };

/** Answers with the replies one after the other, then with 200. */
async function hook(t: TestContext, ...replies: Reply[]): Promise<{ readonly url: string; readonly got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      got.push({ url: request.url ?? '', headers: request.headers, body });
      const reply = replies.shift() ?? 200;
      const [status, said] = typeof reply === 'number' ? [reply, '<thanks/>'] : [reply.status, reply.body];
      response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end(said);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=1`, got };
}

interface MailServer {
  readonly port: number;
  readonly mails: { readonly text: string; readonly user: string; readonly secure: boolean }[];
}

/** A real one. `refusals` are the first answers to RCPT; with a certificate it offers TLS, and wants a log-in. */
async function mailServer(
  t: TestContext,
  refusals: readonly number[] = [],
  tls?: { readonly key: string; readonly cert: string },
): Promise<MailServer> {
  const [mails, left]: [MailServer['mails'], number[]] = [[], [...refusals]];
  const server = new SMTPServer({
    ...(tls === undefined ? { disabledCommands: ['AUTH', 'STARTTLS'] } : tls),
    authOptional: tls === undefined,
    disableReverseLookup: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) => {
      if (username === 'spillway' && password === 'p4ss') done(null, { user: username });
      else done(Object.assign(new Error('who are you'), { responseCode: 535 }));
    },
    onRcptTo: (_address, _session, done) => {
      const responseCode = left.shift();
      done(responseCode === undefined ? null : Object.assign(new Error('not now'), { responseCode }));
    },
    onData: (stream, { user, secure }, done) => {
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      stream.on('end', () => {
        mails.push({ text, user: String(user ?? ''), secure });
        done(null);
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

function channel(settings: object, secret: string, key?: string): Channel {
  const source = { file: 'secret' };
  const parsed = parseConfiguration({
    repository: { path: '/r', passphrase: source },
    notifications: { channels: { one: settings } },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const one = parsed.configuration.notifications.channels['one'];
  assert.ok(one !== undefined);
  return { name: 'one', settings: one, secret, ...(key === undefined ? {} : { key }) };
}

const condition = {
  key: 'RpoBroken water',
  alert: 'RpoBroken',
  cluster: 'water',
  severity: 'critical' as const,
  part: 'status' as const,
  summary: 'line\r\none <b>&',
};
const letter: Letter = {
  message: {
    cluster: 'water',
    wrong: [{ ...condition, since: NOW - 90_000, again: false }],
    mended: [{ ...condition, key: 'WalGap water', alert: 'WalGap', since: NOW - 600_000 }],
  },
  at: NOW,
  host: 'db1',
  evidenceHead: HEAD,
  evidenceOf: 'water',
  runbooks: 'https://wiki.example.org/runbooks',
};
const secret = { file: 'secret' };

test('each kind of hook gets what it reads, with the head of the evidence; a webhook is signed', async (t) => {
  const { url, got } = await hook(t);
  await deliver(channel({ kind: 'slack', url: secret }, url), letter, atOnce, never);
  await deliver(channel({ kind: 'teams', url: secret }, url), letter, atOnce, never);
  await deliver(channel({ kind: 'pagerduty', routing_key: secret, endpoint: url }, 'R1'), letter, atOnce, never);
  await deliver(channel({ kind: 'webhook', url: secret, key: secret }, url, 'k3y'), letter, atOnce, never);
  const bodies = got.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  const [slack, teams, triggered, resolved, own] = bodies;
  assert.match(String(slack?.['text']), /CRITICAL RpoBroken: line one &lt;b&gt;&amp;\n {2}for 90 s; https:\/\/wiki/);
  assert.match(JSON.stringify(teams), /AdaptiveCard/);
  assert.deepEqual(
    [triggered, resolved].map((each) => [each?.['event_action'], each?.['dedup_key'], each?.['routing_key']]),
    [
      ['trigger', 'spillway RpoBroken water', 'R1'],
      ['resolve', 'spillway WalGap water', 'R1'],
    ],
  );
  assert.equal(own?.['evidence_head'], HEAD);
  for (const told of [slack, teams, triggered, own]) assert.ok(JSON.stringify(told).includes(HEAD));
  const [, at, given] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(got[4]?.headers['x-spillway-signature'])) ?? [];
  assert.equal(given, createHmac('sha256', 'k3y').update(`${at}.${got[4]?.body}`).digest('hex'));
});

test('what may pass is tried again, so many times; what was refused is not; no redirect is followed; no URL is told', async (t) => {
  const later = await hook(t, 500, 429);
  await deliver(channel({ kind: 'slack', url: secret }, later.url), letter, atOnce, never);
  assert.equal(later.got.length, 3);
  for (const [statuses, tries] of [
    [[404], 1],
    [[500, 500, 500, 500, 500], 4],
    [[302, 302, 302, 302, 302], 4],
  ] as const) {
    const { url, got } = await hook(t, ...statuses);
    await assert.rejects(
      deliver(channel({ kind: 'slack', url: secret }, url), letter, atOnce, never),
      (error: Error) => {
        assert.equal((error as Error & { code?: string }).code, 'SPW_NOTIFY_FAILED');
        assert.doesNotMatch(inspect(error, { depth: 9 }), /secret=1/);
        return true;
      },
    );
    assert.equal(got.length, tries);
  }
});

test('a mail is one mail, whatever its lines hold; a server that is busy is asked again, one that refuses is not', async (t) => {
  const settings = { kind: 'email', host: '127.0.0.1', plain: true, from: 'a@example.org', to: ['b@example.org'] };
  const { port, mails } = await mailServer(t, [450]);
  await deliver(channel({ ...settings, port }, ''), letter, atOnce, never);
  assert.equal(mails.length, 1);
  assert.match(mails[0]?.text ?? '', /Subject: \[spillway\] water: critical: RpoBroken/);
  const text = (mails[0]?.text ?? '').replaceAll('=\r\n', '').replaceAll('=3D', '=');
  assert.ok(text.includes('CRITICAL RpoBroken: line one'));
  assert.ok(text.includes(HEAD));
  const refusing = await mailServer(t, [550, 550, 550]);
  await assert.rejects(deliver(channel({ ...settings, port: refusing.port }, ''), letter, atOnce, never), {
    code: 'SPW_NOTIFY_FAILED',
    why: /not now$/,
  });
  // Without `plain`, a server that offers no TLS gets no mail.
  const bare = await mailServer(t);
  const strict = channel({ ...settings, plain: false, port: bare.port }, '');
  await assert.rejects(deliver(strict, letter, atOnce, never), { code: 'SPW_NOTIFY_FAILED' });
  assert.equal(bare.mails.length, 0);
});

test('mail goes over TLS with a log-in, to nobody whose certificate is not known; the password is told to nobody else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-notify-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await promisify(execFile)('openssl', [...words, ...name, '-keyout', keyFile, '-out', certFile]);
  const cert = await readFile(certFile, 'utf8');
  const { port, mails } = await mailServer(t, [], { key: await readFile(keyFile, 'utf8'), cert });
  const settings = { kind: 'email', host: 'localhost', port, user: 'spillway', password: secret };
  const mail = channel({ ...settings, from: 'a@example.org', to: ['b@example.org'] }, 'p4ss');
  await deliver({ ...mail, rootCertificate: cert }, letter, atOnce, never);
  assert.deepEqual(
    mails.map(({ user, secure }) => [user, secure]),
    [['spillway', true]],
  );
  await assert.rejects(deliver(mail, letter, atOnce, never), { code: 'SPW_NOTIFY_FAILED', why: /certificate|signed/ });
  const wrong = { ...mail, secret: 'p4ss-of-another', rootCertificate: cert };
  await assert.rejects(deliver(wrong, letter, atOnce, never), (error: Error) => {
    assert.match(inspect(error, { depth: 9 }), /SPW_NOTIFY_FAILED/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /p4ss/);
    return true;
  });
  assert.equal(mails.length, 1);
});

test('a topic of Amazon SNS gets a signed request; what it refuses is not tried again, a throttle is', async (t) => {
  const answer = (code: string): string =>
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;
  const before = { ...process.env };
  t.after(() => void (process.env = before));
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 's3cr3t' });
  const topic = 'arn:aws:sns:af-south-1:123456789012:backups';
  const sns = (endpoint: string): Channel => channel({ kind: 'sns', topic, endpoint: new URL(endpoint).origin }, '');

  const good = await hook(t);
  await deliver(sns(good.url), letter, atOnce, never);
  const [request] = good.got;
  assert.ok(request !== undefined);
  const { body, headers } = request;
  const sent = new URLSearchParams(body);
  assert.deepEqual(
    [sent.get('Action'), sent.get('TopicArn'), sent.get('Subject')],
    ['Publish', topic, '[spillway] water: critical: RpoBroken'],
  );
  assert.ok(sent.get('Message')?.includes(HEAD));
  assert.equal(headers['authorization'], signatureOf(body, headers, 's3cr3t'));

  for (const [statuses, code, tries] of [
    [[403], 'AuthorizationError', 1],
    [[404], 'NotFound', 1],
    [[400], 'Throttling', 2],
    [[500, 500, 500, 500, 500], 'InternalError', 4],
  ] as const) {
    const { url, got } = await hook(t, ...statuses.map((status) => ({ status, body: answer(code) })));
    const delivery = deliver(sns(url), letter, atOnce, never);
    if (code === 'Throttling') await delivery;
    else await assert.rejects(delivery, { code: 'SPW_NOTIFY_FAILED' });
    assert.equal(got.length, tries, code);
  }
});

/** What AWS would make of it (Signature Version 4), from its description. */
function signatureOf(body: string, headers: Got['headers'], key: string): string {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const hmac = (by: string | Buffer, text: string): Buffer => createHmac('sha256', by).update(text).digest();
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(String(headers['authorization'])) ?? [];
  const signed = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const request = ['POST', '/', '', signed.join(''), names, hash(body)].join('\n');
  const at = String(headers['x-amz-date']);
  const scope = `${at.slice(0, 8)}/af-south-1/sns/aws4_request`;
  const signing = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${key}`);
  const signature = hmac(signing, ['AWS4-HMAC-SHA256', at, scope, hash(request)].join('\n')).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

test('`notify test` sends by every channel of the file, says which took it, and tells no secret', async (t) => {
  const good = await hook(t);
  const gone = await hook(t, 410);
  await using place = await makeWorkplace({
    'spillway.yaml': JSON.stringify({
      repository: { path: 'repository', passphrase: { file: 'passphrase' } },
      clusters: { water: { connection: { host: '127.0.0.1', user: 'postgres' } } },
      notifications: {
        quiet_hours: { from: '00:00', to: '23:59' },
        channels: {
          chat: { kind: 'slack', url: { file: 'slack' } },
          own: { kind: 'webhook', url: { file: 'hook' }, key: { file: 'key' } },
        },
      },
    }),
    passphrase: 'p',
    slack: good.url,
    hook: gone.url,
    key: 'h00k-key',
  });
  const told = await place.run(['notify', 'test', '--json']);
  assert.equal(told.code, 1, told.stderr);
  const { channels } = notifyTestDocument.parse(JSON.parse(told.stdout));
  assert.deepEqual(channels, [
    { channel: 'chat', kind: 'slack', taken: true, problem: null },
    { channel: 'own', kind: 'webhook', taken: false, problem: 'it answered 410' },
  ]);
  assert.deepEqual([good.got.length, gone.got.length], [1, 1]);
  assert.match(good.got[0]?.body ?? '', /Nothing is wrong/);
  const [one, none, shown] = await Promise.all([
    place.run(['notify', 'test', 'chat']),
    place.run(['notify', 'test', 'nobody']),
    place.run(['config', 'show']),
  ]);
  assert.deepEqual([one.code, good.got.length, none.code], [0, 2, 2]);
  assert.match(shown.stdout, /notifications\.channels\.own\.key\s+file key/);
  for (const { stdout, stderr } of [told, one, none, shown]) assert.doesNotMatch(stdout + stderr, /secret=1|h00k-key/);
});

test('the loop tells once across a restart, and again what no channel took', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-notify-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { database } = openState(folder, NOW);
  t.after(() => database[Symbol.dispose]());
  // Refused for good the first time.
  const { url, got } = await hook(t, 400);
  const clock = new ManualClock(NOW);
  const parsed = parseConfiguration({ repository: { path: '/r', passphrase: secret } });
  assert.ok(parsed.ok);
  const gone = { part: 'x', cluster: 'water', value: undefined, ageSeconds: 0, durationSeconds: null, error: null };
  let servers: Facts['clusters'][number]['servers'] = { ...gone, part: 'servers', value: [] };
  const make = (): Notifier =>
    new Notifier({
      settings: parsed.configuration.notifications,
      channels: [channel({ kind: 'webhook', url: secret, key: secret }, url, 'k')],
      clusters: ['water'],
      database,
      clock,
      log: quiet,
      facts: () => ({
        version: '1',
        now: NOW,
        storageFloorBytes: undefined,
        places: undefined,
        rooms: [],
        certificates: undefined,
        notifications: [],
        clusters: [
          {
            cluster: 'water',
            objectives: { rpoSeconds: 900, rtoSeconds: 3600 },
            receiver: null,
            backups: { ...gone, value: undefined },
            wal: { ...gone, value: undefined },
            evidence: { ...gone, value: undefined },
            jobs: { ...gone, value: undefined },
            status: undefined,
            servers,
            availability: undefined,
          },
        ],
      }),
      evidenceHead: () => Promise.resolve(HEAD),
    });
  let notifier = make();
  const turn = async (minutes: number): Promise<number> => {
    clock.set(NOW + minutes * 60_000);
    await notifier.turn(never);
    return got.length;
  };
  assert.deepEqual([await turn(0), await turn(1)], [0, 1]);
  assert.deepEqual(notifier.counts(), [
    { channel: 'one', outcome: 'sent', count: 0 },
    { channel: 'one', outcome: 'failed', count: 1 },
  ]);
  // It was not taken, so it is due again.
  assert.deepEqual([await turn(2), await turn(3)], [2, 2]);
  notifier = make();
  assert.equal(await turn(4), 2);
  servers = { ...gone, part: 'servers', error: 'no answer' };
  assert.equal(await turn(5), 2);
  const figures = { inRecovery: false, timeline: 1, connections: 0, connectionsMax: 1, longestTransactionSeconds: 0 };
  const counts = { committed: 0, rolledBack: 0, blocksHit: 0, blocksRead: 0, deadlocks: 0 };
  servers = { ...gone, part: 'servers', value: [{ server: 'a', figures: { ...figures, ...counts }, problem: null }] };
  assert.equal(await turn(6), 3);
  const told = got.map(
    ({ body }) => JSON.parse(body) as { readonly wrong: readonly unknown[]; readonly mended: readonly unknown[] },
  );
  assert.deepEqual(
    told.map(({ wrong, mended }) => [wrong.length, mended.length]),
    [
      [1, 0],
      [1, 0],
      [0, 1],
    ],
  );
});
