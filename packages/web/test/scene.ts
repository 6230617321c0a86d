// What the console is looked at over: a PostgreSQL that works, one that is not there, a repository, and the real service as a
// process of its own that can be killed and started again at the same address.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, startCluster, type LabCluster } from '@spillway/lab';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { makeWorkplace, type Workplace } from '../../cli/test/spawned.ts';

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const PASSPHRASE = 'the passphrase of the tests of the console';
const WAIT_MS = 30_000;

export interface Scene extends AsyncDisposable {
  readonly place: Workplace;
  readonly cluster: LabCluster;
  readonly url: string;
  readonly token: string;
  /** Below it the service may restore. */
  readonly restores: string;
  /** Where a restored server may listen. */
  readonly freePort: number;
  /** For the next start. */
  readonly configure: (of: Shape) => Promise<void>;
  readonly start: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

export interface Shape {
  /** Without the cluster that nobody reaches. */
  readonly isAlone?: boolean;
  readonly retention?: object;
}

/** Nothing by itself but the first backup, which comes at once. */
export const FIRST_BACKUP_ALONE = (): object => ({ ...NEVER, full: 'daily' });

const NEVER = Object.fromEntries(
  [
    'full',
    'incremental',
    'schema',
    'verify_structure',
    'verify_data',
    'verify_restore',
    'drill',
    'anomalies',
    'expire',
    'copy',
  ].map((kind) => [kind, 'never']),
);

/** `schedules` of the cluster that works, over those by default. */
export async function makeScene(schedules: object = {}, shape: Shape = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster({
    walSegmentMegabytes: 1,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  stack.defer(() => cluster.destroy());
  await cluster.query('CREATE EXTENSION pg_stat_statements');
  // Before the first backup, so that each has it.
  await cluster.query('CREATE TABLE sensor (id int PRIMARY KEY, name text)');
  await cluster.query('INSERT INTO sensor SELECT n, md5(n::text) FROM generate_series(1, 2000) n');
  const { host, port, user, password } = cluster.connection;
  const place = stack.use(await makeWorkplace({ passphrase: PASSPHRASE, password }));
  const restores = join(place.folder, 'restores');
  await mkdir(restores);
  // A server that root restores is run by an account of its own, which must get there.
  await chmod(place.folder, 0o711);
  const connection = { host, port, user, password: { file: 'password' } };
  const configure = (at: number, { isAlone = false, retention }: Shape): Promise<void> =>
    writeFile(
      join(place.folder, 'spillway.yaml'),
      // JSON is YAML.
      JSON.stringify({
        repository: { path: 'repository', passphrase: { file: 'passphrase' } },
        clusters: {
          water: {
            connection,
            bin_directory: cluster.installation.binDirectory,
            backup: { workers: 1, compression_level: 1 },
            objectives: { rpo: '5min', rto: '15min' },
            ...(retention === undefined ? {} : { retention }),
            schedules: { time_zone: 'UTC', ...schedules },
          },
          // Nobody listens there.
          ...(isAlone
            ? {}
            : { power: { connection: { ...connection, port: 1 }, schedules: { ...NEVER, receive: false } } }),
        },
        service: {
          port: at,
          state_directory: 'state',
          file_directories: [restores],
          requests_per_minute: 100_000,
          metrics: { interval: '10s' },
        },
      }),
    );
  await configure(0, shape);
  const init = await place.run(['init']);
  assert.equal(init.code, 0, init.stderr);
  await lightenPassphrase(place.folder);

  let running: {
    readonly child: { readonly kill: (signal: NodeJS.Signals) => boolean };
    readonly ended: Promise<unknown>;
  };
  const start = async (): Promise<string> => {
    const service = place.start(['serve']);
    running = service;
    let said = '';
    return new Promise<string>((resolve, reject) => {
      service.child.stderr.on('data', (text: string) => {
        said += text;
        const [, found] = /"url":"(http:[^"]+)"/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      void service.ended.then(({ code }) => reject(new Error(`the service ended with ${code}: ${said}`)));
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    running.child.kill(signal);
    await running.ended;
  };
  stack.defer(() => end('SIGTERM'));
  const url = await start();
  const at = Number(new URL(url).port);
  await configure(at, shape);
  const restoredPort = await freePort();
  const token = (await readFile(join(place.folder, 'state', 'first-token'), 'utf8')).trim();
  const kept = stack.move();
  return {
    place,
    cluster,
    url,
    token,
    restores,
    freePort: restoredPort,
    configure: (of) => configure(at, { ...shape, ...of }),
    start: async () => void (await start()),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }), args: ['--no-sandbox'] });

/** A page that tells what it complains of, and whom it asks beside the service. */
export async function openPage(
  browser: Browser,
  url: string,
  complaints: string[],
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, baseURL: url, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asks ${request.url()}`);
  });
  return page;
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.goto('/');
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}
