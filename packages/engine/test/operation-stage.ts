// What the tests of whole operations share: a throw-away cluster, a repository beside it, and short ways to back it up,
// receive its WAL and restore it.
//
// A restored server's restore_command does not start a program: it writes what it wants into one pipe and reads the exit
// code from another, and the test itself runs `fetchWal`. So it costs nothing, needs no rights on the checkout, and tells
// what was asked.

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { isSpillwayError, type OperationEvent } from '@spillway/contract';
import { adoptCluster, type ClusterOptions, freePort, type LabCluster, startCluster } from '@spillway/lab';
import { newKeyRing } from '../src/codec/keys.ts';
import type { BackupSummary } from '../src/format/manifest.ts';
import type { BackupOptions } from '../src/operation/backup/options.ts';
import { backup } from '../src/operation/backup/run.ts';
import { restore } from '../src/operation/restore/lay.ts';
import { type PlannedRestore, type PlanOptions, planRestore } from '../src/operation/restore/plan.ts';
import { type RecoverySummary, startRestored } from '../src/operation/restore/start.ts';
import { fetchWal } from '../src/operation/wal/fetch.ts';
import {
  type ReceiveOptions,
  type ReceivePosition,
  type ReceiveSummary,
  receiveWal,
} from '../src/operation/wal/receive.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import { Repository } from '../src/repository/repository.ts';
import { waitFor } from './throwaway.ts';
import { folderOf } from '../src/storage/port.ts';

const run = promisify(execFile);
const NAME = 'main';
const SLOT = 'spillway_main';
const FLUSH_MS = 100;

export interface Restored {
  readonly planned: PlannedRestore;
  readonly cluster: LabCluster;
  readonly recovery: RecoverySummary;
}

export interface Receiving {
  readonly events: readonly OperationEvent[];
  readonly position: () => ReceivePosition | undefined;
  /** Settles when the receiver ends by itself; rejects with its error. */
  readonly ended: Promise<ReceiveSummary>;
  stop(): Promise<ReceiveSummary>;
}

/** Runs another program instead, in the data directory, and gives its exit code. */
export type FetchByProgram = (fileName: string, path: string) => Promise<number>;

/** A repository without a password, as quick to make as a folder. */
export async function makeRepository(folder: string): Promise<Repository> {
  const path = join(folder, `repository-${randomUUID().slice(0, 8)}`);
  await mkdir(path);
  return new Repository({ id: randomUUID(), location: { kind: 'filesystem', path }, keys: newKeyRing() });
}

export async function makeStage(options: ClusterOptions = {}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-stage-'));
  try {
    // The server's account must get through to what is restored in here.
    await chmod(folder, 0o755);
    const cluster = await startCluster({ walSegmentMegabytes: 1, ...options });
    return new Stage(folder, cluster, await makeRepository(folder));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

export class Stage implements AsyncDisposable {
  readonly folder: string;
  readonly cluster: LabCluster;
  readonly name = NAME;
  readonly slot = SLOT;
  /** What restored servers asked `fetchWal` for, with its exit code. */
  readonly fetched: string[] = [];
  repository: Repository;
  /** Threads of each backup and restore. With a bucket each loads the SDK first, a second's work. */
  workers = 2;
  readonly #mine: AsyncDisposable[] = [];
  readonly #receivers: (() => Promise<ReceiveSummary>)[] = [];
  #restores = 0;

  constructor(folder: string, cluster: LabCluster, repository: Repository) {
    this.folder = folder;
    this.cluster = cluster;
    this.repository = repository;
  }

  get repositoryPath(): string {
    return folderOf(this.repository.location) ?? '';
  }

  /** A folder that is not there yet. */
  place(): string {
    return join(this.folder, `restored-${++this.#restores}`);
  }

  async backup(options: Partial<BackupOptions> = {}): Promise<BackupSummary> {
    return backup({
      repository: this.repository,
      cluster: { name: NAME, connection: this.cluster.connection },
      type: 'full',
      workers: this.workers,
      compressionLevel: 1,
      walTimeoutMs: 30_000,
      slot: SLOT,
      flushIntervalMs: FLUSH_MS,
      signal: new AbortController().signal,
      report: () => undefined,
      ...options,
    });
  }

  receive(options: Partial<ReceiveOptions> & { readonly from?: LabCluster } = {}): Receiving {
    const { from = this.cluster, ...rest } = options;
    const stopping = new AbortController();
    const events: OperationEvent[] = [];
    let position: ReceivePosition | undefined;
    const ended = receiveWal({
      repository: this.repository,
      cluster: { name: NAME, connection: from.connection },
      slot: SLOT,
      flushIntervalMs: FLUSH_MS,
      signal: stopping.signal,
      report: (event) => events.push(event),
      onPosition: (now) => {
        position = now;
      },
      ...rest,
    });
    ended.catch(() => undefined);
    const stop = async (): Promise<ReceiveSummary> => {
      stopping.abort();
      return ended;
    };
    this.#receivers.push(stop);
    return { events, position: () => position, ended, stop };
  }

  /** Stops all receivers, so that one test cannot keep the lock from the next. */
  async rest(): Promise<void> {
    for (const stop of this.#receivers.splice(0)) await stop().catch(() => undefined);
  }

  /** Waits until the receiver has made durable what the server has written by now. */
  async caughtUp(receiving: Receiving, from: LabCluster = this.cluster): Promise<string> {
    const [row] = await from.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const wanted = parseLsn(row?.lsn ?? '') ?? 0n;
    let failure: unknown;
    receiving.ended.catch((error: unknown) => {
      failure = error;
    });
    await waitFor(`WAL up to ${row?.lsn} to be durable`, () => {
      if (failure !== undefined) throw failure;
      return (parseLsn(receiving.position()?.durable_lsn ?? '') ?? 0n) >= wanted;
    });
    return row?.lsn ?? '';
  }

  async plan(options: Partial<PlanOptions> = {}): Promise<PlannedRestore> {
    return planRestore({
      repository: this.repository,
      cluster: NAME,
      target: { kind: 'latest' },
      targetDirectory: this.place(),
      ...options,
    });
  }

  /** Lays the backup down; the server is not started. */
  async lay(planned: PlannedRestore, restoreCommand?: string): Promise<void> {
    await restore({
      repository: this.repository,
      planned,
      workers: this.workers,
      restoreCommand: restoreCommand ?? (await this.fetchCommand(planned.plan.directory)),
      signal: new AbortController().signal,
      report: () => undefined,
    });
  }

  /** Plans, restores and starts; the server is removed with the stage. */
  async restore(options: Partial<PlanOptions> = {}): Promise<Restored> {
    const planned = await this.plan(options);
    await this.lay(planned);
    return this.start(planned);
  }

  async start(planned: PlannedRestore): Promise<Restored> {
    const { directory } = planned.plan;
    const port = await freePort();
    const logFile = `${directory}.log`;
    const socketDirectory = `${directory}.socket`;
    await mkdir(socketDirectory);
    const { uid, gid } = await stat(directory);
    await chown(socketDirectory, uid, gid);
    const recovery = await startRestored({
      planned,
      connection: this.cluster.connection,
      binDirectory: this.cluster.installation.binDirectory,
      port,
      socketDirectory,
      logFile,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    return { planned, recovery, cluster: await this.adopt(directory, port) };
  }

  /** Takes a restored folder under the stage's care, whether its server runs or not. */
  async adopt(dataDirectory: string, port: number, socketDirectory?: string): Promise<LabCluster> {
    const { user, password } = this.cluster.connection;
    const cluster = await adoptCluster({
      dataDirectory,
      binDirectory: this.cluster.installation.binDirectory,
      port,
      user,
      password,
      logFile: `${dataDirectory}.log`,
      ...(socketDirectory === undefined ? {} : { socketDirectory }),
    });
    this.#mine.push(cluster);
    return cluster;
  }

  /** A shell command that has this process run `fetchWal`; its exit code is the one that the command line gives. */
  async fetchCommand(dataDirectory: string, prefetch = 0, byProgram?: FetchByProgram): Promise<string> {
    const wants = join(this.folder, `wants-${randomUUID().slice(0, 8)}`);
    const codes = `${wants}.codes`;
    await run('mkfifo', ['-m', '666', wants, codes]);
    // Mode again: the umask has its say in mkfifo.
    for (const path of [wants, codes]) await chmod(path, 0o666);
    // By number: the socket closes it, and a FileHandle would close it once more.
    const fd = openSync(wants, constants.O_RDONLY | constants.O_NONBLOCK);
    // Both ends stay open here, so that opening never waits and a reader never sees an end.
    const [held, answers] = [await open(wants, 'w'), await open(codes, 'r+')];
    const socket = new Socket({ fd, readable: true, writable: false });
    this.#mine.push({
      [Symbol.asyncDispose]: async () => {
        socket.destroy();
        await held.close();
        await answers.close();
      },
    });
    const answer = async (fileName: string, path: string): Promise<void> => {
      const destination = join(dataDirectory, path);
      let code = 0;
      try {
        if (byProgram === undefined) {
          await fetchWal({
            repository: this.repository,
            cluster: NAME,
            fileName,
            destination,
            dataDirectory,
            prefetch,
          });
        } else code = await byProgram(fileName, path);
        if (code !== 0) return;
        const { uid, gid } = await stat(dataDirectory);
        await chown(destination, uid, gid);
      } catch (error) {
        code = isSpillwayError(error, 'SPW_WAL_ABSENT') ? 1 : 150;
      } finally {
        this.fetched.push(`${fileName} ${code}`);
        await answers.write(`${code}\n`);
      }
    };
    createInterface({ input: socket }).on('line', (line) => {
      const [fileName = '', path = ''] = line.split(' ');
      void answer(fileName, path);
    });
    return `echo "%f %p" > ${wants}; read code < ${codes}; exit $code`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest();
    for (const each of this.#mine.toReversed()) await each[Symbol.asyncDispose]();
    await this.cluster.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }
}
