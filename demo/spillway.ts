// The real command line, run as child processes: the demo does nothing that a person at a shell could not do.
//
// 1. The result is the JSON document on the last line of stdout; progress and messages come on stderr, of which the end
//    is kept for the report of a failure.
// 2. Each child is ended when the demo is: SIGTERM first, and SIGKILL where that does not help. It leads a group of its own, so that
//    Ctrl-C at a terminal is told to it once, by the demo; a demo that must end at once takes it along with all that it started.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { killTreeNow, markProcess } from '@spillway/lab';

const PROGRAM =
  process.env['PROGRAM_UNDER_TEST'] ?? join(import.meta.dirname, '..', 'packages', 'cli', 'bin', 'spillway.js');
const STDERR_KEPT = 4000;
const STOP_WITHIN_MS = 30_000;
/** The command finished, with warnings. */
const EXIT_WARNINGS = 3;

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const { pid } of living) {
    const mark = pid === undefined ? undefined : markProcess(pid);
    if (mark !== undefined) killTreeNow(mark);
  }
});

export interface CommandResult<Document> {
  readonly document: Document;
  /** Of the whole process, its start included. */
  readonly seconds: number;
}

/** Runs one command to its end. Throws with what it said where it failed; `alsoEnds` is another exit code that is no failure. */
export async function spillway<Document>(
  config: string,
  words: readonly string[],
  signal: AbortSignal,
  alsoEnds?: number,
): Promise<CommandResult<Document>> {
  const began = performance.now();
  await using command = new RunningCommand(config, words);
  const abort = (): void => command.interrupt();
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const document = await command.result<Document>(alsoEnds);
    return { document, seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** A command that runs until it is stopped, such as `wal receive`. */
export class RunningCommand implements AsyncDisposable {
  readonly #words: readonly string[];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  #stdout = '';
  #stderr = '';

  constructor(config: string, words: readonly string[]) {
    this.#words = words;
    this.#child = spawn(process.execPath, [PROGRAM, '--config', config, '--json', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    living.add(this.#child);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    // `close` comes after both streams have been read to their end.
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, killed) => {
        living.delete(this.#child);
        resolve(code ?? killed ?? 0);
      });
    });
    // Looked at by result(); a child that cannot even be started must not end the demo as an unhandled rejection.
    this.#ended.catch(() => undefined);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for the end and gives the document it printed. */
  async result<Document>(alsoEnds?: number): Promise<Document> {
    const end = await this.#ended;
    const line = this.#stdout.trimEnd().split('\n').at(-1) ?? '';
    if (end !== 0 && end !== EXIT_WARNINGS && end !== alsoEnds) throw this.failure(`ended with ${end}`);
    try {
      return JSON.parse(line) as Document;
    } catch (cause) {
      throw this.failure('printed no JSON document at the end', cause);
    }
  }

  /** Waits until it has said that on stderr. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.#stderr);
        if (found !== null) resolve(found);
      };
      this.#child.stderr?.on('data', look);
      const end = (): void => reject(this.failure('ended before it was told to'));
      this.#ended.then(end, end);
      look();
    });
  }

  /** What to report where something about the command went wrong. */
  failure(what: string, cause?: unknown): Error {
    const said = [this.#stderr, this.#stdout].map((text) => text.trim()).filter((text) => text !== '');
    const message = [`spillway ${this.#words.join(' ')} ${what}`, ...said].join('\n');
    return new Error(message, { cause });
  }

  interrupt(): void {
    if (this.running) this.#child.kill('SIGTERM');
  }

  /** Asks the command to finish, and gives the document it printed. */
  async stop<Document>(): Promise<Document> {
    this.interrupt();
    await this.#endedWithin(STOP_WITHIN_MS);
    return this.result<Document>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.running) return;
    this.interrupt();
    await this.#endedWithin(STOP_WITHIN_MS).catch(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  async #endedWithin(withinMs: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(this.failure(`did not stop within ${withinMs / 1000} s`)), withinMs);
    try {
      await Promise.race([this.#ended, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
