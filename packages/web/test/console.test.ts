// The console in a real Chromium over a real service, cluster and repository: from the first start to the first backup, a moment
// picked and restored, a drill that fails, a job that fails, a service that is killed; by keyboard, held to its policy for content,
// and without a barrier that axe knows.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import axe from 'axe-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { buildConsole, WEB } from '../../../tools/console/build.ts';
import { CHROMIUM, FIRST_BACKUP_ALONE, makeScene, openBrowser, openPage, type Scene } from './scene.ts';

/** What the browser says of the script and the picture that its policy stops. */
const PROBES = /elsewhere\.example|inline script|script-src/;

suite('the console', { skip: CHROMIUM === undefined && 'there is no Chromium: apt-get install chromium' }, () => {
  let scene: Scene;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const menu = (): Locator => page.getByRole('navigation', { name: 'Pages' });
  const open = (name: string): Promise<void> => menu().getByRole('link', { name }).click();
  const paths: string[] = ['/', '/clusters/water', '/clusters/power', '/clusters/water/restore'];
  const rememberPath = (): void => void paths.push(new URL(page.url()).pathname);

  before(async () => {
    // The release that npm test makes has the console in it.
    if (process.env['PROGRAM_UNDER_TEST'] === undefined) await buildConsole(join(WEB, 'dist'));
    [scene, browser] = await Promise.all([makeScene(FIRST_BACKUP_ALONE()), openBrowser()]);
    page = await openPage(browser, scene.url, complaints);
  });
  after(async () => {
    await browser?.close();
    await scene?.[Symbol.asyncDispose]();
  });

  test('asks for a token, refuses a wrong one, and opens with one sentence; the first backup comes by itself', async () => {
    await page.goto('/jobs');
    await page.getByLabel('Token').fill('spw_00000000_made-up');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'the service knows no such token' }).waitFor();
    assert.equal(await page.getByLabel('Token').inputValue(), 'spw_00000000_made-up', 'what was typed stays');
    await page.getByLabel('Token').fill(scene.token);
    await page.keyboard.press('Enter');
    // Whoever signs in is where he wanted to go.
    await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'Full backup' }).waitFor();
    await open('Overview');
    await page.getByRole('heading', { name: '1 of 2 clusters cannot be recovered' }).waitFor();
    const cards = page.getByRole('list', { name: 'Clusters' }).getByRole('heading');
    assert.deepEqual(await cards.allTextContents(), ['power', 'water']);
    const water = page.locator('.cluster-card', { hasText: 'water' });
    await water.getByRole('link', { name: 'Full backup' }).waitFor();
    await water.getByText('succeeded').waitFor();
    await water.locator('.meter', { hasText: 'RPO' }).getByText('of 5 min').waitFor();
    assert.match(
      (await water.getByRole('img').getAttribute('aria-label')) ?? '',
      /^30 days: 1 good, 29 without a job$/,
    );
    assert.match((await water.locator('time').first().getAttribute('title')) ?? '', /UTC/);
    const figures = await page.locator('.verdict .tile-figure').allTextContents();
    assert.deepEqual(figures.slice(0, 2), ['1 of 2', 'no moment'], 'a lost cluster is not hidden by a good one');
  });

  test('a drill that fails is seen: begun on its page, told why, among the findings, with its record', async () => {
    await mkdir(join(scene.place.folder, 'drills'));
    await writeFile(
      join(scene.place.folder, 'drills', 'monthly.yaml'),
      'name: monthly\ndatabase: postgres\nchecks:\n  - sql: SELECT count(*) FROM sensor\n    equals: 5\n',
    );
    await open('Drills');
    await page.getByRole('heading', { name: 'No drill has been run yet' }).waitFor();
    await page.getByRole('button', { name: 'Hold the drill of water now' }).click();
    await page.getByRole('heading', { name: /^Drill monthly of water/ }).waitFor();
    rememberPath();
    await page.getByRole('heading', { name: 'Drill monthly failed' }).waitFor();
    assert.match((await page.getByRole('alert').textContent()) ?? '', /did not pass.*expected 5.*SPW_NOT_PASSED/s);
    await page.getByRole('link', { name: 'checklist and checks' }).click();
    await page.getByRole('row', { name: /SELECT count.*failed.*5.*2000/ }).waitFor();
    rememberPath();
    await open('Findings');
    await page.getByRole('list', { name: 'Findings' }).getByText('Drill at level restore failed').waitFor();
    await open('Drills');
    await page
      .getByRole('region', { name: 'Table of drills' })
      .getByRole('row', { name: /monthly water failed/ })
      .waitFor();
  });

  test('a job that fails is seen as it fails: why, the code, and what to do', async () => {
    await go('/clusters/power');
    await page.getByRole('heading', { name: 'There is no backup yet' }).waitFor();
    await page.getByRole('button', { name: 'Full backup' }).click();
    await page.getByRole('heading', { name: /^Full backup of power failed/ }).waitFor();
    assert.match((await page.getByRole('alert').textContent()) ?? '', /SPW_[A-Z_]+/);
    rememberPath();
    await open('Findings');
    await page.getByRole('list', { name: 'Findings' }).getByText('There is no backup yet').first().waitFor();
  });

  test('a moment is picked by keyboard, planned, confirmed by name and restored, live to its end', async () => {
    await go('/clusters/water');
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('heading', { name: /^Backed up in/ }).waitFor();
    await go('/clusters/water');
    const slider = page.getByRole('slider', { name: 'Moment to restore to' });
    await slider.focus();
    const newest = await slider.getAttribute('aria-valuenow');
    await page.keyboard.press('Home');
    const oldest = await slider.getAttribute('aria-valuenow');
    await page.keyboard.press('Shift+ArrowRight');
    const picked = Number(await slider.getAttribute('aria-valuenow'));
    assert.ok(Number(oldest) < picked && picked < Number(newest), `${oldest} ${picked} ${newest}`);
    await page.getByText('can be restored').waitFor();
    await page.getByText(/^From the full backup/).waitFor();
    await page.getByRole('link', { name: /^Restore to this moment/ }).click();
    assert.equal(await page.getByRole('radio', { name: 'a moment' }).isChecked(), true);

    const folder = page.getByLabel('An empty folder on the machine of the service');
    await folder.fill('/etc/elsewhere');
    await page.getByLabel(/^start the server there/).uncheck();
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByRole('alert').filter({ hasText: 'service.file_directories' }).waitFor();
    await folder.fill(join(scene.restores, 'water'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The plan' }).waitFor();
    assert.equal(existsSync(join(scene.restores, 'water')), false, 'a plan writes nothing');
    const restore = page.getByRole('button', { name: 'Restore', exact: true });
    await page.getByLabel(/^Type water/).fill('power');
    assert.equal(await restore.isDisabled(), true);
    await page.getByLabel(/^Type water/).fill('water');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Restored in/ }).waitFor();
    assert.ok(existsSync(join(scene.restores, 'water', 'PG_VERSION')));
    assert.match(page.url(), /[?]job=/);
    await page.reload();
    await page.getByRole('heading', { name: /^Restored in/ }).waitFor();
  });

  test('a service that is killed is told as lost, what was seen stays, and all goes on by itself', async () => {
    await open('Overview');
    await page.locator('.cluster-card').nth(1).waitFor();
    await scene.kill();
    await page.getByText('The connection to the service is lost.').waitFor();
    assert.equal(await page.locator('.cluster-card').count(), 2);
    await scene.start();
    await page.getByText('The connection to the service is lost.').waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: '1 of 2 clusters cannot be recovered' }).waitFor();
  });

  test('what is wrong with the file as it is now, and what a start would change, is told in its place', async () => {
    const file = join(scene.place.folder, 'spillway.yaml');
    const sound = await readFile(file, 'utf8');
    const told = (words: string): Promise<void> => page.locator('.banner', { hasText: words }).waitFor();
    await writeFile(file, sound.replace('"rpo":"5min"', '"rpo":"7 minutes or so"'));
    await open('Settings');
    await told('The file cannot be used as it is now.');
    const row = page.getByRole('row', { name: 'objectives.rpo' });
    await row
      .locator('.note.bad', { hasText: /spillway\.yaml:\d+:\d+ clusters\.\w+\.objectives\.rpo/ })
      .first()
      .waitFor();
    await writeFile(file, sound.replace('"rpo":"5min"', '"rpo":"7min"'));
    await page.reload();
    await told('from what the service runs with.');
    await row.first().getByText('the file says 7min now').waitFor();
    await writeFile(file, sound);
    await page.reload();
    await row.first().waitFor();
    await page.waitForLoadState('networkidle');
    assert.equal(await row.first().getByText('the file says').count(), 0);
  });

  test('all of it is reached by keyboard alone: past the menu, to a cluster, to a job that is begun there', async () => {
    await page.goto('/');
    await page.locator('.cluster-card').nth(1).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo('water');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'water', level: 1 }).waitFor();
    await tabTo('Back up now');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Incremental backup of water/ }).waitFor();
  });

  test('no page has a barrier that axe knows, in light or dark, and none is wider than a phone', async () => {
    const { backups } = await ask<{ backups: { id: string }[] }>('/clusters/water/backups');
    paths.push(
      `/clusters/water/backups/${backups[0]?.id}`,
      '/backups',
      '/jobs',
      '/drills',
      '/health',
      '/findings',
      '/storage',
      '/settings',
      '/audit',
      '/nowhere',
    );
    await page.evaluate(axe.source);
    const found: string[] = [];
    for (const path of paths) {
      await go(path);
      if (path === '/health') await page.getByText('Statements that took most time').waitFor();
      const known = await violations(path, 'light', {});
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await violations(path, 'dark', { runOnly: ['color-contrast'] });
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize({ width: 360, height: 740 });
      // A chart takes its new width some frames after its page has.
      let wide = 0;
      for (let frame = 0; frame < 100; frame++) {
        wide = await page.evaluate<number>(
          'new Promise((resolve) => requestAnimationFrame(() => resolve(document.documentElement.scrollWidth)))',
        );
        if (wide <= 360) break;
      }
      await page.setViewportSize({ width: 1360, height: 900 });
      found.push(...known, ...dark, ...(wide > 360 ? [`${path} is ${wide} wide on a phone`] : []));
    }
    assert.deepEqual(found, []);
  });

  test('the policy for content is strict, and holds: nothing inline is run, nobody else is asked', async () => {
    // What is tried here is complained of, sooner or later; nothing of the kind may have been before.
    assert.deepEqual(
      complaints.filter((line) => PROBES.test(line)),
      [],
    );
    const answer = await page.request.get('/');
    const policy = answer.headers()['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'self'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    const stopped = await page.evaluate<readonly string[]>(`new Promise((resolve) => {
      const stopped = [];
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        stopped.push(effectiveDirective);
        if (stopped.length === 2) resolve(stopped.toSorted());
      });
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.head.append(script);
      const picture = new Image();
      picture.src = 'https://elsewhere.example/picture.png';
    })`);
    assert.deepEqual(stopped, ['img-src', 'script-src-elem']);
    assert.notEqual(await page.title(), 'run');
  });

  test('whoever signs out sees nothing more, and others sign in afresh, also by a link that keeps no token', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.evaluate(axe.source);
    assert.deepEqual(await violations('signing in', 'light', {}), []);
    await page.goto('/backups');
    await page.getByLabel('Token').waitFor();
    assert.equal(await page.locator('table').count(), 0);
    await page.goto(`/storage#token=${scene.token}`);
    await page.getByRole('heading', { name: 'Storage', level: 1 }).waitFor();
    assert.equal(page.url(), `${scene.url}/storage`);
  });

  test('nothing was complained of but what was refused on purpose, and nobody else was asked', () => {
    assert.deepEqual(
      complaints.filter(
        (line) =>
          !PROBES.test(line) &&
          !/status of (?:401|403|404|409)|ERR_(?:CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/.test(
            line,
          ),
      ),
      [],
    );
  });

  const ask = <Document>(path: string): Promise<Document> =>
    page.evaluate<Document>(`fetch('/api/v1${path}').then((answer) => answer.json())`);

  /** As a link of the console goes: without loading the page anew. */
  async function go(path: string): Promise<void> {
    await page.evaluate(`history.pushState(null, '', ${JSON.stringify(path)})`);
    await page.locator('main h1, main h2').first().waitFor();
    await page.locator('.loading').first().waitFor({ state: 'detached' });
  }

  const focused = (): Promise<string> => page.evaluate<string>('document.activeElement?.textContent ?? ""');

  async function tabTo(name: string): Promise<void> {
    for (let pressed = 0; pressed < 60; pressed++) {
      await page.keyboard.press('Tab');
      if ((await focused()) === name) return;
    }
    assert.fail(`${name} is not reached by Tab`);
  }

  async function violations(path: string, colours: string, options: object): Promise<readonly string[]> {
    const found = await page.evaluate<readonly { id: string; nodes: { html: string }[] }[]>(
      `axe.run(${JSON.stringify({ ...options, resultTypes: ['violations'] })}).then((found) => found.violations)`,
    );
    return found.map(
      ({ id, nodes }) => `${path} ${id} in ${colours}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
    );
  }
});
