// Runs one command and measures it.
//
//   wall    from just before its start until it has ended and its output is read
//   CPU     of the command and every descendant it waited for, by bash's `time`, and of the source's server over the same
//           span: a peer that lets the server read its files, or archive its WAL, must not look cheaper for it
//   bytes   what they read with read calls and what they wrote into files, as the kernel counts it (`process-io.ts`), of
//           the command, its descendants and, over the same span, of the server
//   memory  the peaks of the processes of the command, as the kernel keeps them, added; looked at ten times a second,
//           so what a process takes in its last tenth of a second may be missed
// A command is ended, with all its descendants, when the bench is interrupted or it runs longer than COMMAND_WITHIN_MS.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { descendantsOf, killTree, markProcess, type ServerAccount } from '@spillway/lab';
import { type ProcessIo, parseProcessIo } from './process-io.ts';
import { parsePeakMemory, parseProcessCpu, parseTimes, TIME_FORMAT } from './process-times.ts';

const COMMAND_WITHIN_MS = 60 * 60_000;
const LOOK_EVERY_MS = 100;
const OUTPUT_KEPT = 8000;

export interface Command {
  readonly program: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it must not run as root. */
  readonly account?: ServerAccount | undefined;
  /** For a program that times itself without its start: its seconds, from what it printed. */
  readonly ownSeconds?: (stdout: string) => number;
}

export interface Measurement {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly serverCpuSeconds: number;
  readonly peakBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** Throws with what the command said where it failed. `serverPid` is undefined where no server takes part. */
export async function measure(
  command: Command,
  serverPid: number | undefined,
  signal: AbortSignal,
): Promise<Measurement> {
  const serverBefore = usedByTree(serverPid);
  const began = performance.now();
  const { stdout, times, peakBytes } = await runTimed(command, signal);
  const wall = (performance.now() - began) / 1000;
  const server = usedByTree(serverPid);
  const [first = '', ...rest] = times.split('\n');
  const cpuSeconds = parseTimes(first);
  const io = parseProcessIo(rest.join('\n'));
  if (cpuSeconds === undefined || io === undefined)
    throw new Error(`bash told no times of ${command.program}: ${times}`);
  return {
    seconds: command.ownSeconds?.(stdout) ?? wall,
    cpuSeconds,
    serverCpuSeconds: server.cpuSeconds - serverBefore.cpuSeconds,
    peakBytes,
    readBytes: io.readBytes + server.readBytes - serverBefore.readBytes,
    writtenBytes: io.writtenBytes + server.writtenBytes - serverBefore.writtenBytes,
  };
}

/** Runs a command that is not measured, and gives what it printed, or so many characters of its end. */
export async function perform(command: Command, signal: AbortSignal, kept = OUTPUT_KEPT): Promise<string> {
  return (await runTimed(command, signal, kept)).stdout;
}

interface Ran {
  readonly stdout: string;
  readonly times: string;
  readonly peakBytes: number;
}

// --norc: with a socket for stdin bash takes itself for a login over the network.
// The command gets the stderr that bash was given; times and bytes go to descriptor 3, which it does not inherit. What
// descendants read and wrote was added to bash's own by the kernel when it waited for them.
const TIMED = `TIMEFORMAT='${TIME_FORMAT}'; exec 4>&2; { time "$@" 2>&4 3>&- 4>&-; } 2>&3; code=$?
while read -r line; do echo "$line" >&3; done </proc/$$/io; exit $code`;

async function runTimed(command: Command, signal: AbortSignal, kept = OUTPUT_KEPT): Promise<Ran> {
  signal.throwIfAborted();
  const { program, words, environment, account } = command;
  const child = spawn('bash', ['--norc', '-c', TIMED, 'bash', program, ...words], {
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C', ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killed) => resolve(code ?? killed ?? 0));
  });
  const output = [child.stdout, child.stderr, child.stdio[3] as Readable].map((stream) => lastOf(stream, kept));
  const said = (): string => output.map((text) => text().trim()).join('\n');
  const peaks = new Map<number, number>();
  const looking = setInterval(() => notePeaks(child, peaks), LOOK_EVERY_MS);
  const late = AbortSignal.timeout(COMMAND_WITHIN_MS);
  const stop = AbortSignal.any([signal, late]);
  const end = (): void => void endTree(child);
  stop.addEventListener('abort', end, { once: true });
  try {
    const code = await ended;
    signal.throwIfAborted();
    if (late.aborted) throw new Error(`${program} ${words.join(' ')} ran for ${COMMAND_WITHIN_MS / 60_000} min`);
    if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${code}\n${said()}`);
    const [stdout = '', , times = ''] = output.map((text) => text());
    return { stdout, times, peakBytes: [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0) };
  } finally {
    clearInterval(looking);
    stop.removeEventListener('abort', end);
  }
}

/** Collects a stream; of a long one the end. */
function lastOf(stream: Readable | null, kept: number): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-kept);
  });
  return () => text;
}

/** Ends a command of the bench: nobody waits for its result any more. */
async function endTree(child: ChildProcess): Promise<void> {
  const mark = child.pid === undefined ? undefined : markProcess(child.pid);
  if (mark !== undefined) await killTree(mark);
}

function notePeaks(child: ChildProcess, peaks: Map<number, number>): void {
  if (child.pid === undefined) return;
  for (const { pid } of descendantsOf(child.pid)) {
    peaks.set(pid, Math.max(peaks.get(pid) ?? 0, parsePeakMemory(readProc(pid, 'status') ?? '')));
  }
}

/** What the process, its descendants and their ended children used since they began; the difference of two is a span's. */
export function usedByTree(root: number | undefined): ProcessIo & { readonly cpuSeconds: number } {
  if (root === undefined) return { cpuSeconds: 0, readBytes: 0, writtenBytes: 0 };
  const all = [root, ...descendantsOf(root).map(({ pid }) => pid)].map((pid) => {
    const io = parseProcessIo(readProc(pid, 'io') ?? '') ?? { readBytes: 0, writtenBytes: 0 };
    return { cpuSeconds: parseProcessCpu(readProc(pid, 'stat') ?? ''), ...io };
  });
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    readBytes: all.reduce((sum, { readBytes }) => sum + readBytes, 0),
    writtenBytes: all.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
  };
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    // Ended between two looks: ENOENT for the file, ESRCH for a read from it.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
