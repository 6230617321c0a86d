// The real command line as child processes, and what must hold of every one of them, whatever befalls it.
//
// 1. A command that was not killed ends with an exit code of the table, and when it failed, with an error object that
//    names a code of the table, that exit code and a hint.
// 2. Never SPW_INTERNAL, never a stack, never a secret in what it prints.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type ErrorDocument, exitCodes } from '@spillway/contract';

/** Of the release that `npm test` made, or of the checkout. */
const PROGRAM =
  process.env['PROGRAM_UNDER_TEST'] ?? join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'spillway.js');
const END_WITHIN_MS = 120_000;
const OUTPUT_KEPT = 1_000_000;
const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(exitCodes));

export interface Ended {
  readonly words: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined where the command succeeded or was killed. */
  readonly error: ErrorDocument | undefined;
}

export interface CommandPlace {
  readonly config: string;
  /** None of these may ever be printed. */
  readonly secrets: readonly string[];
}

export class Command implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  constructor(place: CommandPlace, words: readonly string[]) {
    this.#child = spawn(process.execPath, [PROGRAM, '--config', place.config, '--json', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = ended(this.#child, words).then((result) => proven(result, place));
    // Looked at by whoever awaits it; until then it must not end this process as an unhandled rejection.
    this.ended.catch(() => undefined);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) {
      this.#child.kill('SIGCONT');
      this.#child.kill('SIGKILL');
    }
    await this.ended.catch(() => undefined);
  }
}

/** Runs a command to its end, whatever end that is. */
export const runCommand = (place: CommandPlace, words: readonly string[]): Promise<Ended> =>
  new Command(place, words).ended;

/** Runs a command that must succeed, and gives its document. */
export async function documentOf<Document>(place: CommandPlace, words: readonly string[]): Promise<Document> {
  const result = await runCommand(place, words);
  if (result.code !== exitCodes.ok) throw new Error(describeEnd(result));
  return JSON.parse(result.stdout) as Document;
}

export const describeEnd = ({ words, code, signal, stdout, stderr }: Ended): string =>
  `spillway ${words.join(' ')} ended with ${code ?? signal}\n${stderr}${stdout}`;

/** In a word: `0`, `SIGKILL`, `21 SPW_STORAGE_FULL`. */
export const shortEnd = ({ code, signal, error }: Ended): string =>
  `${code ?? signal}${error === undefined ? '' : ` ${error.code}`}`;

async function ended(child: ChildProcess, words: readonly string[]): Promise<Omit<Ended, 'error'>> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-OUTPUT_KEPT);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-OUTPUT_KEPT);
  });
  // A receiver runs for as long as it is let; everything else that does not end is a finding.
  const late = words[0] === 'wal' ? undefined : setTimeout(() => child.kill('SIGABRT'), END_WITHIN_MS);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ words, code, signal, stdout, stderr }));
    });
  } finally {
    clearTimeout(late);
  }
}

function proven(result: Omit<Ended, 'error'>, { secrets }: CommandPlace): Ended {
  const complain = (what: string): Error => new Error(`${what}: ${describeEnd({ ...result, error: undefined })}`);
  const printed = result.stdout + result.stderr;
  if (secrets.some((secret) => printed.includes(secret))) throw complain('a secret was printed');
  if (result.code === null) {
    if (result.signal === 'SIGKILL') return { ...result, error: undefined };
    throw complain('a command did not end by itself');
  }
  if (!KNOWN_CODES.has(result.code)) throw complain('an exit code that the table lacks');
  if (/^\s+at .*:\d+:\d+/m.test(printed)) throw complain('a stack was printed');
  if (result.code === exitCodes.ok || result.code === exitCodes.warnings) return { ...result, error: undefined };
  const last = result.stderr.trimEnd().split('\n').at(-1) ?? '';
  let error: ErrorDocument;
  try {
    error = JSON.parse(last) as ErrorDocument;
  } catch {
    throw complain('a failure without an error object');
  }
  if (error.code === 'SPW_INTERNAL') throw complain('an error that nobody foresaw');
  if (error.exit_code !== result.code || error.hint === '' || error.message === '') {
    throw complain('an error object that says too little');
  }
  return { ...result, error };
}
