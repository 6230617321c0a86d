// `npm run screenshots`: builds the console and writes docs/screenshots/, each page as it is over a real service, light and dark, and
// some on a phone.
//
// What is shown is made here in a minute: a cluster with data, a backup or three, a drill, a restore that is proven, and a second
// cluster whose server is not there. Nothing on the pages is made up, so the windows and trends are as short as that minute.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { makeScene, openBrowser, openPage, type Scene, signIn } from '../packages/web/test/scene.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'screenshots');
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await using scene = await makeScene({ verify_structure: 'never' });
await using browser = await openBrowser();
const page = await openPage(browser, scene.url, [], { viewport: { width: 1360, height: 860 }, deviceScaleFactor: 1 });

await page.goto('/');
await page.getByLabel('Token').waitFor();
await shoot(page, 'sign-in');
await signIn(page, scene.token);
await fill(page, scene);

for (const [name, path, heading] of [
  ['overview', '/', 'clusters cannot be recovered'],
  ['cluster', '/clusters/water', 'Against its objectives'],
  ['cluster-without-backup', '/clusters/power', 'There is no backup yet'],
  ['backups', '/backups', 'Backups'],
  ['jobs', '/jobs', 'Jobs'],
  ['drills', '/drills', 'Signed records'],
  ['findings', '/findings', 'Findings'],
  ['storage', '/storage', 'By cluster'],
  ['settings', '/settings', 'The service'],
  ['audit', '/audit', 'Audit'],
] as const) {
  await page.goto(path);
  await page.getByRole('heading', { name: heading }).first().waitFor();
  await shoot(page, name);
}
await page.goto('/backups');
await page.getByRole('table').getByRole('link', { name: /^full/ }).first().click();
await page.getByRole('heading', { name: 'What was proven of it' }).waitFor();
await shoot(page, 'backup');
await page.goto('/drills');
const drill = page.getByRole('region', { name: 'Table of drills' }).getByRole('link').first();
if ((await drill.count()) > 0) {
  await drill.click();
  await page.getByRole('heading', { name: 'Checklist' }).waitFor();
  await shoot(page, 'drill');
}
await page.goto('/jobs');
await page
  .getByRole('table')
  .getByRole('row', { name: /power.*failed/ })
  .getByRole('link')
  .first()
  .click();
await page.getByRole('heading', { name: /failed$/ }).waitFor();
await shoot(page, 'job-failed');
await restore(page, scene);

await page.emulateMedia({ colorScheme: 'dark' });
for (const [name, path] of [
  ['overview-dark', '/'],
  ['cluster-dark', '/clusters/water'],
] as const) {
  await page.goto(path);
  await shoot(page, name);
}
await page.emulateMedia({ colorScheme: 'light' });
await page.setViewportSize({ width: 390, height: 844 });
for (const [name, path] of [
  ['overview-phone', '/'],
  ['cluster-phone', '/clusters/water'],
] as const) {
  await page.goto(path);
  await shoot(page, name);
}
await page.setViewportSize({ width: 1360, height: 860 });
await page.goto('/');
await scene.kill();
await page.getByText('The connection to the service is lost.').waitFor();
await shoot(page, 'connection-lost');
// For the end in peace.
await scene.start();

async function shoot(of: Page, name: string): Promise<void> {
  await of.locator('main h1, main h2').first().waitFor();
  await of.locator('.loading').first().waitFor({ state: 'detached' });
  await of.screenshot({ path: join(folder, `${name}.png`), fullPage: true, animations: 'disabled' });
  console.log(`docs/screenshots/${name}.png`);
}

/** Something to see: rows, backups, a proof by restore, a drill, and a job that fails. */
async function fill(of: Page, { cluster, place }: Scene): Promise<void> {
  await of
    .getByRole('img', { name: /1 good/ })
    .first()
    .waitFor();
  const rows = (table: string, count: number): Promise<unknown> =>
    cluster.query(`CREATE TABLE ${table} AS SELECT n AS id, md5(n::text) AS value FROM generate_series(1, ${count}) n`);
  await rows('reading', 200_000);
  await run('/clusters/water', 'Back up now', /^Backed up in/);
  await rows('alert', 20_000);
  await run('/clusters/water', 'Back up now', /^Backed up in/);
  await run('/clusters/water', 'Verify by restore', /^Verified in|verification of restore of water/);
  await run('/clusters/power', 'Full backup', /failed$/);
  for (const words of [
    ['drill', 'init', 'monthly'],
    ['drill', 'run', 'monthly'],
  ]) {
    const { code, stderr } = await place.run(['--cluster', 'water', ...words]);
    if (code !== 0) console.log(`spillway ${words.join(' ')} ended with ${code}: ${stderr.trim().split('\n').at(-1)}`);
  }

  async function run(path: string, button: string, heading: RegExp): Promise<void> {
    await of.goto(path);
    await of.getByRole('button', { name: button }).click();
    await of.getByRole('heading', { name: heading }).waitFor({ timeout: 120_000 });
  }
}

async function restore(of: Page, { restores }: Scene): Promise<void> {
  await of.goto('/clusters/water');
  await of.getByRole('slider').focus();
  await of.keyboard.press('Shift+ArrowLeft');
  await shoot(of, 'cluster-picked');
  await of.getByRole('link', { name: /^Restore to this moment/ }).click();
  await of.getByLabel('An empty folder on the machine of the service').fill(join(restores, 'water'));
  await of.getByLabel(/^start the server there/).uncheck();
  await of.getByRole('button', { name: 'Show the plan' }).click();
  await of.getByRole('heading', { name: 'The plan' }).waitFor();
  await of.getByLabel(/^Type water/).fill('water');
  await shoot(of, 'restore-plan');
  await of.keyboard.press('Enter');
  await of.getByRole('heading', { name: /^Restored in/ }).waitFor();
  await shoot(of, 'restore-measured');
}
