// The story, act by act: a network's database is lost in the midst of its work and brought back; then somebody deletes
// the wrong rows, and they are brought back too. Everything told is measured on the way.
//
// 1. A cluster is filled. 2. Spillway protects it. 3. A full and 4. an incremental backup are made while clients write.
// 5. The server is killed and its data directory removed. 6. It is restored elsewhere; the clock of RTO runs from the
// first client that notices to the first write that succeeds. 7. The commits acknowledged are counted against those
// found. 8. A wrong DELETE is undone (undo.ts). 9. The plan's monthly drill is held and signed (drill.ts). 10. A byte of the
// repository rots, and a verification finds it (rot.ts). 11. The console is served over the cluster, which works on (console.ts).
// Invariant: no figure comes from anywhere but a clock, a query or a document of the command line.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupSummary, RestoreDocument } from '@spillway/contract';
import { adoptCluster, destroyDataDirectory, freePort, type LabCluster, momentNow, seededRandom } from '@spillway/lab';
import { consolePort, type OpenConsole, openConsole } from './console.ts';
import { holdDrill } from './drill.ts';
import { Ledger, type Loss, measureLoss, SOURCE } from './ledger.ts';
import { loadNetwork } from './load.ts';
import { formatBytes, formatCount, formatSeconds, type Narrative } from './narrative.ts';
import { makeNetwork } from './network.ts';
import { isMet, objectiveRows, objectivesFor } from './objectives.ts';
import type { StorageKind } from './place.ts';
import { letByteRot } from './rot.ts';
import type { Scale } from './scale.ts';
import {
  CLUSTER_NAME,
  DATABASE,
  FLUSH_INTERVAL_SECONDS,
  makeSetting,
  restoreWords,
  type Setting,
  stateFolderIn,
  untilStreaming,
  water,
  writeConfiguration,
} from './setting.ts';
import { RunningCommand, spillway } from './spillway.ts';
import { undoDelete } from './undo.ts';
import { Writers } from './writers.ts';

export interface StoryOptions {
  readonly scale: Scale;
  readonly storage: StorageKind;
  readonly seed: number;
  readonly keep: boolean;
  readonly narrative: Narrative;
  /** Holds all that must be ended and removed afterwards. */
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
}

/** The object that `--json` prints. Figures are measured; `ok` is false where anything missed what it must meet. */
export interface Outcome {
  readonly ok: boolean;
  readonly failures: readonly string[];
  readonly rto_seconds: number;
  readonly rpo_seconds: number;
  readonly acknowledged_commits: number;
  readonly lost_commits: number;
  readonly unacknowledged_commits_found: number;
  readonly backup_bytes_per_second: number;
  readonly restore_bytes_per_second: number;
  readonly cluster_bytes: number;
  readonly stored_bytes: number;
  readonly full_seconds: number;
  readonly incremental_seconds: number;
  readonly incremental_stored_bytes: number;
  readonly recovery_seconds: number;
  readonly undo_seconds: number;
  readonly undo_rows_deleted: number;
  readonly undo_rows_equal: boolean;
  readonly history_rows_equal: boolean;
  readonly drill_seconds: number;
  /** Name of the signed record in the repository. */
  readonly drill_record: string;
  /** Null where the repository is in a bucket: nothing rots there. */
  readonly rot_found: boolean | null;
  /** From the start of the service to a console that tells of a backup it made. */
  readonly console_seconds: number;
  readonly postgres_version: string;
  readonly scale: string;
  readonly storage: StorageKind;
  readonly seed: number;
  readonly total_seconds: number;
}

export interface Story {
  readonly outcome: Outcome;
  /** Served until `stack` is disposed of, while the clients write. */
  readonly opened: OpenConsole;
}

/** Between two transactions of a client, once the console is served: it may be looked at for days. */
const LASTING_PACE_MS = 250;

/** What `node demo/run.ts` waits for. */
export async function tellStory(options: StoryOptions): Promise<Story> {
  const { scale, seed, narrative, stack, signal } = options;
  const began = performance.now();

  narrative.step('A national water network');
  const setting = await makeSetting(stack, options, signal);
  const { folder, primary, config } = setting;
  if (options.keep)
    narrative.line(`everything is kept in ${folder}; its password file has the password of user postgres`);
  const until = new Date();
  const history = await fill(options, setting, until);

  narrative.step('Spillway protects it');
  const initialised = await spillway<object>(config, ['init'], signal);
  narrative.line(
    `repository made in ${formatSeconds(initialised.seconds)}, ${setting.place.told}: encrypted, write-once`,
  );
  const receiver = stack.use(new RunningCommand(config, ['--cluster', CLUSTER_NAME, 'wal', 'receive']));
  await untilStreaming(primary, receiver, signal);
  narrative.line(`WAL is streamed into it, the segment in progress flushed every ${FLUSH_INTERVAL_SECONDS} s`);

  narrative.step(`${scale.writers} clients write; a full backup meanwhile`);
  const ledger = stack.use(new Ledger(join(folder, 'acknowledged')));
  const writers = new Writers({ clients: scale.writers, sensors: scale.sensors, seed, ledger });
  stack.defer(() => writers.rest());
  const writingSince = momentNow();
  await writers.resume(water(primary));
  const full = await backup(options, config, ledger, 'full');

  narrative.step('They write on; an incremental backup');
  await pause(scale.writeMs, undefined, { signal });
  const incremental = await backup(options, config, ledger, 'incremental');

  narrative.step('The disaster');
  await pause(scale.writeMs + seededRandom(seed).between(0, 1000), undefined, { signal });
  const struck = await destroyDataDirectory(primary);
  const noticed = await writers.cutOff;
  await writers.rest();
  narrative.strike('the postmaster and all its children got SIGKILL mid-write, and the data directory is gone');
  const heard = noticed.monotonic - struck.monotonic;
  narrative.line(
    `the first client noticed after ${Math.max(0, heard).toFixed(0)} ms; the clock of RTO runs from there`,
  );

  narrative.step('Restore, into a new folder on a new port');
  // What the receiver still holds in memory is flushed when it is told to end.
  await receiver.stop();
  const { document: restored } = await spillway<RestoreDocument>(
    config,
    restoreWords(join(folder, 'restored'), await freePort()),
    signal,
  );
  const replacement = await adopt(options, setting, restored);
  const rtoSeconds = await checkHealth(options, replacement, noticed.monotonic, restored);

  narrative.step('What was lost');
  const loss = await countLoss(replacement, ledger, struck, writingSince);
  const historyEqual = await historyIsThere(replacement, until, history);
  tellLoss(narrative, loss, historyEqual, history);

  narrative.step('A wrong DELETE, and the way back');
  const configAfter = await writeConfiguration(setting, 'spillway-restored.yaml', replacement);
  const receiverAfter = stack.use(new RunningCommand(configAfter, ['--cluster', CLUSTER_NAME, 'wal', 'receive']));
  await untilStreaming(replacement, receiverAfter, signal);
  const undo = await undoDelete({
    cluster: replacement,
    config: configAfter,
    folder: join(folder, 'undone'),
    writers,
    narrative,
    receiver: receiverAfter,
    signal,
    pauseMs: scale.writeMs / 4,
    adopt: (document) => adopt(options, setting, document),
  });

  narrative.step('The monthly drill, beside the live server');
  const drill = await holdDrill(configAfter, narrative, signal);

  const objectives = objectivesFor({ rtoSeconds, rpoSeconds: loss.rpo_seconds, undoSeconds: undo.seconds });
  narrative.table(['OBJECTIVE OF THE PLAN', 'AT MOST', 'MEASURED', ''], objectiveRows(objectives));

  narrative.step('A byte of the repository rots');
  const rotted = await letByteRot(configAfter, setting.place.folder, narrative, signal);
  await receiverAfter.stop();

  narrative.step('The console, over the cluster as it lives');
  await writers.resume(water(replacement), LASTING_PACE_MS);
  const configServed = await writeConfiguration(setting, 'spillway-served.yaml', replacement, await consolePort());
  const stateFolder = stateFolderIn(folder);
  const opened = await openConsole({ config: configServed, stateFolder, narrative, stack, signal });

  const failures = [
    ...objectives.filter((objective) => !isMet(objective)).map(({ name }) => `objective missed: ${name}`),
    ...drill.failures,
    ...(undo.rowsEqual ? [] : ['the rows brought back are not those that were deleted']),
    ...(historyEqual ? [] : ['rows of the history are missing after the restore']),
    ...(rotted.found === false ? ['a byte that rotted was not found by the verification'] : []),
    ...(rotted.passedAfterwards ? [] : ['the newest backup does not pass its verification']),
    ...unexplainedLoss(loss),
  ];
  const outcome = {
    ok: failures.length === 0,
    failures,
    rto_seconds: rounded(rtoSeconds),
    rpo_seconds: rounded(loss.rpo_seconds),
    acknowledged_commits: loss.acknowledged,
    lost_commits: loss.lost,
    unacknowledged_commits_found: loss.unacknowledged,
    backup_bytes_per_second: Math.round(full.bytes / full.duration_seconds),
    restore_bytes_per_second: Math.round(restored.restore.bytes_per_second),
    cluster_bytes: full.bytes,
    stored_bytes: full.stored_bytes + incremental.stored_bytes,
    full_seconds: rounded(full.duration_seconds),
    incremental_seconds: rounded(incremental.duration_seconds),
    incremental_stored_bytes: incremental.stored_bytes,
    recovery_seconds: rounded(recoveryOf(restored).recovery_seconds),
    undo_seconds: rounded(undo.seconds),
    undo_rows_deleted: undo.rowsDeleted,
    undo_rows_equal: undo.rowsEqual,
    history_rows_equal: historyEqual,
    drill_seconds: rounded((Date.parse(drill.finished_at) - Date.parse(drill.started_at)) / 1000),
    drill_record: drill.object,
    rot_found: rotted.found ?? null,
    console_seconds: rounded(opened.seconds),
    postgres_version: primary.installation.version,
    scale: scale.name,
    storage: options.storage,
    seed,
    total_seconds: rounded((performance.now() - began) / 1000),
  };
  return { outcome, opened };
}

/** There always is one, since --start is always given. */
function recoveryOf({ recovery }: RestoreDocument): NonNullable<RestoreDocument['recovery']> {
  if (recovery === null) throw new TypeError('spillway restore --start told nothing about the recovery');
  return recovery;
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** Streaming loses at most what was not flushed yet; a second is left for the flush itself. */
function unexplainedLoss({ lost, rpo_seconds: rpo }: Loss): readonly string[] {
  const most = FLUSH_INTERVAL_SECONDS + 1;
  return lost > 0 && rpo > most
    ? [`${lost} commits lost over ${rpo.toFixed(1)} s, more than the flush interval explains`]
    : [];
}

async function fill({ scale, seed, narrative }: StoryOptions, { primary }: Setting, until: Date): Promise<number> {
  narrative.line(
    `PostgreSQL ${primary.installation.version} runs on ${primary.host}:${primary.port}, fsync and checksums on`,
  );
  const began = performance.now();
  const network = makeNetwork(seed, scale);
  const { readings } = await loadNetwork(primary, { database: DATABASE, network, scale, seed, until });
  const [size] = await primary.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid))::text AS bytes FROM pg_database',
  );
  narrative.line(
    `filled in ${formatSeconds((performance.now() - began) / 1000)}: ${network.municipalities.length} municipalities, ` +
      `${network.pipelines.length} mains, ${formatCount(network.sensors.length)} sensors,`,
  );
  narrative.line(
    `${scale.historyDays} days of history, ${formatCount(readings)} readings; ${formatBytes(Number(size?.bytes))} in all`,
  );
  return readings;
}

async function backup(
  { narrative, signal }: StoryOptions,
  config: string,
  ledger: Ledger,
  type: 'full' | 'incremental',
): Promise<BackupSummary> {
  const before = ledger.notes.length;
  const words = ['--cluster', CLUSTER_NAME, 'backup', '--type', type];
  const { document, seconds } = await spillway<BackupSummary>(config, words, signal);
  narrative.line(
    `${formatBytes(document.bytes)} in ${formatCount(document.files)} files in ${formatSeconds(document.duration_seconds)} ` +
      `(${formatBytes(document.bytes / document.duration_seconds)}/s); read ${formatBytes(document.read_bytes)}, ` +
      `stored ${formatBytes(document.stored_bytes)}`,
  );
  narrative.line(
    `${formatCount(ledger.notes.length - before)} commits acknowledged in those ${formatSeconds(seconds)}`,
  );
  return document;
}

async function adopt(
  { keep, stack, narrative }: StoryOptions,
  { primary }: Setting,
  document: RestoreDocument,
): Promise<LabCluster> {
  const cluster = await adoptCluster({
    dataDirectory: document.restore.directory,
    binDirectory: primary.installation.binDirectory,
    port: recoveryOf(document).port,
    password: primary.password,
    persistent: keep,
  });
  if (keep) narrative.line(`kept: pid ${cluster.pid}, port ${cluster.port}; to stop it: kill -INT ${cluster.pid}`);
  else stack.use(cluster);
  return cluster;
}

/** The first query and the first write of a client. Returns the seconds since the disaster was noticed. */
async function checkHealth(
  { narrative }: StoryOptions,
  cluster: LabCluster,
  noticed: number,
  document: RestoreDocument,
): Promise<number> {
  const { restore } = document;
  const recovery = recoveryOf(document);
  const since = (): number => (performance.now() - noticed) / 1000;
  const client = await cluster.connect(DATABASE);
  try {
    await client.query('SELECT count(*) FROM sensor');
    const queried = since();
    await client.query("INSERT INTO ingest_batch (source, batch, readings) VALUES ('health check', '1', 0)");
    const written = since();
    narrative.line(
      `${formatBytes(restore.bytes)} laid down in ${formatSeconds(restore.duration_seconds)} (${formatBytes(restore.bytes_per_second)}/s), ` +
        `recovered in ${formatSeconds(recovery.recovery_seconds)} to ${recovery.recovered_to_lsn}, timeline ${recovery.timeline}`,
    );
    narrative.line(
      `first query after ${formatSeconds(queried)}, first write after ${formatSeconds(written)}: the service is back`,
    );
    return written;
  } finally {
    await client.end();
  }
}

/** Compares the notes with the table that holds a row a batch. */
export async function countLoss(
  cluster: LabCluster,
  ledger: Pick<Ledger, 'notes'>,
  struck: Parameters<typeof measureLoss>[2],
  started: Parameters<typeof measureLoss>[3],
): Promise<Loss> {
  const rows = await cluster.query<{ batch: string }>(
    'SELECT batch FROM ingest_batch WHERE source = $1',
    [SOURCE],
    DATABASE,
  );
  const found = new Set(rows.map(({ batch }) => batch));
  return measureLoss(ledger.notes, found, struck, started);
}

async function historyIsThere(cluster: LabCluster, until: Date, readings: number): Promise<boolean> {
  const sql = 'SELECT count(*)::int AS readings FROM reading WHERE at < $1';
  const [row] = await cluster.query<{ readings: number }>(sql, [until], DATABASE);
  return row?.readings === readings;
}

function tellLoss(narrative: Narrative, loss: Loss, historyEqual: boolean, readings: number): void {
  narrative.line(
    `${formatCount(loss.acknowledged)} commits were acknowledged, ${formatCount(loss.acknowledged - loss.lost)} of them found: ` +
      `${formatCount(loss.lost)} lost, RPO ${formatSeconds(loss.rpo_seconds)}`,
  );
  if (loss.unacknowledged > 0) {
    narrative.line(`${loss.unacknowledged} more had reached the log before their acknowledgement reached the client`);
  }
  narrative.line(
    `the ${formatCount(readings)} readings of the history: ${historyEqual ? 'all there' : 'NOT all there'}`,
  );
}
