// The cluster that every peer backs up: PostgreSQL 15 with page checksums, filled as `filling.ts` says.
//
// Nothing but the bench changes it: autovacuum is off, and checkpoints come only when asked for. Its WAL is archived by
// the command of the peer whose turn it is, set anew before each turn; for peers that stream WAL that is `true`.

import { execFile } from 'node:child_process';
import { access, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Installation, type LabCluster, listInstallations, seededRandom, startCluster } from '@spillway/lab';
import { type FillingName, type Filling, fillingOf } from './filling.ts';

export const SOURCE_MAJOR = 15;
const PROGRAMS = ['initdb', 'pgbench', 'pg_basebackup'] as const;
const ARCHIVED_WITHIN_MS = 60_000;
const POLL_MS = 20;
/** A table is updated in so many parts, each all over it, and vacuumed after all of them. */
const STRIPES = 10;

/** The machine's own PostgreSQL of that major with all its programs, or why there is none. */
export async function findInstallation(): Promise<Installation | string> {
  const found = (await listInstallations()).find(({ major, source }) => major === SOURCE_MAJOR && source === 'machine');
  if (found === undefined) return `there is no PostgreSQL ${SOURCE_MAJOR} on this machine`;
  for (const program of PROGRAMS) {
    const path = join(found.binDirectory, program);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) return `${path} is missing`;
  }
  return found;
}

export interface SourceOptions {
  readonly directory: string;
  readonly installation: Installation;
  readonly scale: number;
  /** By default pgbench's tables. */
  readonly filling?: FillingName;
  /** Where `pgbench` is, if not beside the server. */
  readonly clientPrograms?: string;
  /** Beside the bench's own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export async function startSource(options: SourceOptions): Promise<Source> {
  const { directory, installation, scale, clientPrograms = installation.binDirectory, settings, signal } = options;
  const cluster = await startCluster({
    directory,
    installation,
    settings: {
      shared_buffers: '512MB',
      max_wal_size: '16GB',
      checkpoint_timeout: '1d',
      autovacuum: 'off',
      archive_mode: 'on',
      archive_command: "'true'",
      wal_level: 'replica',
      ...settings,
    },
    signal,
  });
  try {
    const filling = fillingOf(options.filling ?? 'pgbench', scale, clientPrograms);
    await filling.fill(cluster, signal);
    await cluster.query('CHECKPOINT');
    return new Source(cluster, filling);
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
}

export class Source implements AsyncDisposable {
  readonly cluster: LabCluster;
  readonly filling: Filling;

  constructor(cluster: LabCluster, filling: Filling) {
    this.cluster = cluster;
    this.filling = filling;
  }

  get dataDirectory(): string {
    return this.cluster.dataDirectory;
  }

  /** Throws where the server has ended. */
  get pid(): number {
    const { pid } = this.cluster;
    if (pid === undefined) throw new Error(`the source cluster ended; see ${this.cluster.logFile}`);
    return pid;
  }

  /** Has WAL archived by that command from now on, once all that was written before is archived by the one before. */
  async archiveBy(command: string, signal: AbortSignal): Promise<void> {
    await this.untilArchived(signal);
    await this.setArchiveCommand(command, signal);
  }

  /** What waits is archived by it too; nothing is archived by an empty one. */
  async setArchiveCommand(command: string, signal: AbortSignal): Promise<void> {
    await this.#set('archive_command', command, signal);
  }

  /** Lets commits wait for that receiver from now on; for none where the name is empty. */
  async setSynchronous(applicationName: string, signal: AbortSignal): Promise<void> {
    await this.#set('synchronous_standby_names', applicationName, signal);
  }

  /** Makes the slot anew, with WAL kept from now on. */
  async renewSlot(name: string): Promise<void> {
    await this.cluster.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
      [name],
    );
    await this.cluster.query('SELECT pg_create_physical_replication_slot($1, true)', [name]);
  }

  async #set(setting: string, value: string, signal: AbortSignal): Promise<void> {
    // Sent as it is quoted: ALTER SYSTEM takes no parameters.
    await this.cluster.query(`ALTER SYSTEM SET ${setting} = '${value.replaceAll("'", "''")}'`);
    await this.cluster.query('SELECT pg_reload_conf()');
    const deadline = performance.now() + ARCHIVED_WITHIN_MS;
    for (;;) {
      const [row] = await this.cluster.query<{ value: string }>('SELECT current_setting($1) AS value', [setting]);
      if (row?.value === value) return;
      if (performance.now() > deadline) throw new Error(`the source cluster did not take its ${setting}`);
      await pause(POLL_MS, undefined, { signal });
    }
  }

  /** Names of WAL files that wait for the archiver, in order. */
  async waitingForArchiver(): Promise<readonly string[]> {
    const names = await readdir(this.archiveStatus);
    return names
      .filter((name) => name.endsWith('.ready'))
      .map((name) => name.slice(0, -'.ready'.length))
      .toSorted();
  }

  /** Lets files wait again that were archived before; the archive command must be empty meanwhile. */
  async waitAgain(files: readonly string[]): Promise<void> {
    for (const name of files) {
      await rename(join(this.archiveStatus, `${name}.done`), join(this.archiveStatus, `${name}.ready`));
    }
  }

  get archiveStatus(): string {
    return join(this.walDirectory, 'archive_status');
  }

  get walDirectory(): string {
    return join(this.dataDirectory, 'pg_wal');
  }

  /** Waits until the archiver has nothing left to do. */
  async untilArchived(signal: AbortSignal, withinMs: number = ARCHIVED_WITHIN_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      if ((await this.waitingForArchiver()).length === 0) return;
      if (performance.now() > deadline) throw new Error(`WAL was not archived; see ${this.cluster.logFile}`);
      await pause(POLL_MS, undefined, { signal });
    }
  }

  /** Updates that many rows at random places, the same for the same seed, and has the pages written. */
  async updateRows(rows: number, seed: number): Promise<void> {
    const random = seededRandom(seed);
    const chosen = new Set<number>();
    while (chosen.size < rows) chosen.add(random.between(1, this.filling.rows));
    await this.filling.update(this.cluster, [...chosen]);
    await this.cluster.query('CHECKPOINT');
  }

  /** Writes that much WAL at least, by updating rows all over pgbench's table, and ends its last segment. */
  async writeWal(bytes: number, signal: AbortSignal): Promise<void> {
    const before = await this.walBytes();
    for (let turn = 0; (await this.walBytes()) - before < bytes; turn++) {
      signal.throwIfAborted();
      const stripe = turn % STRIPES;
      await this.cluster.query(
        'UPDATE pgbench_accounts SET abalance = abalance + $2::int WHERE aid % $3::int = $1::int',
        [stripe, turn + 1, STRIPES],
      );
      if (stripe === STRIPES - 1) await this.cluster.query('VACUUM pgbench_accounts');
    }
    await this.cluster.query('SELECT pg_switch_wal()');
  }

  /** Names of the segments that a start of the server needs now. */
  async walSinceCheckpoint(): Promise<ReadonlySet<string>> {
    const [row] = await this.cluster.query<{ from: string; to: string }>(
      `SELECT pg_walfile_name(redo_lsn) AS from, pg_walfile_name(pg_current_wal_insert_lsn()) AS to
         FROM pg_control_checkpoint()`,
    );
    if (row === undefined) throw new Error('the source cluster told no checkpoint');
    const names = await readdir(this.walDirectory);
    return new Set(names.filter((name) => name >= row.from && name <= row.to));
  }

  /** How much WAL this cluster has written since it was made. */
  async walBytes(): Promise<number> {
    const [row] = await this.cluster.query<{ bytes: string }>(
      "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes",
    );
    if (row === undefined) throw new Error('the source cluster told no position of its WAL');
    return Number(row.bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.destroy();
  }
}

/** What a program says for `--version`, or undefined where there is no such program. */
export async function versionOf(program: string, word = '--version'): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, [word]);
    return stdout.trim().split('\n')[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
