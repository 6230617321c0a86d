// A real service, scraped by a real Prometheus with the rules of deploy/prometheus, while its database and then its repository
// go away.
//
// The rules are those that are delivered, but for their patience (`for`), which is minutes: what an alert waits for is tested
// by promtool, whose clock is its own.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort } from '@spillway/lab';
import { makeStage, waitFor } from './stage.ts';

const stage = await makeStage();
after(async () => {
  await stage[Symbol.asyncDispose]();
});

interface Answer {
  readonly data: {
    readonly alerts?: readonly { readonly labels: Readonly<Record<string, string>>; readonly state: string }[];
    readonly activeTargets?: readonly { readonly health: string; readonly lastError: string }[];
    readonly result?: readonly { readonly value: readonly [number, string] }[];
  };
}

test('a fault shows in what Prometheus scrapes, and fires the alert of its page', async (t) => {
  const { place, cluster } = stage;
  const port = await freePort();
  await stage.configure({ service: { port, metrics: { interval: '1s', open: true } } });
  const backup = await place.run(['backup']);
  assert.equal(backup.code, 0, backup.stderr);
  const { child, ended } = place.start(['serve']);
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const metric = async (name: string): Promise<string | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    const text = await answer?.text();
    const line = text?.split('\n').find((each) => each.startsWith(`${name} `));
    return line?.slice(name.length + 1);
  };
  await waitFor(
    'the backup in the metrics',
    async () =>
      (await metric('spillway_backups{cluster="water",verification="none"}')) === '1' &&
      (await metric('spillway_collection_success{cluster="water",part="status"}')) === '1' &&
      (await metric('spillway_database_up{cluster="water"}')) === '1' &&
      (await metric('backup_storage_available_bytes{repository="repository"}')) !== undefined,
  );
  assert.equal(await metric('spillway_recoverable{cluster="water"}'), '1');
  assert.ok(
    Number(
      await metric(
        'spillway_server_connections{cluster="water",server="' +
          `${cluster.connection.host}:${cluster.connection.port}"}`,
      ),
    ) >= 1,
  );

  const rules = join(import.meta.dirname, '..', '..', '..', 'deploy', 'prometheus', 'spillway-rules.yaml');
  const text = await readFile(rules, 'utf8');
  await writeFile(join(place.folder, 'rules.yaml'), text.replaceAll(/^ +for: \d+[mh]\n/gm, ''));
  await writeFile(
    join(place.folder, 'prometheus.yaml'),
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'spillway', static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
    }),
  );
  const own = await freePort();
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(place.folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(place.folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${own}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const spawned = await Promise.race([
    once(prometheus, 'spawn').then(() => true),
    once(prometheus, 'error').then(() => false),
  ]);
  if (!spawned) {
    const missing = 'prometheus is not on this machine; Debian has it in the package prometheus';
    assert.ok(process.env['CI'] === undefined, missing);
    t.skip(missing);
    return;
  }
  t.after(async () => {
    prometheus.kill('SIGTERM');
    if (prometheus.exitCode === null) await once(prometheus, 'exit');
  });
  const asked = async (path: string): Promise<Answer['data'] | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${own}/api/v1/${path}`).catch(() => undefined);
    return answer?.ok === true ? ((await answer.json()) as Answer).data : undefined;
  };
  const firing = async (name: string): Promise<boolean> =>
    (await asked('alerts'))?.alerts?.some(({ labels, state }) => labels['alertname'] === name && state === 'firing') ??
    false;
  await waitFor('Prometheus to scrape', async () => {
    const target = (await asked('targets'))?.activeTargets?.[0];
    assert.ok(target?.health !== 'down', target?.lastError);
    return target?.health === 'up';
  });
  await waitFor('the watchdog', () => firing('Watchdog'));
  await waitFor('a sample', async () => ((await asked('query?query=spillway_database_up'))?.result?.length ?? 0) > 0);
  // Before the first scrape it is right to fire.
  await waitFor('the backups to be seen', async () => !(await firing('NoBackupMetric')));
  assert.equal(await firing('AvailabilityBurnFast'), false);
  const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  // Throws where it finds anything to say, as a name that is against the conventions.
  execFileSync('promtool', ['check', 'metrics'], { input: scraped, stdio: ['pipe', 'inherit', 'inherit'] });

  await cluster.stop();
  await waitFor('the outage to fire', () => firing('AvailabilityBurnFast'));
  assert.equal(await metric('spillway_database_up{cluster="water"}'), '0');
  // What the repository says is as true as before.
  assert.equal(await metric('spillway_recoverable{cluster="water"}'), '1');

  await cluster.start();
  await rename(join(place.folder, 'repository'), join(place.folder, 'away'));
  await waitFor(
    'the reading to fail',
    async () => (await metric('spillway_collection_success{cluster="water",part="status"}')) === '0',
  );
  assert.equal(await metric('spillway_rpo_seconds{cluster="water"}'), undefined);
  await waitFor('the repository to be missed', () => firing('NoBackupMetric'));
  assert.equal(await metric('spillway_recoverable{cluster="water"}'), undefined);
  await waitFor(
    'the database to be seen again',
    async () => (await metric('spillway_database_up{cluster="water"}')) === '1',
  );
  await rename(join(place.folder, 'away'), join(place.folder, 'repository'));
  await waitFor(
    'the reading to succeed',
    async () => (await metric('spillway_collection_success{cluster="water",part="status"}')) === '1',
  );
  await waitFor('the alert to end', async () => !(await firing('NoBackupMetric')));
});
