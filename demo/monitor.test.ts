// The protected system through a disaster: its database is lost and restored by Spillway on another port, and those who
// send it readings are answered the whole time. What it took in meanwhile is in the restored database, and the epoch that
// it will accept from then on is that of the restored one.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { RestoreDocument } from '@spillway/contract';
import { adoptCluster, destroyDataDirectory, freePort, type LabCluster } from '@spillway/lab';
import { finished, listening, makeDatabase, makeTokens, networkOf, node, stop } from '../tools/monitor/processes.ts';
import { CLUSTER_NAME, makeSetting, restoreWords, untilDurable, untilStreaming } from './setting.ts';
import { RunningCommand, spillway } from './spillway.ts';

const WAIT_MS = 60_000;
const SENSORS = 10;

interface Health {
  readonly status: string;
  readonly database: { readonly state: string; readonly epoch: { readonly timeline: number } | null };
  readonly ingest: { readonly mode: string };
  readonly spool: { readonly batches: number; readonly quarantined: number };
}

test('the monitor loses nothing it took in while its database was gone, and goes on with the restored one', async () => {
  await using stack = new AsyncDisposableStack();
  const { signal } = new AbortController();
  const { folder, primary, config } = await makeSetting(stack, { keep: false, storage: 'folder' }, signal);
  const environment = { ...(await makeDatabase(primary, folder)), MONITOR_PORT: '0', MONITOR_LOG_LEVEL: 'silent' };
  const tokens = await makeTokens(folder);
  const network = join(folder, 'network.json');
  await writeFile(network, JSON.stringify(networkOf(SENSORS)));
  await finished(node(['main.ts', 'load', network], environment, ['ignore', 'ignore', 'inherit']));
  const service = node(['main.ts', 'serve'], environment, ['ignore', 'pipe', 'inherit']);
  stack.defer(() => stop(service));
  const url = await listening(service, process.stderr);

  const acknowledged = { database: [] as string[], spool: [] as string[] };
  let number = 0;
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += 1) {
      number += 1;
      const at = new Date(Date.now() - 3_600_000 + number * 1000).toISOString();
      const readings = Array.from({ length: SENSORS }, (_, index) => ({ sensor_id: index + 1, at, value: 800 }));
      const response = await fetch(`${url}/api/v1/readings`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.ingest}`, 'content-type': 'application/json' },
        body: JSON.stringify({ batch: `drill/${number}`, readings }),
      });
      assert.equal(response.status, 200, await response.clone().text());
      const { stored } = (await response.json()) as { stored: 'database' | 'spool' };
      acknowledged[stored].push(`drill/${number}`);
    }
  };

  await spillway<object>(config, ['init'], signal);
  const receiver = stack.use(new RunningCommand(config, ['--cluster', CLUSTER_NAME, 'wal', 'receive']));
  await untilStreaming(primary, receiver, signal);
  await untilHealth(url, ({ status }) => status === 'ok');
  await send(20);
  await spillway<object>(config, ['--cluster', CLUSTER_NAME, 'backup', '--type', 'full'], signal);
  await send(20);
  // Everything so far is in the repository: what is lost then is lost by the monitor.
  await untilDurable(primary, receiver, signal);

  await destroyDataDirectory(primary);
  await send(20);
  const down = await untilHealth(url, ({ status }) => status === 'down');
  assert.ok(down.spool.batches > 0);
  await receiver.stop();
  const { document } = await spillway<RestoreDocument>(
    config,
    restoreWords(join(folder, 'restored'), await freePort()),
    signal,
  );
  await send(5);
  const restored = await adopt(document, primary);
  stack.use(restored);
  const urlFile = join(folder, 'database-url');
  const there = new URL((await readFile(urlFile, 'utf8')).trim());
  there.port = String(restored.port);
  await writeFile(urlFile, there.href);

  const up = await untilHealth(url, ({ status, spool }) => status === 'ok' && spool.batches === 0);
  assert.deepEqual([up.database.epoch?.timeline, up.spool.quarantined], [2, 0]);
  await send(5);
  const rows = await restored.query<{ batch: string }>('SELECT batch FROM ingest_batch', [], 'water');
  const found = new Set(rows.map(({ batch }) => batch));
  assert.deepEqual(
    [...acknowledged.database, ...acknowledged.spool].filter((key) => !found.has(key)),
    [],
  );
  assert.equal(found.size, number);
  assert.ok(acknowledged.spool.length >= 20 && acknowledged.database.length >= 45);
});

async function adopt(document: RestoreDocument, primary: LabCluster): Promise<LabCluster> {
  assert.ok(document.recovery !== null);
  return adoptCluster({
    dataDirectory: document.restore.directory,
    binDirectory: primary.installation.binDirectory,
    port: document.recovery.port,
    password: primary.password,
  });
}

async function untilHealth(url: string, is: (health: Health) => boolean): Promise<Health> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const health = (await (await fetch(`${url}/api/v1/monitoring/health`)).json()) as Health;
    if (is(health)) return health;
    if (performance.now() > deadline) throw new Error(`the monitor did not get so far: ${JSON.stringify(health)}`);
    await pause(20);
  }
}
