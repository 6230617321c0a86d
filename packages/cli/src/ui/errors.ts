// Turns whatever was thrown into what a person or a program is told, and into an exit code.
//
// Three lines: what failed and to what; why; `hint:` with the next step, and the code, which `spillway explain` knows.
// The stack is shown only when asked for.

import { inspect } from 'node:util';
import { errorTable, exitCodes, isSpillwayError, SpillwayError, type ErrorDocument } from '@spillway/contract';
import type { Colours } from './colour.ts';

/** What decides the exit code besides the error itself. */
export interface ExitCircumstances {
  /** The first signal that came, if one did. */
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined;
  /** Set for `wal fetch`: the exit code of "there is no such file"; every other failure is above 125. */
  readonly absentCode: number | undefined;
  /** Set for `wal push`: PostgreSQL counts a failure only where the exit code is 1 to 125. */
  readonly archiving?: boolean;
}

/** Every thrown thing as a SpillwayError: one of ours stays, a stop by signal says so, the rest is internal. */
export function asSpillwayError(thrown: unknown, { signal }: ExitCircumstances): SpillwayError {
  if (signal !== undefined && !isSpillwayError(thrown, 'SPW_INTERRUPTED')) {
    return new SpillwayError('SPW_INTERRUPTED', `stopped by ${signal} before the end`, {
      why: 'nothing was recorded as done that was not, and earlier backups are unharmed',
      cause: thrown,
    });
  }
  if (thrown instanceof SpillwayError) return thrown;
  // Cleaning up failed after something else had: what failed first is what there is to say.
  if (thrown instanceof SuppressedError) return asSpillwayError(thrown.suppressed, { signal, absentCode: undefined });
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new SpillwayError('SPW_INTERRUPTED', 'stopped before the end', { cause: thrown });
  }
  const what = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new SpillwayError('SPW_INTERNAL', 'did something nobody foresaw', {
    why: `${what.name}: ${what.message}`,
    cause: thrown,
  });
}

/** The exit code for a failure. Only here is an error turned into one. */
export function exitCodeOf(error: SpillwayError, { signal, absentCode, archiving }: ExitCircumstances): number {
  if (archiving === true && absentCode === undefined) return error.exitCode > 125 ? exitCodes.failed : error.exitCode;
  if (absentCode !== undefined) {
    if (error.code === 'SPW_WAL_ABSENT') return absentCode;
    if (error.code !== 'SPW_INTERRUPTED') return exitCodes.walFetchFailed;
  }
  if (error.code !== 'SPW_INTERRUPTED') return error.exitCode;
  return signal === 'SIGTERM' ? exitCodes.terminated : exitCodes.interrupted;
}

export const errorDocumentOf = (error: SpillwayError, exitCode: number): ErrorDocument => ({
  type: 'error',
  code: error.code,
  message: error.message,
  why: error.why ?? null,
  hint: error.hint,
  exit_code: exitCode,
});

export function renderError(error: SpillwayError, colours: Colours): string {
  const why = (error.why ?? errorTable[error.code].meaning).replaceAll('\n', '\n  ');
  return `${colours.red('spillway:')} ${error.message}\n  ${why}\n  ${colours.bold('hint:')} ${error.hint} ${colours.dim(`[${error.code}]`)}\n`;
}

/** The stack of the error and of each cause below it. */
export function renderStack(error: unknown): string {
  const stacks: string[] = [];
  for (
    let at: unknown = error;
    at !== undefined && stacks.length < 10;
    at = at instanceof Error ? at.cause : undefined
  ) {
    stacks.push(at instanceof Error ? (at.stack ?? at.message) : inspect(at));
  }
  return `${stacks.join('\ncaused by: ')}\n`;
}
