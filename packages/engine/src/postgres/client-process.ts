// Runs one client program of PostgreSQL to its end.
//
// 1. Its environment is made here and nothing of ours is handed on: where the server is, and the password, stand in
//    variables of libpq and never among the arguments, which every user of the machine can read. HOME leads nowhere, so that
//    no ~/.pgpass, ~/.psqlrc or ~/.postgresql has a say. Root certificates go by a file in a folder of the call's own.
// 2. What it prints is taken as fast as `onOutput` allows: the program waits, not our memory.
// 3. It has failed where its exit code is not 0, where a signal ended it, or where it printed an error; its warnings are
//    given back. Only the last lines of what it says are kept.
// 4. On an abort it is asked to stop (it cancels its statement then), and killed after five seconds.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { type ErrorCode, SpillwayError } from '@spillway/contract';
import type { ConnectionSettings } from './settings.ts';

const LINES_KEPT = 40;
const LINE_CHARACTERS_MAX = 2000;
const KILL_AFTER_MS = 5_000;
const VERSION_TIMEOUT_MS = 10_000;

export interface ClientRun {
  /** Its absolute path. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** The server it talks to; none for a program that only reads. */
  readonly connection?: ConnectionSettings;
  /** Settings of libpq beside those of the connection. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Another account to run it as, for root. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** What it reads. A program that stops reading early stops the iteration. */
  readonly input?: AsyncIterable<Uint8Array>;
  readonly onOutput?: (bytes: Buffer) => Promise<void>;
  /** With which it has not failed; 0 alone where nothing is said. */
  readonly okCodes?: readonly number[];
  /** Which lines on stderr say that it has failed, where its errors are also results. */
  readonly isError?: (line: string) => boolean;
  /** Each line that it says on stderr. */
  readonly onLine?: (line: string) => void;
  /** Of the error where it fails. */
  readonly failure: ErrorCode;
  /** What failed then: `database water was not dumped`. */
  readonly what: string;
  readonly signal: AbortSignal;
}

export interface ClientEnd {
  readonly warnings: readonly string[];
}

export async function runClient(run: ClientRun): Promise<ClientEnd> {
  const { signal } = run;
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'spillway-client-'));
  try {
    const certificates = join(folder, 'root.crt');
    if (run.connection?.ssl === 'verify-full') {
      const text = run.connection.sslRootCertificate ?? rootCertificates.join('\n');
      await writeFile(certificates, text, { mode: 0o600 });
      if (run.runAs !== undefined) {
        for (const path of [folder, certificates]) await chown(path, run.runAs.uid, run.runAs.gid);
      }
    }
    return await runIn(run, { ...clientEnvironment(run.connection, certificates), ...run.environment });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The whole environment of a client program. */
export function clientEnvironment(
  connection: ConnectionSettings | undefined,
  certificates: string,
): Readonly<Record<string, string>> {
  const surroundings = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C', TZ: 'UTC' };
  if (connection === undefined) return surroundings;
  return {
    ...surroundings,
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGDATABASE: connection.database ?? 'postgres',
    PGSSLMODE: connection.ssl ?? 'disable',
    // Not there unless the certificate is to be checked: then libpq checks none.
    PGSSLROOTCERT: certificates,
    PGGSSENCMODE: 'disable',
    PGAPPNAME: connection.applicationName ?? 'spillway',
    PGCONNECT_TIMEOUT: '10',
    ...(connection.password === undefined ? {} : { PGPASSWORD: connection.password }),
  };
}

/** `15.18`, from what it answers to --version. */
export async function readProgramVersion(program: string, signal?: AbortSignal): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      timeout: VERSION_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    const version = /\) (\d+[^\s]*)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
    throw new Error(`it calls itself ${stdout.trim()}`);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new SpillwayError('SPW_POSTGRES_PROGRAM', `could not run ${program}`, { cause });
  }
}

/** Whether a line on stderr is a failure, as psql, pg_dump and pg_restore mark it. */
export const isErrorLine = (line: string): boolean =>
  /^\S*(?:pg_\w+|psql)\S*:(?:.*?:\d+:)? (?:error|fatal): |: (?:ERROR|FATAL|PANIC):  /.test(line);
export const isWarningLine = (line: string): boolean => /^\S*(?:pg_\w+|psql)\S*: warning: |: WARNING:  /.test(line);

async function runIn(run: ClientRun, environment: Readonly<Record<string, string>>): Promise<ClientEnd> {
  const { program, signal } = run;
  const child = spawn(program, [...run.arguments], {
    env: environment,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...run.runAs,
  });
  const ended = new Promise<{ readonly code: number | null; readonly killedBy: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once('error', (cause) =>
        reject(new SpillwayError('SPW_POSTGRES_PROGRAM', `could not run ${program}`, { cause })),
      );
      child.once('close', (code, killedBy) => resolve({ code, killedBy }));
    },
  );
  // Awaited below; what goes wrong before that must not pass for an unhandled rejection.
  ended.catch(() => undefined);
  let killing: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill('SIGTERM');
    killing ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  signal.addEventListener('abort', stop, { once: true });
  const said: string[] = [];
  const errors: string[] = [];
  const warnings: string[] = [];
  createInterface({ input: child.stderr, crlfDelay: Infinity }).on('line', (whole) => {
    const line = whole.slice(0, LINE_CHARACTERS_MAX);
    run.onLine?.(line);
    keep(said, line);
    if ((run.isError ?? isErrorLine)(line)) keep(errors, line);
    if (isWarningLine(line)) keep(warnings, line);
  });
  try {
    await Promise.all([feed(child.stdin, run.input), drain(child.stdout, run.onOutput)]);
    const { code, killedBy } = await ended;
    signal.throwIfAborted();
    if ((run.okCodes ?? [0]).includes(code ?? -1) && errors.length === 0) return { warnings };
    const how =
      killedBy === null
        ? `${basename(program)} ended with code ${code}`
        : `${basename(program)} was ended by ${killedBy}`;
    const words = (errors.length > 0 ? errors : said).slice(-5).join('; ');
    throw new SpillwayError(run.failure, run.what, { why: words === '' ? how : `${how}: ${words}` });
  } catch (error) {
    stop();
    await ended.catch(() => undefined);
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(killing);
    signal.removeEventListener('abort', stop);
  }
}

function keep(lines: string[], line: string): void {
  lines.push(line);
  if (lines.length > LINES_KEPT) lines.shift();
}

async function drain(output: NodeJS.ReadableStream, onOutput: ClientRun['onOutput']): Promise<void> {
  for await (const bytes of output) await onOutput?.(bytes as Buffer);
}

async function feed(input: NodeJS.WritableStream, bytes: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  // The program's own words and exit code say why it stopped reading.
  let gone = false;
  const closed = new AbortController();
  const onGone = (): void => {
    gone = true;
    closed.abort();
  };
  input.on('error', onGone);
  input.on('close', onGone);
  for await (const each of bytes ?? []) {
    if (gone) break;
    if (!input.write(each)) {
      await once(input, 'drain', { signal: closed.signal }).catch(() => undefined);
    }
  }
  if (!gone) input.end();
}
