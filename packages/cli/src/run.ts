// One run of the command line: words in, exit code out.
//
// 1. Commander reads the words; a command's module is loaded only when it is called.
// 2. Whatever is thrown becomes three lines on stderr (or one JSON object) and an exit code, here and nowhere else.
// 3. The first signal aborts the command's AbortSignal, the second ends the process at once.
// 4. `wal fetch` answers 1 only for "not there": usage errors, crashes and signals are all above 125, because PostgreSQL
//    takes anything lower for the end of WAL and would end its recovery too early. `wal push` answers 1 to 125 for every
//    failure, a signal too: only those are counted in pg_stat_archiver.

import { realpathSync } from 'node:fs';
import { CommanderError } from 'commander';
import type { Context, GlobalOptions } from './context.ts';
import { createProgram } from './program.ts';
import { Complaint } from './program/command.ts';
import { watchSignals, type StopSignal } from './signals.ts';
import type { ColourChoice } from './ui/colour.ts';
import { createOutput, type Output } from './ui/output.ts';
import { absentCodeIn, flagsIn, isPushIn } from './words.ts';

const exitCodeOfSignal: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Runs the command that `words` name and ends the process with its exit code. */
export async function run(words: readonly string[]): Promise<never> {
  const debug = words.includes('--debug');
  const absentCode = absentCodeIn(words);
  const archiving = isPushIn(words);
  let output = outputFor(flagsIn(words));
  using interruption = watchSignals({
    now: () => performance.now(),
    onFirst: (signal) => output.say(`${signal}: stopping; once more stops at once.`),
    onSecond: (signal) => process.exit(archiving ? 1 : exitCodeOfSignal[signal]),
  });

  const fail = async (thrown: unknown): Promise<number> => {
    const { asSpillwayError, errorDocumentOf, exitCodeOf, renderError, renderStack } = await import('./ui/errors.ts');
    const circumstances = { signal: interruption.received(), absentCode, archiving };
    const error = asSpillwayError(thrown, circumstances);
    const exitCode = exitCodeOf(error, circumstances);
    output.message(
      output.json ? `${JSON.stringify(errorDocumentOf(error, exitCode))}\n` : renderError(error, output.messageColours),
    );
    if (debug) output.message(renderStack(thrown));
    return exitCode;
  };
  const endWith = async (exitCode: number): Promise<never> => {
    await output.flush();
    process.exit(exitCode);
  };
  // What escapes every await, such as an error event nobody listens to, still ends in a sentence.
  const failAtLast = async (error: unknown): Promise<never> => endWith(await fail(error));
  process.on('uncaughtException', (error) => void failAtLast(error));

  let exitCode = 0;
  const program = createProgram(async (command, options) => {
    output = outputFor(options);
    const context: Context = {
      options,
      environment: process.env,
      program: realpathSync(process.argv[1] ?? ''),
      directory: process.cwd(),
      signal: interruption.signal,
      output,
    };
    exitCode = await command(context);
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (thrown) {
    exitCode = isHelp(thrown) ? 0 : await fail(await asUsageError(thrown));
  }
  return endWith(exitCode);
}

const outputFor = (options: Omit<GlobalOptions, 'input'>): Output =>
  createOutput({
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    color: options.color satisfies ColourChoice,
    json: options.json === true || options.jsonLines === true,
    jsonLines: options.jsonLines === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true || options.debug === true,
  });

const isHelp = (thrown: unknown): boolean => thrown instanceof CommanderError && thrown.exitCode === 0;

/** A complaint about the words as one of our errors; the contract is loaded only now, since help must come at once. */
async function asUsageError(thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof Complaint)) return thrown;
  const { SpillwayError } = await import('@spillway/contract');
  return new SpillwayError('SPW_USAGE', thrown.message, { why: thrown.why, hint: thrown.hint, cause: thrown });
}
