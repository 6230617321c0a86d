// Gets a secret from where the configuration says it is: a file, a variable of the environment, or a command.
//
// 1. One line end after the secret is stripped, as editors and `echo` put it there.
// 2. A file that every user of the machine may read is used, but warned about.
// 3. A command gets no input, half a minute and 64 KiB; neither its output nor the secret ever enters a message.

import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { type ErrorDetail, errorTable, SpillwayError, type SecretSource } from '@spillway/contract';
import { Concealed } from './concealed.ts';

export interface SecretSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absolute path of a file that the configuration names. */
  readonly resolvePath: (path: string) => string;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
  readonly commandTimeoutMs?: number;
}

const COMMAND_TIMEOUT_MS = 30_000;
const BYTES_MAX = 64 * 1024;
const READABLE_BY_ALL = 0o004;

/** `what` names the secret in messages: `repository passphrase`. Throws SPW_SECRET_UNREADABLE. */
export async function resolveSecret(
  what: string,
  source: SecretSource,
  surroundings: SecretSurroundings,
): Promise<Concealed> {
  const text = withoutLineEnd(await read(what, source, surroundings));
  if (text === '') throw unreadable(what, `${placeOf(source)} is empty`);
  return new Concealed(text);
}

function read(what: string, source: SecretSource, surroundings: SecretSurroundings): Promise<string> {
  switch (source.kind) {
    case 'file':
      return readFile(what, surroundings.resolvePath(source.file), surroundings);
    case 'env': {
      const value = surroundings.environment[source.variable];
      return value === undefined
        ? Promise.reject(unreadable(what, `the variable ${source.variable} is not set`))
        : Promise.resolve(value);
    }
    case 'command':
      return readCommand(what, source.command, surroundings);
  }
}

async function readFile(what: string, path: string, { warn, signal }: SecretSurroundings): Promise<string> {
  signal.throwIfAborted();
  try {
    await using file = await open(path, 'r');
    const { mode } = await file.stat();
    if ((mode & READABLE_BY_ALL) !== 0) {
      warn(`every user of this machine can read ${path}, which holds the ${what}; run: chmod 600 ${path}`);
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BYTES_MAX + 1), 0, BYTES_MAX + 1, 0);
    if (bytesRead > BYTES_MAX) throw unreadable(what, `${path} is larger than 64 KiB`);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const why = `${path}: ${error instanceof Error ? error.message : String(error)}`;
    throw unreadable(what, why, { cause: error, hint: fileHint(what, path, error, accountName()) });
  }
}

/** What to do where a file could not be read. */
export function fileHint(what: string, path: string, error: unknown, account: string): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EACCES':
      return `let the account ${account} read it: chown ${account} ${path} && chmod 600 ${path}; and enter its folders`;
    case 'ENOENT':
      return `make the file with the ${what} in it: (umask 077 && cat > ${path}), ended with Ctrl-D; or name another file`;
    default:
      return errorTable.SPW_SECRET_UNREADABLE.hint;
  }
}

/** A container may run as a number that has no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'that runs Spillway');
  }
}

async function readCommand(what: string, command: string, surroundings: SecretSurroundings): Promise<string> {
  const timeoutMs = surroundings.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const limit = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // A group of its own, so that a time-out ends what the shell started as well.
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: surroundings.environment,
    detached: true,
  });
  const end = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: the group ended by itself in the meantime.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };
  const stop = AbortSignal.any([limit, surroundings.signal]);
  stop.addEventListener('abort', end, { once: true });
  const pieces: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > BYTES_MAX) end();
    else pieces.push(piece);
  });
  child.on('error', reject);
  child.on('close', (code, signal) => {
    if (surroundings.signal.aborted) reject(surroundings.signal.reason);
    else if (limit.aborted) reject(unreadable(what, `its command did not end within ${timeoutMs / 1000} s`));
    else if (bytes > BYTES_MAX) reject(unreadable(what, 'its command printed more than 64 KiB'));
    else if (code !== 0) reject(unreadable(what, `its command ended with ${signal ?? `exit code ${code}`}`));
    else resolve(Buffer.concat(pieces).toString('utf8'));
  });
  if (stop.aborted) end();
  try {
    return await promise;
  } finally {
    stop.removeEventListener('abort', end);
  }
}

const withoutLineEnd = (text: string): string => text.replace(/\r?\n$/, '');

function placeOf(source: SecretSource): string {
  switch (source.kind) {
    case 'file':
      return `the file ${source.file}`;
    case 'env':
      return `the variable ${source.variable}`;
    case 'command':
      return 'what its command prints';
  }
}

const unreadable = (what: string, why: string, detail: ErrorDetail = {}): SpillwayError =>
  new SpillwayError('SPW_SECRET_UNREADABLE', `cannot get the ${what}`, { why, ...detail });
