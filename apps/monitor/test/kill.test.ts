// SIGKILL at random moments, seeded, with the database up, down and in between: every batch that was acknowledged is in the
// database in the end, exactly once and with all its readings.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Random, seededRandom } from '@spillway/lab';
import {
  batchOf,
  type Call,
  callerTo,
  makeDatabase,
  makePlace,
  type Place,
  SENSORS,
  startCluster,
  until,
  untilReady,
} from './place.ts';

const ROUNDS = 6;
const SENDERS = 4;
const RETRY_MS = 20;

test('nothing acknowledged is lost or doubled, however often the service is killed', async (t) => {
  const random = seededRandom();
  t.diagnostic(`seed ${random.seed}`);
  await using cluster = await startCluster();
  const { url } = await makeDatabase(cluster, 'water');
  await using place = await makePlace(url);
  const sent = new Sent(random);

  for (let round = 0; round < ROUNDS; round += 1) {
    const { child, call } = await startProcess(place);
    // In some rounds it is killed before it has its database, in some while it has, in some after that went away.
    if (round % 3 !== 1) await untilReady(call);
    const sending = sent.send(call);
    try {
      const wanted = sent.acknowledged.size + random.between(5, 60);
      await sent.untilAcknowledged(wanted);
      if (round % 3 === 2) {
        await cluster.kill();
        await sent.untilAcknowledged(sent.acknowledged.size + random.between(5, 40));
        if (random.next() < 0.5) {
          await cluster.start();
          await pause(random.between(0, 300));
        }
      }
      await pause(random.between(0, 20));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await sending;
    if (!cluster.running) await cluster.start();
  }

  const { child, call } = await startProcess(place);
  try {
    await until('everything is replayed', async () => {
      const { body } = await call('GET', '/api/v1/monitoring/health');
      const { ingest, spool } = body as { ingest: { mode: string }; spool: { batches: number; quarantined: number } };
      assert.equal(spool.quarantined, 0);
      return ingest.mode === 'direct' && spool.batches === 0;
    });
  } finally {
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  }

  const rows = await cluster.query<{ batch: string; readings: number }>(
    'SELECT batch, readings FROM ingest_batch',
    [],
    'water',
  );
  const found = new Set(rows.map(({ batch }) => batch));
  assert.deepEqual(
    [...sent.acknowledged].filter((key) => !found.has(key)),
    [],
    'acknowledged and lost',
  );
  assert.deepEqual(
    [...found].filter((key) => !sent.tried.has(key)),
    [],
    'never sent',
  );
  const [sums] = await cluster.query<{ readings: number; batches: number }>(
    `SELECT (SELECT count(*)::int FROM reading) AS readings, (SELECT count(DISTINCT at)::int FROM reading) AS batches`,
    [],
    'water',
  );
  // Each batch has a time of its own, so its readings can be counted.
  assert.deepEqual(sums, { readings: found.size * SENSORS, batches: found.size });
  assert.ok(sent.acknowledged.size >= ROUNDS * 5);
  assert.ok(sent.places.has('database') && sent.places.has('spool'), [...sent.places].join());
});

/** What was sent, and what of it was acknowledged. A batch without an answer is sent again to the next process. */
class Sent {
  readonly tried = new Set<string>();
  readonly acknowledged = new Set<string>();
  readonly places = new Set<string>();
  readonly #unanswered: object[] = [];
  readonly #random: Random;
  #progress = Promise.withResolvers<void>();
  #number = 0;
  #fail: (error: Error) => void = () => undefined;
  readonly #failed: Promise<never>;

  constructor(random: Random) {
    this.#random = random;
    const { promise, reject } = Promise.withResolvers<never>();
    this.#fail = reject;
    this.#failed = promise;
    // Looked at by whoever waits; nobody may be waiting yet.
    promise.catch(() => undefined);
  }

  /** Sends from several senders at a time until nobody answers. */
  async send(call: Call): Promise<void> {
    await Promise.all(Array.from({ length: SENDERS }, () => this.#sendOn(call)));
  }

  async untilAcknowledged(count: number): Promise<void> {
    while (this.acknowledged.size < count) await Promise.race([this.#progress.promise, this.#failed]);
  }

  async #sendOn(call: Call): Promise<void> {
    for (;;) {
      const batch = this.#unanswered.pop() ?? this.#make();
      const key = (batch as { batch: string }).batch;
      try {
        const { status, body } = await call('POST', '/api/v1/readings', batch);
        if (status === 503) {
          this.#unanswered.push(batch);
          await pause(RETRY_MS);
          continue;
        }
        assert.equal(status, 200, JSON.stringify(body));
        this.acknowledged.add(key);
        this.places.add((body as { stored: string }).stored);
        this.#progress.resolve();
        this.#progress = Promise.withResolvers<void>();
        // Some senders do not believe it.
        if (this.#random.next() < 0.1) this.#unanswered.push(batch);
      } catch (error) {
        if (error instanceof assert.AssertionError) {
          this.#fail(error);
          return;
        }
        this.#unanswered.push(batch);
        return;
      }
    }
  }

  #make(): object {
    this.#number += 1;
    const key = `kill/${this.#number}`;
    this.tried.add(key);
    return batchOf(key, 100_000 - this.#number);
  }
}

async function startProcess(place: Place): Promise<{ readonly child: ChildProcess; readonly call: Call }> {
  const main = join(import.meta.dirname, '../src/main.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'serve'], {
    env: { ...process.env, ...place.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { listening?: string };
    if (said.listening === undefined) continue;
    child.stdout.resume();
    return { child, call: callerTo(said.listening, place.tokens) };
  }
  throw new Error('the service ended before it listened');
}
