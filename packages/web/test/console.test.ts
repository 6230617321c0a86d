// The console in a real Chromium over a real service, cluster and repository: from the first start to the first backup, a moment
// picked and restored, a job that fails, a service that is killed; by keyboard, and without a barrier that axe knows.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { buildConsole, WEB } from '../../../tools/console/build.ts';
import { CHROMIUM, FIRST_BACKUP_ALONE, makeScene, openBrowser, openPage, type Scene } from './scene.ts';

suite('the console', { skip: CHROMIUM === undefined && 'there is no Chromium: apt-get install chromium' }, () => {
  let scene: Scene;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const open = (name: string): Promise<void> =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
  const pages: string[] = ['/', '/clusters/water', '/clusters/power', '/clusters/water/restore'];

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
  });

  test('a job that fails is seen as it fails: why, the code, and what to do', async () => {
    await page.goto('/clusters/power');
    await page.getByRole('heading', { name: 'There is no backup yet' }).waitFor();
    await page.getByRole('button', { name: 'Full backup' }).click();
    await page.getByRole('heading', { name: /^Full backup of power failed/ }).waitFor();
    const alert = page.getByRole('alert');
    assert.match((await alert.textContent()) ?? '', /SPW_[A-Z_]+/);
    pages.push(new URL(page.url()).pathname);
    await open('Findings');
    await page.getByRole('list', { name: 'Findings' }).getByText('There is no backup yet').first().waitFor();
  });

  test('a moment is picked by keyboard, planned, confirmed by name and restored, live to its end', async () => {
    await scene.cluster.query('CREATE TABLE reading AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n');
    await page.goto('/clusters/water');
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('heading', { name: /^Backed up in/ }).waitFor();
    pages.push(new URL(page.url()).pathname);
    await page.goto('/clusters/water');
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
    await page.getByRole('heading', { name: '1 of 2 clusters cannot be recovered' }).waitFor();
    await scene.kill();
    await page.getByText('The connection to the service is lost.').waitFor();
    assert.equal(await page.locator('.cluster-card').count(), 2);
    await scene.start();
    await page.getByText('The connection to the service is lost.').waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: '1 of 2 clusters cannot be recovered' }).waitFor();
  });

  test('no page has a barrier that axe knows, in light or dark, and none is wider than a phone', async () => {
    const { backups } = (await page.evaluate(
      "fetch('/api/v1/clusters/water/backups').then((answer) => answer.json())",
    )) as { backups: { id: string }[] };
    const { records } = (await page.evaluate(
      "fetch('/api/v1/clusters/water/evidence').then((answer) => answer.json())",
    )) as { records: { id: string }[] };
    pages.push(
      `/clusters/water/backups/${backups[0]?.id}`,
      `/clusters/water/evidence/${records[0]?.id}`,
      ...['/backups', '/jobs', '/drills', '/findings', '/storage', '/settings', '/audit', '/nowhere'],
    );
    const found: string[] = [];
    for (const path of pages) {
      await page.goto(path);
      await page.locator('main h1, main h2').first().waitFor();
      await page.locator('.loading').first().waitFor({ state: 'detached' });
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await new AxeBuilder({ page }).analyze();
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await new AxeBuilder({ page }).withRules(['color-contrast']).analyze();
      await page.setViewportSize({ width: 360, height: 740 });
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      await page.setViewportSize({ width: 1360, height: 900 });
      if (wide > 360) found.push(`${path} is ${wide} wide on a phone`);
      for (const { id, nodes } of [...light.violations, ...dark.violations]) {
        found.push(`${path} ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
      }
    }
    assert.deepEqual(found, []);
  });

  test('whoever signs out sees nothing more, and others sign in afresh, also by a link that keeps no token', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
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
          !/status of (?:401|403|404|409)|ERR_(?:CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/.test(
            line,
          ),
      ),
      [],
    );
  });
});
