// Shows how far an operation is, on stderr.
//
// 1. On a terminal: one line, drawn again at most ten times a second and cleared at the end.
// 2. Elsewhere: a plain line, at most one every ten seconds, so that a log stays readable.
// 3. The rate is that of the last ten seconds of the same phase; the time left follows from it.
// 4. Notices are lines of their own; the redrawn line steps aside for them.

import type { Notice, OperationEvent, Progress } from '@spillway/contract';
import type { Colours } from './colour.ts';
import { formatBytes, formatDuration, formatRate } from './format.ts';

export interface ProgressOptions {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly columns: () => number;
  readonly colours: Colours;
  /** Milliseconds of a clock that never steps back. */
  readonly now: () => number;
  /** Only warnings. */
  readonly quiet: boolean;
  /** The fields of notices too. */
  readonly verbose: boolean;
}

export interface ProgressDisplay {
  readonly report: (event: OperationEvent) => void;
  /** Clears the line; no progress is drawn afterwards. */
  readonly end: () => void;
}

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 10_000;
const RATE_WINDOW_MS = 10_000;
const SAMPLES_MAX = 128;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

export function createProgress(options: ProgressOptions): ProgressDisplay {
  const { write, isTerminal, now, quiet } = options;
  let phase: string | undefined;
  let samples: Sample[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  let ended = false;

  const clear = (): void => {
    if (drawn) write('\r\u001B[2K');
    drawn = false;
  };

  const showProgress = (progress: Progress): void => {
    const at = now();
    if (progress.phase !== phase) {
      phase = progress.phase;
      samples = [];
    }
    const last = samples.at(-1);
    if (last === undefined || at - last.at >= RATE_WINDOW_MS / SAMPLES_MAX) {
      samples = [...samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS), { at, bytes: progress.done_bytes }];
    }
    if (quiet || at - drawnAt < (isTerminal ? REDRAW_MS : PLAIN_LINE_MS)) return;
    drawnAt = at;
    const line = progressLine(progress, rateOf(samples, { at, bytes: progress.done_bytes }));
    if (isTerminal) {
      write(`\r\u001B[2K${line.slice(0, Math.max(options.columns() - 1, 20))}`);
      drawn = true;
    } else {
      write(`${line}\n`);
    }
  };

  const showNotice = (notice: Notice): void => {
    if (quiet && notice.level === 'info') return;
    clear();
    write(`${noticeLine(notice, options)}\n`);
    drawnAt = isTerminal ? Number.NEGATIVE_INFINITY : drawnAt;
  };

  return {
    report: (event) => {
      // A warning that comes after the result is still a warning.
      if (ended && event.type === 'progress') return;
      if (event.type === 'progress') showProgress(event);
      else showNotice(event);
    },
    end: () => {
      clear();
      ended = true;
    },
  };
}

/** `copying files  42%  1.2 GiB of 2.9 GiB  310 MiB/s  6s left  base/5/16384`. */
export function progressLine(progress: Progress, bytesPerSecond: number | undefined): string {
  const { phase, done_bytes: done, total_bytes: total, detail } = progress;
  const parts = [phase];
  if (total !== undefined && total > 0) {
    parts.push(
      `${Math.floor((100 * Math.min(done, total)) / total)}%`,
      `${formatBytes(done)} of ${formatBytes(total)}`,
    );
  } else if (done > 0) {
    parts.push(formatBytes(done));
  }
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    parts.push(formatRate(bytesPerSecond));
    if (total !== undefined && total > done) parts.push(`${formatDuration((total - done) / bytesPerSecond)} left`);
  }
  if (detail !== undefined) parts.push(detail);
  return parts.join('  ');
}

function rateOf(samples: readonly Sample[], current: Sample): number | undefined {
  const first = samples[0];
  // Under a second the rate is noise.
  if (first === undefined || current.at - first.at < 1000) return undefined;
  return ((current.bytes - first.bytes) * 1000) / (current.at - first.at);
}

function noticeLine({ level, message, fields }: Notice, { colours, verbose }: ProgressOptions): string {
  const shown =
    verbose && fields !== undefined
      ? Object.entries(fields)
          .map(([key, value]) => ` ${key}=${value}`)
          .join('')
      : '';
  return `${level === 'warning' ? colours.yellow('warning: ') : ''}${message}${colours.dim(shown)}`;
}
