// Notifications against servers that are real: of HTTP, and one that speaks SMTP.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseConfiguration } from '@spillway/contract/schemas';
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

/** Answers with the statuses one after the other, then with 200. */
async function hook(t: TestContext, ...statuses: number[]): Promise<{ readonly url: string; readonly got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      got.push({ url: request.url ?? '', headers: request.headers, body });
      const status = statuses.shift() ?? 200;
      response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=1`, got };
}

/** As much of SMTP as a mail needs; `refusals` are the first answers to RCPT. */
async function mailServer(
  t: TestContext,
  ...refusals: string[]
): Promise<{ readonly port: number; readonly mails: string[] }> {
  const mails: string[] = [];
  const server = createTcpServer((socket) => {
    let [text, mail, isData] = ['', '', false];
    const say = (line: string): void => void socket.write(`${line}\r\n`);
    say('220 test');
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n'); end !== -1; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (isData) {
          if (line === '.') {
            isData = false;
            mails.push(mail);
            say('250 taken');
          } else mail += `${line}\n`;
        } else if (/^(?:EHLO|HELO)/.test(line)) say('250 test');
        else if (line.startsWith('RCPT')) say(refusals.shift() ?? '250 ok');
        else if (line === 'STARTTLS') say('502 not here');
        else if (line === 'DATA') {
          [isData, mail] = [true, ''];
          say('354 go on');
        } else if (line === 'QUIT') {
          say('221 bye');
          socket.end();
        } else say('250 ok');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, mails };
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
        assert.ok(!`${JSON.stringify(error)} ${error.message}`.includes('secret=1'));
        return true;
      },
    );
    assert.equal(got.length, tries);
  }
});

test('a mail is one mail, whatever its lines hold; a server that is busy is asked again, one that refuses is not', async (t) => {
  const settings = { kind: 'email', host: '127.0.0.1', plain: true, from: 'a@example.org', to: ['b@example.org'] };
  const { port, mails } = await mailServer(t, '450 later');
  await deliver(channel({ ...settings, port }, ''), letter, atOnce, never);
  assert.equal(mails.length, 1);
  assert.match(mails[0] ?? '', /Subject: \[spillway\] water: critical: RpoBroken/);
  const text = (mails[0] ?? '').replaceAll('=\n', '').replaceAll('=3D', '=');
  assert.ok(text.includes('CRITICAL RpoBroken: line one'));
  assert.ok(text.includes(HEAD));
  const refusing = await mailServer(t, '550 nobody', '550 nobody', '550 nobody');
  await assert.rejects(deliver(channel({ ...settings, port: refusing.port }, ''), letter, atOnce, never), {
    code: 'SPW_NOTIFY_FAILED',
  });
  // Without `plain`, a server that offers no TLS gets no mail.
  const bare = await mailServer(t);
  const strict = channel({ ...settings, plain: false, port: bare.port }, '');
  await assert.rejects(deliver(strict, letter, atOnce, never), { code: 'SPW_NOTIFY_FAILED' });
  assert.equal(bare.mails.length, 0);
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
      database,
      clock,
      log: quiet,
      facts: () => ({
        version: '1',
        now: NOW,
        places: undefined,
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
