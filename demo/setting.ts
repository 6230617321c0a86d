// Where the story takes place: one folder with the primary's files, the repository, the restored clusters and a
// configuration of spillway for each server that it is pointed at.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type LabCluster, type LabConnection, startCluster } from '@spillway/lab';
import { makePlace, type Place, type StorageKind } from './place.ts';
import type { RunningCommand } from './spillway.ts';

export const CLUSTER_NAME = 'water';
export const DATABASE = 'water';
export const FLUSH_INTERVAL_SECONDS = 5;
/** The plan's monthly drill. */
export const MONTHLY = join(import.meta.dirname, '..', 'drills', 'monthly.yaml');

/** What `spillway serve` does meanwhile: often enough that whoever looks for a few minutes sees each kind of it. */
const SCHEDULES = `
    schedules:
      full: hourly
      incremental: "* * * * *"
      verify_structure: "1-59/5 * * * *"
      verify_data: "2-59/10 * * * *"
      verify_restore: "4-59/15 * * * *"
      anomalies: "6-59/10 * * * *"
      drill: "8-59/20 * * * *"
      expire: "9-59/10 * * * *"
      schema: never
      copy: never
    retention: { keep_count: 30, keep_daily: 7, minimum_proven: 2, point_in_time: 1h, grace: 10min }`;

const WAIT_MS = 60_000;
const POLL_MS = 25;

export interface Setting {
  readonly folder: string;
  readonly primary: LabCluster;
  readonly place: Place;
  /** Configuration of spillway that points at the primary. */
  readonly config: string;
}

/** Makes the folder and starts the primary; both are removed when `stack` is disposed of, unless `keep` is set. */
export async function makeSetting(
  stack: AsyncDisposableStack,
  { keep, storage }: { readonly keep: boolean; readonly storage: StorageKind },
  signal: AbortSignal,
): Promise<Setting> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-demo-'));
  // The server's account, where it is another than ours, must be able to reach its own folders in here.
  await chmod(folder, 0o755);
  if (!keep) stack.defer(() => rm(folder, { recursive: true, force: true }));
  const primary = stack.use(
    await startCluster({
      directory: join(folder, 'primary'),
      settings: { shared_buffers: '256MB', maintenance_work_mem: '128MB', max_wal_size: '1GB' },
      signal,
    }),
  );
  // For an end that waits for nothing; behind the lab, which kills its servers then.
  if (!keep)
    process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }));
  const place = await makePlace(storage, folder, stack, signal);
  await writeFile(join(folder, 'passphrase'), `${randomBytes(36).toString('base64url')}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'password'), `${primary.password}\n`, { mode: 0o600 });
  const config = await writeConfiguration({ folder, place }, 'spillway.yaml', primary);
  return { folder, primary, place, config };
}

/** Of what the service keeps for itself. */
export const stateFolderIn = (folder: string): string => join(folder, 'state');

/** A configuration for that server; the repository and its passphrase are always the same. `port` is the service's. */
export async function writeConfiguration(
  { folder, place }: Pick<Setting, 'folder' | 'place'>,
  name: string,
  cluster: LabCluster,
  port?: number,
): Promise<string> {
  // JSON strings are YAML strings.
  const path = (file: string): string => JSON.stringify(join(folder, file));
  const file = join(folder, name);
  await writeFile(
    file,
    `repository:
  ${place.settings}
  passphrase: { file: ${path('passphrase')} }
clusters:
  ${CLUSTER_NAME}:
    connection:
      host: ${cluster.host}
      port: ${cluster.port}
      user: ${cluster.user}
      password: { file: ${path('password')} }
    bin_directory: ${JSON.stringify(cluster.installation.binDirectory)}
    scratch_directory: ${path('scratch')}
    canary: { interval: 1s, state_directory: ${path('canary')} }
    wal:
      flush_interval: ${FLUSH_INTERVAL_SECONDS}s${port === undefined ? '' : SCHEDULES}
${
  port === undefined
    ? ''
    : `service:
  port: ${port}
  state_directory: ${JSON.stringify(stateFolderIn(folder))}
  file_directories: [${path('restores')}]
  metrics: { interval: 15s }
`
}`,
  );
  if (port !== undefined) {
    await mkdir(join(folder, 'restores'), { recursive: true, mode: 0o755 });
    await mkdir(join(folder, 'drills'), { recursive: true });
    await copyFile(MONTHLY, join(folder, 'drills', 'monthly.yaml'));
  }
  return file;
}

/** What `spillway` is told to bring the cluster back into that folder and start it on that port. */
export const restoreWords = (folder: string, port: number): readonly string[] => [
  '--cluster',
  CLUSTER_NAME,
  'restore',
  '--into',
  folder,
  '--start',
  '--port',
  String(port),
];

export const water = (cluster: LabCluster): LabConnection => ({ ...cluster.connection, database: DATABASE });

/** Waits until the receiver streams from that server, and says at once if it ended instead. */
export async function untilStreaming(
  cluster: LabCluster,
  receiver: RunningCommand,
  signal: AbortSignal,
): Promise<void> {
  await untilReplication(cluster, receiver, signal, "state = 'streaming'", []);
}

/** Waits until the receiver has confirmed everything up to now as durable. Returns the position. */
export async function untilDurable(
  cluster: LabCluster,
  receiver: RunningCommand,
  signal: AbortSignal,
): Promise<string> {
  const [row] = await cluster.query<{ position: string }>('SELECT pg_current_wal_flush_lsn()::text AS position');
  const position = row?.position ?? '0/0';
  await untilReplication(cluster, receiver, signal, 'flush_lsn >= $1::pg_lsn', [position]);
  return position;
}

async function untilReplication(
  cluster: LabCluster,
  receiver: RunningCommand,
  signal: AbortSignal,
  condition: string,
  parameters: readonly unknown[],
): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const sql = `SELECT count(*)::int AS receivers FROM pg_stat_replication WHERE ${condition}`;
    const [row] = await cluster.query<{ receivers: number }>(sql, parameters);
    if ((row?.receivers ?? 0) > 0) return;
    if (!receiver.running) {
      await receiver.result();
      throw receiver.failure('ended before it was told to');
    }
    if (performance.now() > deadline) throw receiver.failure(`did not reach "${condition}" within ${WAIT_MS / 1000} s`);
    await pause(POLL_MS, undefined, { signal });
  }
}
