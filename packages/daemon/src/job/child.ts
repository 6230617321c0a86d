// One run of the command line as a process of its own.
//
// 1. The words are a list, never a shell's line; nothing comes in by standard input, and nobody can be asked.
// 2. It leads a group of processes, so that its end can be had with all that it started: SIGTERM asks it alone, which ends
//    cleanly; SIGKILL takes the group.
// 3. Standard error is read as it comes; standard output is one document, kept up to a limit.
// Invariant: `ended` resolves exactly once, also where the program could not be started at all.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errorTable, type JobErrorDocument } from '@spillway/contract';
import { LineSplitter, readLine, type SaidLine, type SaidProgress } from './lines.ts';
import { signalProcess, startTimeOf } from './processes.ts';

/** How the command line is started. */
export interface Launch {
  /** Node, and before the words of the command the program and the words that every command has. */
  readonly command: string;
  readonly words: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The document on standard output; undefined where there was none, or it was too long. */
  readonly result: unknown;
  /** The same as a person reads it; null where the command told none. */
  readonly text: string | null;
  readonly error: JobErrorDocument | null;
}

export interface Child {
  readonly pid: number | undefined;
  /** Undefined where it could not be started, or where /proc is not there. */
  readonly started: string | undefined;
  readonly ended: Promise<ChildEnd>;
  /** Asks it to end. */
  stop(): void;
  /** Ends it and all that it started. */
  kill(): void;
}

export interface ChildListener {
  readonly onLine: (line: SaidLine) => void;
  readonly onProgress: (progress: SaidProgress) => void;
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export function startChild(launch: Launch, words: readonly string[], listener: ChildListener): Child {
  const { promise: ended, resolve } = Promise.withResolvers<ChildEnd>();
  const notStarted = (cause: unknown): void =>
    resolve({
      code: null,
      signal: null,
      result: undefined,
      text: null,
      error: failure(`could not be started: ${cause instanceof Error ? cause.message : String(cause)}`),
    });
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawn(launch.command, [...launch.words, ...words], {
      cwd: launch.directory,
      env: launch.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    // Words that no process can have.
    notStarted(error);
    return { pid: undefined, started: undefined, ended, stop: () => undefined, kill: () => undefined };
  }
  let error: JobErrorDocument | null = null;
  let text: string | null = null;
  const take = (line: string): void => {
    const said = readLine(line);
    if (said?.kind === 'progress') listener.onProgress(said);
    else if (said?.kind === 'line') listener.onLine(said);
    else if (said?.kind === 'error') error = said.error;
    else if (said?.kind === 'result') text = said.text;
  };
  const lines = new LineSplitter(take);
  child.stderr.on('data', (piece: Buffer) => lines.push(piece));
  let output: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= OUTPUT_BYTES_MAX) output.push(piece);
    else output = [];
  });
  child.on('error', (cause) => {
    if (child.pid === undefined) notStarted(cause);
  });
  child.on('close', (code, signal) => {
    lines.end();
    const ownError = error ?? (signal === null ? null : failure(`was ended by ${signal}`, 'SPW_INTERRUPTED'));
    const isFailure = code !== 0 && code !== 3;
    const result = documentIn(output);
    resolve({
      code,
      signal,
      result,
      text,
      error: isFailure
        ? (ownError ?? notPassed(result) ?? failure(`ended with exit code ${code ?? 'none'} and said nothing`))
        : null,
    });
  });
  const { pid } = child;
  return {
    pid,
    started: pid === undefined ? undefined : startTimeOf(pid),
    ended,
    stop: () => void child.kill('SIGTERM'),
    kill: () => {
      if (pid !== undefined) signalProcess(-pid, 'SIGKILL');
    },
  };
}

const failure = (message: string, code = 'SPW_INTERNAL'): JobErrorDocument => ({
  code,
  message: `the process ${message}`,
  why: null,
  hint: code === 'SPW_INTERRUPTED' ? 'start it again' : 'the log of the job has what it printed',
});

/** What did its work, and tells in its document that what it looked at is not as it must be. */
function notPassed(document: unknown): JobErrorDocument | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { result, failures } = document as { readonly result?: unknown; readonly failures?: unknown };
  if (result !== 'failed') return undefined;
  const told = Array.isArray(failures) ? failures.filter((each) => typeof each === 'string') : [];
  const code = 'SPW_NOT_PASSED';
  return { code, message: 'it did not pass', why: told[0] ?? null, hint: errorTable[code].hint };
}

function documentIn(output: readonly Buffer[]): unknown {
  const text = Buffer.concat(output).toString('utf8').trim();
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
