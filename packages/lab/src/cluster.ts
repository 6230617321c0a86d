// One throw-away PostgreSQL cluster: made, started, stopped, killed, removed.
//
// 1. A folder holds all of it: data/, socket/, server.log, password. initdb makes the data directory (page checksums
//    on, scram passwords, UTF8, durable settings kept: fsync is never switched off), or a run of the tests copies one that
//    initdb made before (template.ts).
// 2. The server is our own child in a session of its own, run by an unprivileged account where we are root. Port,
//    address and socket folder are given on its command line, not in postgresql.conf, so a restored copy of the data
//    directory does not inherit them.
// 3. Started means that postmaster.pid says `ready`. A port that was taken meanwhile is replaced by another.
// 4. What still runs when this process ends is killed and removed on the way out (see remains.ts), except where
//    it was started to outlive us.
// Invariant: only processes that this cluster started, or was given to adopt, are ever signalled.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import pg from 'pg';
import { giveTo, type ServerAccount, serverAccount } from './account.ts';
import { chooseInstallation, type Installation, inspectInstallation } from './installations.ts';
import {
  descendantsOf,
  isAlive,
  killTree,
  markProcess,
  type ProcessMark,
  signalProcess,
  untilGone,
} from './process.ts';
import { forgetRemains, noteRemains } from './remains.ts';
import { copyTemplate, templateFor } from './template.ts';
import { readPostmasterFile, removeSharedMemory, runningPostmaster } from './postmaster.ts';

const run = promisify(execFile);

const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 60_000;
const POLL_MS = 10;
const SUPERUSER = 'postgres';
const PORT_ATTEMPTS = 5;
/** sun_path holds 107 characters, and PostgreSQL adds `/.s.PGSQL.65535`. */
const SOCKET_DIRECTORY_MAX = 90;

/** What a client needs; fits the engine's ConnectionSettings and pg's ClientConfig. */
export interface LabConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface ClusterOptions {
  readonly major?: number;
  readonly installation?: Installation;
  /** The cluster's own folder; by default a new one under the system's folder for temporary files. */
  readonly directory?: string;
  /** Lines of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly initdbArguments?: readonly string[];
  /** Fixed port; by default a free one, and another if it is taken before the server has it. */
  readonly port?: number;
  /** Page checksums; on by default. */
  readonly checksums?: boolean;
  readonly walSegmentMegabytes?: number;
  readonly superuser?: string;
  /** Let the server outlive this process. */
  readonly persistent?: boolean;
  readonly signal?: AbortSignal;
}

export interface AdoptOptions {
  readonly dataDirectory: string;
  readonly binDirectory: string;
  readonly port: number;
  readonly user?: string;
  readonly password: string;
  readonly database?: string;
  readonly logFile?: string;
  /** By default the data directory itself. */
  readonly socketDirectory?: string;
  readonly persistent?: boolean;
}

export type StopMode = 'smart' | 'fast' | 'immediate';

interface Place {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly logFile: string;
  /** What `destroy` removes; folders in `emptied` only if nothing else is in them. */
  readonly owned: readonly string[];
  readonly emptied: readonly string[];
}

interface Identity {
  readonly installation: Installation;
  readonly account: ServerAccount | undefined;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly persistent: boolean;
}

/** Makes a cluster and starts it. Throws SPW_LAB, and leaves nothing behind, where that fails. */
export async function startCluster(options: ClusterOptions = {}): Promise<LabCluster> {
  const installation =
    options.installation ?? (await chooseInstallation(options.major === undefined ? {} : { major: options.major }));
  const account = await serverAccount();
  const making = { installation, account, words: initdbWords(installation, options), signal: options.signal };
  const template = await templateFor(
    [installation.binDirectory, account?.name ?? '', ...making.words],
    (folder, secret) => makeTemplate(folder, secret, making),
  );
  const place = await makePlace(options.directory, account);
  const identity: Identity = {
    installation,
    account,
    user: options.superuser ?? SUPERUSER,
    password: template?.password ?? randomBytes(18).toString('base64url'),
    database: 'postgres',
    persistent: options.persistent ?? false,
  };
  const cluster = new LabCluster(place, identity, options.port ?? (await freePort()));
  try {
    if (template === undefined) await initialise(place, identity.password, making);
    else await copyTemplate(template, place.dataDirectory);
    await configure(place, options);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await cluster.start(options.signal);
        return cluster;
      } catch (error) {
        if (!cluster.portWasTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error;
        cluster.port = await freePort();
      }
    }
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
}

/** Wraps a data directory made by somebody else, a restored one for example, running or not. `destroy` removes it. */
export async function adoptCluster(options: AdoptOptions): Promise<LabCluster> {
  const owner = await stat(options.dataDirectory);
  const account =
    process.getuid?.() === 0 && owner.uid !== 0
      ? { name: String(owner.uid), uid: owner.uid, gid: owner.gid }
      : await serverAccount();
  const madeSocketDirectory =
    options.socketDirectory === undefined && options.dataDirectory.length > SOCKET_DIRECTORY_MAX
      ? await mkdtemp(join(tmpdir(), 'spillway-socket-'))
      : undefined;
  if (madeSocketDirectory !== undefined) await giveTo(account, madeSocketDirectory);
  const socketDirectory = options.socketDirectory ?? madeSocketDirectory ?? options.dataDirectory;
  const logFile = options.logFile ?? `${options.dataDirectory}.log`;
  const place: Place = {
    directory: options.dataDirectory,
    dataDirectory: options.dataDirectory,
    socketDirectory,
    logFile,
    owned: [options.dataDirectory, logFile, ...(madeSocketDirectory === undefined ? [] : [madeSocketDirectory])],
    emptied: [],
  };
  const identity: Identity = {
    installation: await inspectInstallation(options.binDirectory),
    account,
    user: options.user ?? 'postgres',
    password: options.password,
    database: options.database ?? 'postgres',
    persistent: options.persistent ?? false,
  };
  const cluster = new LabCluster(place, identity, options.port);
  cluster.take(await runningPostmaster(options.dataDirectory));
  return cluster;
}

/** A free TCP port of this machine, as the kernel gives it; somebody else may take it before it is used. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new TypeError('the socket has no port'));
        else resolve(address.port);
      });
    });
  });
}

export class LabCluster implements AsyncDisposable {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly logFile: string;
  readonly host = '127.0.0.1';
  readonly user: string;
  readonly password: string;
  readonly installation: Installation;
  port: number;
  /** Whether the last failed start failed because another process had the port. */
  portWasTaken = false;
  readonly #place: Place;
  readonly #identity: Identity;
  #postmaster: ProcessMark | undefined;

  constructor(place: Place, identity: Identity, port: number) {
    this.#place = place;
    this.#identity = identity;
    this.directory = place.directory;
    this.dataDirectory = place.dataDirectory;
    this.socketDirectory = place.socketDirectory;
    this.logFile = place.logFile;
    this.user = identity.user;
    this.password = identity.password;
    this.installation = identity.installation;
    this.port = port;
    const { owned, emptied } = place;
    if (!identity.persistent) noteRemains(this, { postmaster: () => this.#postmaster, owned, emptied });
  }

  /** How to connect; to another database with `{ ...cluster.connection, database }`. */
  get connection(): LabConnection {
    const { user, password, database } = this.#identity;
    return { host: this.host, port: this.port, user, password, database };
  }

  /** The account that runs the server, undefined where it is our own. */
  get account(): ServerAccount | undefined {
    return this.#identity.account;
  }

  /** The postmaster, or undefined while the cluster is down. */
  get pid(): number | undefined {
    return this.#postmaster !== undefined && isAlive(this.#postmaster) ? this.#postmaster.pid : undefined;
  }

  get running(): boolean {
    return this.pid !== undefined;
  }

  /** Starts the server and waits until it takes connections; nothing to do where it runs. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.running) return;
    this.portWasTaken = false;
    const log = await open(this.logFile, 'a', 0o600);
    const logStart = (await log.stat()).size;
    let child: ChildProcess;
    try {
      child = await this.#spawn(log.fd);
    } finally {
      await log.close();
    }
    try {
      await this.#untilReady(child, logStart, signal);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Runs one statement in a connection of its own and returns its rows. */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    parameters: readonly unknown[] = [],
    database: string = this.#identity.database,
  ): Promise<Row[]> {
    const client = await this.connect(database);
    try {
      // Without parameters the simple protocol is used, which takes several statements at once.
      const result =
        parameters.length === 0 ? await client.query<Row>(sql) : await client.query<Row>(sql, [...parameters]);
      return result.rows;
    } finally {
      await client.end();
    }
  }

  /** A connected client; the caller ends it. */
  async connect(database: string = this.#identity.database): Promise<pg.Client> {
    const client = new pg.Client({ ...this.connection, database, connectionTimeoutMillis: START_WITHIN_MS });
    // A server that vanishes shows in the next query; without a listener it would end this process.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Asks the server to stop and waits until it and its children are gone. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    const postmaster = this.#postmaster;
    if (postmaster === undefined || !isAlive(postmaster)) return;
    const family = [postmaster, ...descendantsOf(postmaster.pid)];
    signalProcess(postmaster.pid, ({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const)[mode]);
    await untilGone(family, STOP_WITHIN_MS);
  }

  /** SIGKILL to the postmaster and all its children at once, as a power cut would; waits until all are gone. */
  async kill(): Promise<void> {
    if (this.#postmaster !== undefined) await killTree(this.#postmaster);
  }

  /** Kills the server and removes everything of the cluster from the disk. */
  async destroy(): Promise<void> {
    await this.kill();
    await removeSharedMemory(this.dataDirectory);
    for (const path of this.#place.owned) await rm(path, { recursive: true, force: true });
    for (const path of this.#place.emptied) await rmdir(path).catch(ignoreUnlessEmpty);
    forgetRemains(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  /** Takes over a server that was started by somebody else. */
  take(postmaster: ProcessMark | undefined): void {
    this.#postmaster = postmaster;
  }

  async #spawn(logDescriptor: number): Promise<ChildProcess> {
    const { account, installation } = this.#identity;
    const program = join(installation.binDirectory, 'postgres');
    const words = ['-D', this.dataDirectory, '-p', String(this.port), '-c', 'listen_addresses=127.0.0.1'];
    words.push('-c', `unix_socket_directories=${this.socketDirectory}`);
    const child = spawn(program, words, {
      cwd: this.dataDirectory,
      env: serverEnvironment,
      detached: true,
      stdio: ['ignore', logDescriptor, logDescriptor],
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new SpillwayError('SPW_LAB', `cannot run ${program}`, { cause })));
    });
    this.take(child.pid === undefined ? undefined : markProcess(child.pid));
    return child;
  }

  async #untilReady(child: ChildProcess, logStart: number, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    for (;;) {
      signal?.throwIfAborted();
      const file = await readPostmasterFile(this.dataDirectory);
      if (file?.pid === child.pid && (file?.status === 'ready' || file?.status === 'standby')) return;
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || performance.now() > deadline) {
        const log = (await readFile(this.logFile)).subarray(logStart).toString('utf8').trim();
        this.portWasTaken = /could not bind|Address already in use/.test(log);
        throw new SpillwayError('SPW_LAB', `PostgreSQL ${this.installation.version} did not start`, {
          why: ended ? `its log ends with: ${lastLines(log)}` : `it was not ready after ${START_WITHIN_MS / 1000} s`,
        });
      }
      await pause(POLL_MS);
    }
  }
}

async function makePlace(directory: string | undefined, account: ServerAccount | undefined): Promise<Place> {
  const made = directory === undefined ? await mkdtemp(join(tmpdir(), 'spillway-lab-')) : undefined;
  const home = made ?? directory ?? '';
  const socketDirectory = join(home, 'socket');
  if (socketDirectory.length > SOCKET_DIRECTORY_MAX) {
    throw new SpillwayError('SPW_LAB', `the path ${home} is too long for a Unix socket`, {
      hint: 'name a folder with a shorter path',
    });
  }
  await mkdir(home, { recursive: true, mode: 0o700 });
  const place: Place = {
    directory: home,
    dataDirectory: join(home, 'data'),
    socketDirectory,
    logFile: join(home, 'server.log'),
    owned: ['data', 'socket', 'server.log', 'password'].map((name) => join(home, name)),
    emptied: [home],
  };
  await mkdir(place.dataDirectory, { mode: 0o700 });
  await mkdir(place.socketDirectory, { mode: 0o700 });
  await chmod(home, 0o755);
  await giveTo(account, home, place.dataDirectory, place.socketDirectory);
  return place;
}

interface Making {
  readonly installation: Installation;
  readonly account: ServerAccount | undefined;
  /** What initdb is told but for where and the password. */
  readonly words: readonly string[];
  readonly signal: AbortSignal | undefined;
}

function initdbWords(installation: Installation, options: ClusterOptions): readonly string[] {
  const words = ['-U', options.superuser ?? SUPERUSER];
  words.push('--auth=scram-sha-256', '--encoding=UTF8', '--no-sync', '--no-instructions');
  // 17 brought a locale of its own that needs nothing of the operating system.
  if (installation.major >= 17) words.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C');
  else words.push('--locale=C.UTF-8');
  if (options.checksums ?? true) words.push('--data-checksums');
  else if (installation.major >= 18) words.push('--no-data-checksums');
  if (options.walSegmentMegabytes !== undefined) words.push(`--wal-segsize=${options.walSegmentMegabytes}`);
  return [...words, ...(options.initdbArguments ?? [])];
}

/** `data` and `password` alone, below the folder. */
async function makeTemplate(folder: string, password: string, making: Making): Promise<void> {
  const place = await makePlace(folder, making.account);
  await initialise(place, password, making);
  await rmdir(place.socketDirectory);
}

async function initialise(place: Place, password: string, making: Making): Promise<void> {
  const { account, installation, signal } = making;
  const passwordFile = join(place.directory, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  await giveTo(account, passwordFile);
  const words = ['-D', place.dataDirectory, `--pwfile=${passwordFile}`, ...making.words];
  try {
    await run(join(installation.binDirectory, 'initdb'), words, {
      cwd: place.directory,
      env: serverEnvironment,
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const output = cause instanceof Error && 'stderr' in cause ? lastLines(String(cause.stderr)) : undefined;
    throw new SpillwayError('SPW_LAB', `initdb ${installation.version} failed`, {
      cause,
      ...(output === undefined ? {} : { why: output }),
      ...(account === undefined ? {} : { hint: `check that the account ${account.name} can enter ${place.directory}` }),
    });
  }
}

/** Adds the lab's settings and those that were asked for to the fresh postgresql.conf. */
async function configure(place: Place, options: ClusterOptions): Promise<void> {
  const settings = { ...defaultSettings, ...options.settings };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  const configuration = join(place.dataDirectory, 'postgresql.conf');
  await writeFile(configuration, `\n# The lab's settings\n${lines.join('\n')}\n`, { flag: 'a' });
}

/** What the lab changes in a fresh postgresql.conf; nothing that makes commits less durable. */
const defaultSettings: Readonly<Record<string, string>> = {
  wal_level: 'replica',
  max_wal_senders: '10',
  max_replication_slots: '10',
  shared_buffers: '64MB',
  max_connections: '50',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] ',
  // Files below the data directory, so that a killed server leaves nothing in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
};

/** A server's surroundings are the same wherever the lab runs: no PG* variables, no foreign locale. */
const serverEnvironment: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
};

const lastLines = (text: string): string => text.trim().split('\n').slice(-5).join(' | ');

function ignoreUnlessEmpty(error: unknown): void {
  // Somebody else's files are in the folder, or the folder is gone: both are as they should be.
  if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'ENOENT')) return;
  throw error;
}
