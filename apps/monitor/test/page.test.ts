// `npm run monitor`, and its page in a real Chromium: what an operator sees and does, by keyboard, through an outage, and
// that nothing stays when it is ended.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, chromium, type Page } from 'playwright-core';
import { until } from './place.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const WAIT_MS = 20_000;

interface Told {
  readonly url: string;
  readonly operator: string;
  readonly ingest: string;
}

suite('the page', { skip: CHROMIUM === undefined && 'there is no Chromium: apt-get install chromium' }, () => {
  let folder: string;
  let starter: ChildProcess;
  let told: Told;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'monitor-page-'));
    // The server's account passes through it.
    await chmod(folder, 0o755);
    const program = join(import.meta.dirname, '../../../tools/monitor.ts');
    starter = spawn(process.execPath, [program, '--port', '0', '--backfill', '3'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [ready, opened] = await Promise.all([
      whatItTells(starter),
      chromium.launch({ ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }), args: ['--no-sandbox'] }),
    ]);
    told = ready;
    browser = opened;
    page = await open(browser, complaints);
    await page.goto(`${told.url}/#token=${told.operator}`);
    await page.locator('#map svg .dot').first().waitFor();
  });
  after(async () => {
    await browser.close();
    if (starter.exitCode === null && starter.signalCode === null) {
      starter.kill('SIGINT');
      await once(starter, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  });

  test('shows the network, every sensor by its state, a chart, and keeps the token out of the address bar', async () => {
    assert.equal(await page.locator('#map .main').count(), 38);
    assert.equal(await page.locator('#map .site').count(), 39);
    assert.equal(await page.locator('#map .dot').count(), 122);
    assert.equal(await page.locator('#sensor-rows tr').count(), 122);
    assert.equal(new URL(page.url()).hash, '');
    await page.locator('#verdict[data-status="ok"]').waitFor();
    await page.locator('#chart canvas').waitFor();
    await page.locator('#filter').fill('kameelkop level');
    assert.deepEqual(await page.locator('#sensor-rows th').allTextContents(), ['L-RES1']);
    await page.locator('#filter').fill('');
  });

  test('is used by keyboard: arrow keys go over the map, Enter shows the sensors of a place, and ranges can be chosen', async () => {
    await page.locator('#filter').focus();
    const focused = (): Promise<string> =>
      page.evaluate<string>("document.activeElement?.getAttribute('aria-label') ?? ''");
    await page.locator('#map [tabindex="0"]').focus();
    const first = await focused();
    await page.keyboard.press('ArrowRight');
    const second = await focused();
    assert.notEqual(second, first);
    assert.match(second, /, (?:main|pump station|chamber|works|offtake|reservoir)(?:, .*)?, \d+ sensors?, /);
    assert.equal(await page.locator('#map [tabindex="0"]').count(), 1);
    await page.keyboard.press('Enter');
    const name = second.split(',')[0] ?? '';
    await page.locator('#detail-title', { hasText: name }).waitFor();
    await page.locator('#ranges button', { hasText: '1 h' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#ranges [aria-pressed="true"]', { hasText: '1 h' }).waitFor();
    await page.locator('#chart-summary b').first().waitFor();
  });

  test('an alert comes up by itself and is acknowledged by keyboard', async () => {
    const sensor = await page.locator('#sensor-rows tr', { hasText: 'C-A1' }).locator('button').getAttribute('data-id');
    const readings = [1, 2, 3].map((second) => ({
      sensor_id: Number(sensor),
      at: new Date(Date.now() + second).toISOString(),
      value: 0.05,
    }));
    const response = await fetch(new URL('/api/v1/readings', told.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${told.ingest}`, 'content-type': 'application/json' },
      body: JSON.stringify({ batch: 'page/1', readings }),
    });
    assert.equal(response.status, 200, await response.text());
    const button = page.getByRole('button', { name: /^Acknowledge: Free chlorine below the limit/ });
    await button.waitFor();
    await button.focus();
    await page.keyboard.press('Enter');
    await button.waitFor({ state: 'detached' });
    const list = await fetch(new URL('/api/v1/alerts?state=all', told.url), {
      headers: { authorization: `Bearer ${told.operator}` },
    });
    const { items } = (await list.json()) as { items: { rule: string; acknowledged_by: string | null }[] };
    const alert = items.find(({ rule }) => rule === 'chlorine-low');
    assert.equal(alert?.acknowledged_by, 'control-room');
  });

  test('nothing of it is out of reach for people with disabilities, in light and in dark', async () => {
    await page.locator('#filter').fill('kameelkop');
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await new AxeBuilder({ page }).analyze();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await new AxeBuilder({ page }).withRules(['color-contrast']).analyze();
    await page.locator('#filter').fill('');
    assert.deepEqual(
      [...light.violations, ...dark.violations].map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
      ),
      [],
    );
  });

  test('through an outage it keeps the last picture, says that it is old, and goes on by itself', async () => {
    starter.stdin?.write('outage\n');
    await page.locator('#banner:not([hidden])').waitFor();
    assert.match(
      (await page.locator('#banner').textContent()) ?? '',
      /^What you see is of \d\d:\d\d:\d\d\. Readings that come in are kept/,
    );
    assert.equal(await page.locator('#verdict').getAttribute('data-status'), 'down');
    assert.equal(await page.locator('#sensor-rows tr').count(), 122);
    starter.stdin?.write('recover\n');
    await page.locator('#verdict[data-status="ok"]').waitFor();
    await page.locator('#banner').waitFor({ state: 'hidden' });
  });

  test('whoever has no token is asked for one, and told when it is none', async () => {
    const other = await open(browser, []);
    await other.goto(told.url);
    await other.getByLabel('Token').fill('made-up');
    await other.keyboard.press('Enter');
    await other.locator('#sign-in-problem', { hasText: 'send a token that the service knows' }).waitFor();
    await other.getByLabel('Token').fill(told.operator);
    await other.keyboard.press('Enter');
    await other.locator('#map svg .dot').first().waitFor();
    await other.close();
  });

  test('nothing was complained of, but for what the outage refused', () => {
    assert.deepEqual(
      complaints.filter((line) => !/503 \(Service Unavailable\)/.test(line)),
      [],
    );
  });

  test('Ctrl-C ends all of it and leaves nothing', async () => {
    starter.kill('SIGINT');
    const [code] = (await once(starter, 'exit')) as [number | null];
    assert.equal(code, 0);
    const left = (await readdir(folder)).filter((name) => name.startsWith('water-monitor-'));
    assert.deepEqual(left, []);
    await until('the service is gone', async () => (await fetch(told.url).catch(() => undefined)) === undefined);
  });
});

async function open(browser: Browser, complaints: string[]): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return page;
}

/** Reads what the starter prints until it has told all. */
async function whatItTells(starter: ChildProcess): Promise<Told> {
  if (starter.stdout === null) throw new TypeError('the starter has no output');
  let url: string | undefined;
  const tokens = new Map<string, string>();
  for await (const line of createInterface({ input: starter.stdout })) {
    url ??= /^ +page +(http:[^#]+)\/#/.exec(line)?.[1];
    const [, role, token] = /\b(operator|read|ingest) ([\w-]{43})$/.exec(line) ?? [];
    if (role !== undefined && token !== undefined) tokens.set(role, token);
    const [operator, ingest] = [tokens.get('operator'), tokens.get('ingest')];
    if (url !== undefined && operator !== undefined && ingest !== undefined) {
      starter.stdout.resume();
      return { url, operator, ingest };
    }
  }
  throw new Error('the starter ended before it told where its page is');
}
