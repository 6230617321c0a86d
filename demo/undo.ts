// The second disaster: a tired person's DELETE, undone by a restore to the moment before it.
//
// 1. WAL of the restored server (a new timeline) is received into the same repository by now, and the clients work again.
// 2. At night, when they rest, every table is fingerprinted and the time taken; then two DELETEs go wrong.
// 3. The clients go on, not knowing. When the WAL of all that is durable, the cluster is restored to the noted time
//    into another folder, beside the live one, and every table is compared with its fingerprint.

import { setTimeout as pause } from 'node:timers/promises';
import type { RestoreDocument } from '@spillway/contract';
import { differences, type Fingerprint, fingerprint, freePort, type LabCluster } from '@spillway/lab';
import { formatCount, formatSeconds, type Narrative } from './narrative.ts';
import { DATABASE, restoreWords, untilDurable, water } from './setting.ts';
import { type RunningCommand, spillway } from './spillway.ts';
import type { Writers } from './writers.ts';

export interface UndoOptions {
  /** The live cluster. */
  readonly cluster: LabCluster;
  /** A configuration that points at it. */
  readonly config: string;
  /** Where the earlier state goes. */
  readonly folder: string;
  readonly writers: Writers;
  readonly narrative: Narrative;
  /** Of its WAL. */
  readonly receiver: RunningCommand;
  readonly signal: AbortSignal;
  readonly pauseMs: number;
  readonly adopt: (document: RestoreDocument) => Promise<LabCluster>;
}

export interface Undone {
  /** From the decision to the first query answered by the cluster brought back. */
  readonly seconds: number;
  readonly rowsDeleted: number;
  readonly rowsEqual: boolean;
}

export async function undoDelete(options: UndoOptions): Promise<Undone> {
  const { cluster, config, narrative, receiver, signal } = options;
  await work(options);
  narrative.line('the clients work on the restored server; its WAL goes into the same repository');

  const before = await fingerprintOf(cluster);
  const moment = await timeOf(cluster);
  const rowsDeleted = await deleteWrongRows(cluster);
  narrative.strike('after a long shift: DELETE FROM alert, and DELETE FROM reading without its WHERE sensor_id');
  narrative.line(`${formatCount(rowsDeleted)} rows are gone; the clients go on, not knowing`);
  await work(options);
  await untilDurable(cluster, receiver, signal);

  const began = performance.now();
  const { document } = await spillway<RestoreDocument>(
    config,
    [...restoreWords(options.folder, await freePort()), '--at', moment],
    signal,
  );
  const earlier = await options.adopt(document);
  await earlier.query('SELECT count(*) FROM alert', [], DATABASE);
  const seconds = (performance.now() - began) / 1000;
  narrative.line(`restored to ${moment}, beside the live server, in ${formatSeconds(seconds)}`);

  const after = await fingerprintOf(earlier);
  const different = differences(before, after);
  const rows = [...before].map(([, print]) => Number(print.split(':')[0]));
  const total = formatCount(rows.reduce((sum, count) => sum + count, 0));
  narrative.line(
    different.length === 0
      ? `all ${total} rows of ${rows.length} tables are equal, row for row, to those before the DELETE`
      : `these tables differ from what they were before the DELETE: ${different.join(', ')}`,
  );
  return { seconds, rowsDeleted, rowsEqual: different.length === 0 };
}

/** Of the network's tables: the canary, in a database beside it, never rests. */
async function fingerprintOf(cluster: LabCluster): Promise<Fingerprint> {
  const prints = await fingerprint(water(cluster));
  return new Map([...prints].filter(([table]) => table.startsWith(`${DATABASE}.`)));
}

async function work({ writers, cluster, pauseMs, signal }: UndoOptions): Promise<void> {
  await writers.resume(water(cluster));
  await pause(pauseMs, undefined, { signal });
  await writers.rest();
}

/** The server's own clock, since its commit times decide. */
async function timeOf(cluster: LabCluster): Promise<string> {
  const [row] = await cluster.query<{ moment: string }>(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS moment`,
  );
  if (row === undefined) throw new TypeError('the server told no time');
  return row.moment;
}

async function deleteWrongRows(cluster: LabCluster): Promise<number> {
  const client = await cluster.connect(DATABASE);
  try {
    const alerts = await client.query('DELETE FROM alert');
    const readings = await client.query("DELETE FROM reading WHERE at > now() - interval '2 days'");
    return (alerts.rowCount ?? 0) + (readings.rowCount ?? 0);
  } finally {
    await client.end();
  }
}
