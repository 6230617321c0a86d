// The writers against a real server: they survive its end, and a commit taken from under them is counted as lost.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { momentNow, startCluster } from '@spillway/lab';
import { commitKey, Ledger, SOURCE } from './ledger.ts';
import { loadNetwork } from './load.ts';
import { makeNetwork } from './network.ts';
import { scales } from './scale.ts';
import { DATABASE, water } from './setting.ts';
import { countLoss } from './story.ts';
import { Writers } from './writers.ts';

const scale = scales['small'];
assert.ok(scale !== undefined);

test('the schema loads, writers survive a kill, nothing acknowledged is missing, and a deleted commit is counted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-writers-'));
  try {
    await using cluster = await startCluster();
    const until = new Date();
    const network = makeNetwork(1, scale);
    const { readings } = await loadNetwork(cluster, { database: DATABASE, network, scale, seed: 1, until });
    assert.equal(readings, (scale.historyDays * 24 * 60 * scale.sensors) / scale.intervalMinutes);
    const states = await cluster.query('SELECT * FROM municipality_state', [], DATABASE);
    assert.equal(states.length, scale.municipalities);
    const [open] = await cluster.query<{ alerts: number }>(
      'SELECT count(*)::int AS alerts FROM standing_alert',
      [],
      DATABASE,
    );
    assert.ok((open?.alerts ?? 0) > 0);

    await using ledger = new Ledger(join(folder, 'acknowledged'));
    const started = momentNow();
    const writers = new Writers({ clients: 3, sensors: scale.sensors, seed: 1, ledger, paceMs: 0 });
    await writers.resume(water(cluster));
    await untilNoted(ledger, 200);
    const struck = momentNow();
    await cluster.kill();
    assert.ok((await writers.cutOff).monotonic >= struck.monotonic);
    await writers.rest();

    await cluster.start();
    const loss = await countLoss(cluster, ledger, struck, started);
    assert.deepEqual({ lost: loss.lost, rpo: loss.rpo_seconds }, { lost: 0, rpo: 0 });
    assert.ok(loss.acknowledged >= 200 && loss.unacknowledged <= 3);

    // The writers go on where they were, without using a number twice.
    await writers.resume(water(cluster));
    await untilNoted(ledger, loss.acknowledged + 100);
    await writers.rest();
    const stopped = momentNow();
    assert.equal((await countLoss(cluster, ledger, stopped, started)).lost, 0);
    const [written] = await cluster.query<{ readings: number }>(
      'SELECT count(*)::int AS readings FROM reading WHERE at > $1',
      [until],
      DATABASE,
    );
    assert.ok((written?.readings ?? 0) >= ledger.notes.length * 25);

    const victim = ledger.notes[ledger.notes.length - 10];
    assert.ok(victim !== undefined);
    await cluster.query(
      'DELETE FROM ingest_batch WHERE source = $1 AND batch = $2',
      [SOURCE, commitKey(victim.client, victim.sequence)],
      DATABASE,
    );
    const short = await countLoss(cluster, ledger, stopped, started);
    assert.equal(short.lost, 1);
    const before = ledger.notes[ledger.notes.length - 11];
    assert.ok(before !== undefined);
    assert.equal(short.rpo_seconds, (stopped.monotonic - before.moment.monotonic) / 1000);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a statement that the server refuses is a fault, not a disaster', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-writers-'));
  try {
    await using cluster = await startCluster();
    await using ledger = new Ledger(join(folder, 'acknowledged'));
    const writers = new Writers({ clients: 1, sensors: 10, seed: 1, ledger });
    await writers.resume(cluster.connection);
    await assert.rejects(writers.rest(), /relation "reading" does not exist/);
    assert.equal(ledger.notes.length, 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function untilNoted(ledger: Ledger, count: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (ledger.notes.length < count) {
    if (performance.now() > deadline)
      throw new Error(`only ${ledger.notes.length} of ${count} commits were acknowledged`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
