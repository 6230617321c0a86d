// `npm run screenshots [-- MINUTES]`: builds the console and writes docs/screenshots/, each page as it is over a real service, in
// light and dark, and some on a phone.
//
// What is shown is made here in a few minutes: a cluster that is written to, backups, verifications and drills of it by schedule
// and by hand, one of which fails, a restore that is proven, and at the end a second cluster whose server is not there. Nothing on
// the pages is made up, so windows and trends are as short as those minutes.

import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeScene, openBrowser, openPage, type Scene, signIn } from '../packages/web/test/scene.ts';

const minutes = Number(process.argv[2] ?? '3');
const IN_DARK: ReadonlySet<string> = new Set(['overview', 'cluster', 'drills', 'storage']);
const BYTES_MAX = 150_000;
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 780 };
const folder = join(import.meta.dirname, '..', 'docs', 'screenshots');
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await using scene = await makeScene(
  {
    full: '*/10 * * * *',
    incremental: '* * * * *',
    verify_structure: '*/3 * * * *',
    drill: '*/3 * * * *',
    schema: 'never',
    anomalies: 'never',
    copy: 'never',
    verify_restore: 'never',
  },
  { isAlone: true, retention: { keep_count: 12, keep_daily: 7, point_in_time: '7d' } },
);
await using browser = await openBrowser();
const page = await openPage(browser, scene.url, [], { viewport: DESK, deviceScaleFactor: 1 });

await page.goto('/');
await page.getByLabel('Token').waitFor();
await shoot('sign-in');
await signIn(page, scene.token);
await fill(scene);

const pages = [
  ['overview', '/', 'can be recovered'],
  ['cluster', '/clusters/water', 'Against its objectives'],
  ['backups', '/backups', 'How backups go'],
  ['drills', '/drills', 'Promised and reached'],
  ['health', '/health', 'Database health'],
  ['storage', '/storage', 'Growth'],
  ['jobs', '/jobs', 'Jobs'],
  ['settings', '/settings', 'The service'],
  ['audit', '/audit', 'Audit'],
] as const;
for (const colorScheme of ['light', 'dark'] as const) {
  await page.emulateMedia({ colorScheme });
  for (const [name, path, heading] of pages) {
    if (colorScheme === 'dark' && !IN_DARK.has(name)) continue;
    await open(path, heading);
    await shoot(colorScheme === 'dark' ? `${name}-dark` : name);
  }
}
await page.emulateMedia({ colorScheme: 'light' });
await page.setViewportSize(PHONE);
for (const [name, path, heading] of pages.slice(0, 3)) {
  await open(path, heading);
  await shoot(`${name}-phone`);
}
await page.setViewportSize(DESK);
await open('/backups', 'How backups go');
await page.getByRole('table').getByRole('link', { name: /^full/ }).first().click();
await page.getByRole('heading', { name: 'What was proven of it' }).waitFor();
await shoot('backup');
await restore();

// Something that goes wrong: a table is gone that the drill wants, and a cluster that nobody can reach.
await scene.cluster.query('DROP TABLE alert');
// Beside the backup of each minute, not in the middle of one.
while (new Date().getSeconds() < 15 || new Date().getSeconds() > 35) await page.waitForTimeout(1000);
await open('/drills', 'Promised and reached');
await page.getByRole('button', { name: 'Hold the drill of water now' }).click();
await page.getByRole('heading', { name: 'Drill monthly failed' }).waitFor({ timeout: 120_000 });
await shoot('job-failed');
await page.getByRole('link', { name: 'checklist and checks' }).click();
await page.getByRole('heading', { name: 'Checklist' }).waitFor();
await shoot('drill');
await scene.configure({ isAlone: false });
await scene.kill();
await page.getByText('The connection to the service is lost.').waitFor();
await shoot('connection-lost');
await scene.start();
await page.getByText('The connection to the service is lost.').waitFor({ state: 'detached' });
await open('/', 'cannot be recovered');
await shoot('overview-problem');
await open('/clusters/power', 'There is no backup yet');
await shoot('cluster-without-backup');
await open('/findings', 'Alerts');
await page.getByRole('region', { name: 'Open alerts' }).waitFor();
await shoot('findings');

async function open(path: string, heading: string): Promise<void> {
  await page.goto(path);
  await page.getByRole('heading', { name: heading }).first().waitFor();
}

/** What is on the screen, as far down as a screen goes. */
async function shoot(name: string): Promise<void> {
  await page.locator('main h1, main h2').first().waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
  await page.waitForFunction(
    '[...document.images].every((image) => image.complete) && document.fonts.status === "loaded"',
  );
  const file = join(folder, `${name}.png`);
  await page.screenshot({ path: file, animations: 'disabled' });
  const { size } = await stat(file);
  console.log(`docs/screenshots/${name}.png  ${Math.round(size / 1000)} kB`);
  if (size > BYTES_MAX) throw new Error(`${name}.png has ${size} bytes, more than ${BYTES_MAX}`);
}

/** Something to see: rows that come all the time, backups and drills by schedule, a proof by restore. */
async function fill({ cluster, place }: Scene): Promise<void> {
  await cluster.query('CREATE TABLE alert (id int PRIMARY KEY, what text)');
  await cluster.query('INSERT INTO alert SELECT n, md5(n::text) FROM generate_series(1, 5000) n');
  await cluster.query('CREATE TABLE reading (at timestamptz, sensor int, value float8)');
  const drafted = await place.run(['--cluster', 'water', 'drill', 'init', 'monthly']);
  if (drafted.code !== 0) throw new Error(drafted.stderr);
  const until = Date.now() + minutes * 60_000;
  for (let turn = 0; Date.now() < until; turn++) {
    await cluster.query(
      `INSERT INTO reading SELECT now(), n % 2000, random() * 100 FROM generate_series(1, ${3000 + (turn % 7) * 900}) n`,
    );
    await page.waitForTimeout(2000);
  }
  await open('/clusters/water', 'Recovery window');
  await page.getByRole('button', { name: 'Verify by restore' }).click();
  await page.getByRole('heading', { name: /^Verified in/ }).waitFor({ timeout: 120_000 });
  await shoot('job');
}

async function restore(): Promise<void> {
  await open('/clusters/water', 'Recovery window');
  await page.getByRole('slider').focus();
  for (let step = 0; step < 3; step++) await page.keyboard.press('Shift+ArrowLeft');
  await shoot('cluster-picked');
  await page.getByRole('link', { name: /^Restore to this moment/ }).click();
  const into = join(scene.restores, 'water');
  await page.getByLabel('An empty folder on the machine of the service').fill(into);
  await page.getByLabel(/^Its port/).fill(String(scene.freePort));
  await shoot('restore-target');
  await page.getByRole('button', { name: 'Show the plan' }).click();
  await page.getByRole('heading', { name: 'The plan' }).waitFor({ timeout: 60_000 });
  await page.getByLabel(/^Type water/).fill('water');
  await shoot('restore-plan');
  await page.getByLabel(/^Type water/).press('Enter');
  await page.getByRole('heading', { name: /^Restored in/ }).waitFor({ timeout: 120_000 });
  await page.evaluate('scrollTo(0, 0)');
  await shoot('restore-measured');
  const [pid] = (await readFile(join(into, 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGINT');
}
