// Commands of a drill file: run by /bin/sh, each in a process group of its own, and all of it ended afterwards.
//
// 1. They get the way to the restored database (PG*, DATABASE_URL), a folder that goes with the drill (TMPDIR), a port, and of
//    this process's environment only what programs need to be found and to speak: no secret of the repository.
// 2. Each carries the drill's mark in its environment. What has left its group is found by it, and so is what a drill left
//    that was killed itself (`endMarked`). Invariant: nothing is killed but what carries the mark.
// 3. The end is SIGTERM, and SIGKILL for what is still there after five seconds.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contract';
import type { ConnectionSettings } from '@spillway/engine';

const END_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 20;
const OUTPUT_KEPT = 2_000;
export const MARK = 'SPILLWAY_DRILL';

const PASSED_ON = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'LD_LIBRARY_PATH'];

export interface CommandPlace {
  /** The mark of the drill. */
  readonly id: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where commands run: the folder of the drill file. */
  readonly directory: string;
  /** Theirs, removed with the drill. */
  readonly folder: string;
  /** To the restored database. */
  readonly connection: ConnectionSettings;
  /** For a service that the command starts. */
  readonly port?: number;
}

export interface RunningCommand extends AsyncDisposable {
  readonly ended: Promise<CommandEnd>;
  /** The last of what it printed. */
  readonly output: () => string;
}

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export function startCommand(command: string, place: CommandPlace): RunningCommand {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: place.directory,
    env: environmentOf(place),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that all of it can be signalled.
    detached: true,
  });
  let output = '';
  const keep = (text: string): void => {
    output = (output + text).slice(-OUTPUT_KEPT);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const ended = new Promise<CommandEnd>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new SpillwayError('SPW_DRILL_INVALID', 'a command of the drill could not be started', { cause })),
    );
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  ended.catch(() => undefined);
  return {
    ended,
    output: () => output.trim(),
    [Symbol.asyncDispose]: () => endGroup(child, place.id),
  };
}

/** Runs it to its end; undefined where that did not come in time. */
export async function runCommand(
  command: string,
  place: CommandPlace,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<{ readonly end: CommandEnd | undefined; readonly output: string }> {
  await using running = startCommand(command, place);
  const over = new AbortController();
  try {
    const stop = AbortSignal.any([signal, over.signal]);
    const end = await Promise.race([running.ended, pause(timeoutMs, undefined, { signal: stop })]);
    return { end, output: running.output() };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
  }
}

function environmentOf({ id, environment, folder, connection, port }: CommandPlace): Record<string, string> {
  const { host, user, password = '', database = 'postgres' } = connection;
  const kept = PASSED_ON.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const url = new URL(`postgres://127.0.0.1:${connection.port}`);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  url.pathname = `/${encodeURIComponent(database)}`;
  return {
    ...Object.fromEntries(kept),
    PGHOST: host,
    PGPORT: String(connection.port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    DATABASE_URL: url.href,
    TMPDIR: folder,
    ...(port === undefined ? {} : { PORT: String(port) }),
    [MARK]: id,
  };
}

async function endGroup(child: ChildProcess, id: string): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  signalTo(-pid, 'SIGTERM');
  const until = performance.now() + END_WITHIN_MS;
  while ((await markedBy((mark) => mark === id)).length > 0 && performance.now() < until) await pause(LOOK_AGAIN_MS);
  await endMarked(id);
}

/** Kills whatever carries the drill's mark. Gives how many there were. */
export async function endMarked(id: string): Promise<number> {
  const found = await markedBy((mark) => mark === id);
  for (const pid of found) signalTo(pid, 'SIGKILL');
  return found.length;
}

/** By proc_pid_environ(5), which shows those of one's own account alone. */
async function markedBy(is: (mark: string) => boolean): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    // What has ended, and what is another account's, shows nothing.
    const text = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    const mark = text.split('\0').find((each) => each.startsWith(`${MARK}=`));
    if (mark !== undefined && is(mark.slice(MARK.length + 1))) found.push(Number(name));
  }
  return found;
}

function signalTo(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
