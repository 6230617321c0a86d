// Programs of PostgreSQL on this machine, and servers started from them.
//
// 1. `postgres` is started directly, not by pg_ctl: its process is our child, so that its end is told at once.
// 2. As root a server runs as the owner of its data directory, as PostgreSQL refuses to run as root.
// 3. The server gets an environment of its own: what this process was given (secrets among it) is not handed on.
// 4. Whether a server runs is told by postmaster.pid, checked against /proc: a number that another program got in the
//    meantime does not count. A postmaster lives in its data directory, so its working directory is the proof.

import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';

export interface Programs {
  readonly binDirectory: string;
  readonly major: number;
  /** As the server prints it: `15.18`. */
  readonly version: string;
}

/**
 * Finds `postgres`: in `binDirectory` alone if it is given, else along `searchPath`, else where Debian's packages are
 * (`/usr/lib/postgresql/<major>/bin`). Throws SPW_POSTGRES_PROGRAM where none is of the wanted major.
 */
export async function findPrograms(wanted: {
  readonly binDirectory?: string;
  readonly major?: number;
  readonly searchPath?: readonly string[];
  readonly signal?: AbortSignal;
}): Promise<Programs> {
  const { binDirectory, major, searchPath = [], signal } = wanted;
  const packaged = (major === undefined ? [18, 17, 16, 15] : [major]).map((each) => `/usr/lib/postgresql/${each}/bin`);
  const folders = binDirectory === undefined ? [...searchPath, ...packaged] : [binDirectory];
  const seen: string[] = [];
  for (const folder of folders) {
    const program = join(folder, 'postgres');
    if (!(await isProgram(program))) continue;
    const version = await readVersion(program, signal);
    const found = { binDirectory: folder, major: Number.parseInt(version, 10), version };
    if (major === undefined || found.major === major) return found;
    seen.push(`${version} in ${folder}`);
  }
  throw new SpillwayError('SPW_POSTGRES_PROGRAM', `no postgres ${major ?? ''} was found`.replace('  ', ' '), {
    why: seen.length > 0 ? `found only ${seen.join(', ')}` : `there is none in ${folders.join(', ')}`,
  });
}

export interface ServerOptions {
  readonly binDirectory: string;
  readonly dataDirectory: string;
  readonly port: number;
  /** Where the Unix socket is made. */
  readonly socketDirectory: string;
  /** What the server writes to stdout and stderr is appended to it. */
  readonly logFile: string;
  /** Settings that go over those of the configuration files. */
  readonly settings: Readonly<Record<string, string>>;
  /** By default, as root, the owner of the data directory. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** How much it and all its processes give way to others: nice(1). */
  readonly niceness?: number;
  /** Whether the server lives on when this process ends. */
  readonly detached?: boolean;
  /** For the server and the commands it runs, such as restore_command. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Aborting stops the server at once (`immediate`), unless it is detached. */
  readonly signal?: AbortSignal;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** smart: waits for the clients; fast: ends their sessions; immediate: as after a crash, with recovery at the next start. */
export type StopMode = 'smart' | 'fast' | 'immediate';

export interface WaitOptions {
  /** 60 s by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface RunningServer {
  readonly pid: number;
  /** Settles when the process has ended, however. */
  readonly exited: Promise<ServerExit>;
  /**
   * Waits until the server says `ready` (it takes connections; in recovery with hot_standby they are read-only) or
   * `standby` (in recovery without hot_standby). Throws SPW_POSTGRES_FAILED with the last lines of the log when it ends
   * before, and SPW_POSTGRES_UNREACHABLE when it takes too long.
   */
  waitUntilReady(options?: WaitOptions): Promise<'ready' | 'standby'>;
  /** Asks it to stop and waits until it has. Fine when it has ended already. */
  stop(mode: StopMode, options?: WaitOptions): Promise<ServerExit>;
}

/** Starts a server; it is not ready yet. Throws SPW_SERVER_RUNNING, SPW_DATA_DIRECTORY, SPW_POSTGRES_PROGRAM. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { dataDirectory, detached = false, signal } = options;
  signal?.throwIfAborted();
  if (await isServerRunning(dataDirectory)) {
    throw new SpillwayError('SPW_SERVER_RUNNING', `a server runs in ${dataDirectory}`);
  }
  const owner = await stat(dataDirectory).catch((cause: unknown) => {
    throw new SpillwayError('SPW_DATA_DIRECTORY', `could not read ${dataDirectory}`, { cause });
  });
  const runAs = options.runAs ?? (process.getuid?.() === 0 ? { uid: owner.uid, gid: owner.gid } : undefined);
  const logFile = await open(options.logFile, 'a', 0o600);
  try {
    if (runAs !== undefined) await logFile.chown(runAs.uid, runAs.gid);
    const settings = {
      port: String(options.port),
      unix_socket_directories: options.socketDirectory,
      ...options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const program = join(options.binDirectory, 'postgres');
    // `nice` becomes the server, so the process is the same; set from here, its first children might have been made before.
    const words = options.niceness === undefined ? [program] : ['nice', '-n', String(options.niceness), program];
    const [first = program, ...rest] = words;
    const child = spawn(first, [...rest, '-D', dataDirectory, ...flags], {
      cwd: dataDirectory,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...options.environment },
      stdio: ['ignore', logFile.fd, logFile.fd],
      detached,
      ...runAs,
    });
    const exited = new Promise<ServerExit>((resolve) => {
      child.once('exit', (code, killedBy) => resolve({ code, signal: killedBy }));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) =>
        reject(
          new SpillwayError('SPW_POSTGRES_PROGRAM', `could not start postgres in ${options.binDirectory}`, { cause }),
        ),
      );
    });
    const server = new ChildServer(child.pid ?? 0, exited, options);
    if (detached) child.unref();
    else server.stopOn(signal);
    return server;
  } finally {
    await logFile.close();
  }
}

/** Whether a server runs in `dataDirectory`, by its postmaster.pid. */
export const isServerRunning = async (dataDirectory: string): Promise<boolean> =>
  (await serverProcess(dataDirectory)) !== undefined;

/** The process of the server that runs in `dataDirectory`. A server in another container is not seen. */
export async function serverProcess(dataDirectory: string): Promise<number | undefined> {
  const lines = await postmasterLines(dataDirectory);
  // A single-user server writes its number negative.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  if (!Number.isSafeInteger(pid) || pid === 0 || !isAlive(pid)) return undefined;
  return (await livesIn(pid, dataDirectory)) ? pid : undefined;
}

const TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const LOG_TAIL_BYTES = 2048;

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

class ChildServer implements RunningServer {
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  readonly #options: ServerOptions;
  #exit: ServerExit | undefined;

  constructor(pid: number, exited: Promise<ServerExit>, options: ServerOptions) {
    this.pid = pid;
    this.#options = options;
    this.exited = exited.then((exit) => {
      this.#exit = exit;
      return exit;
    });
  }

  async waitUntilReady(options: WaitOptions = {}): Promise<'ready' | 'standby'> {
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    const end = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#exit !== undefined) throw await this.#ended(this.#exit);
      const lines = await postmasterLines(this.#options.dataDirectory);
      const status = lines[7]?.trim();
      if (Number(lines[0]) === this.pid && (status === 'ready' || status === 'standby')) return status;
      if (performance.now() > end) throw this.#late('become ready', timeoutMs);
      await delay(POLL_MS);
    }
  }

  async stop(mode: StopMode, options: WaitOptions = {}): Promise<ServerExit> {
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    if (this.#exit !== undefined) return this.#exit;
    this.#signal(stopSignals[mode]);
    const waiting = new AbortController();
    try {
      const limit = AbortSignal.any([waiting.signal, ...(signal === undefined ? [] : [signal])]);
      const late = delay(timeoutMs, undefined, { signal: limit }).catch(() => undefined);
      const exit = await Promise.race([this.exited, late]);
      signal?.throwIfAborted();
      if (exit === undefined) throw this.#late(`stop (${mode})`, timeoutMs);
      return exit;
    } finally {
      waiting.abort();
    }
  }

  stopOn(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const abort = (): void => {
      if (this.#exit === undefined) this.#signal(stopSignals.immediate);
    };
    signal.addEventListener('abort', abort, { once: true });
    void this.exited.finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      // It has ended, and we are about to be told.
      if (!isErrno(error, 'ESRCH')) throw error;
    }
  }

  async #ended(exit: ServerExit): Promise<SpillwayError> {
    const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
    return new SpillwayError('SPW_POSTGRES_FAILED', `the server in ${this.#options.dataDirectory} ended ${how}`, {
      why: await tail(this.#options.logFile),
      hint: `read ${this.#options.logFile}`,
    });
  }

  #late(what: string, timeoutMs: number): SpillwayError {
    return new SpillwayError(
      'SPW_POSTGRES_UNREACHABLE',
      `the server in ${this.#options.dataDirectory} did not ${what}`,
      {
        why: `not within ${Math.round(timeoutMs / 1000)} s`,
        hint: `read ${this.#options.logFile}`,
      },
    );
  }
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function readVersion(program: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], {
      env: { LC_ALL: 'C' },
      timeout: 10_000,
      ...(signal === undefined ? {} : { signal }),
    });
    // `postgres (PostgreSQL) 15.18 (Debian …)`; before a release: 19beta1.
    const version = /\) (\d+[^\s]*)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
    throw new Error(`it calls itself ${stdout.trim()}`);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new SpillwayError('SPW_POSTGRES_PROGRAM', `could not run ${program}`, { cause });
  }
}

/** Lines of postmaster.pid: pid, data directory, start time, port, socket folder, address, memory key, status. */
async function postmasterLines(dataDirectory: string): Promise<readonly string[]> {
  try {
    return (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return [];
    throw new SpillwayError('SPW_DATA_DIRECTORY', `could not read postmaster.pid in ${dataDirectory}`, { cause });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There, but somebody else's.
    return isErrno(error, 'EPERM');
  }
}

async function livesIn(pid: number, dataDirectory: string): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDirectory));
  } catch (error) {
    if (isErrno(error, 'ENOENT') && (await isProgramless(pid))) return false;
  }
  // Another user's process hides its folder; its command line is open to all.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  // Without /proc nothing speaks against it, and believing in a server is the safe side.
  return commandLine === undefined || /(^|\/)(postgres|postmaster)\b/.test(commandLine.split('\0')[0] ?? '');
}

/** Ended between two looks: there is a /proc, and it does not have the process. */
async function isProgramless(pid: number): Promise<boolean> {
  const [all, one] = await Promise.allSettled([stat('/proc/self'), stat(`/proc/${pid}`)]);
  return all.status === 'fulfilled' && one.status === 'rejected';
}

async function tail(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const begin = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, begin);
    return buffer.subarray(0, bytesRead).toString('utf8').trim().split('\n').slice(-5).join('\n');
  } finally {
    await handle.close();
  }
}

const isErrno = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
