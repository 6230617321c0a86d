// One point: a piece of work, and what befalls it when. Pure: one seed always draws the same points.
//
// The moment is a counted call of the store where the fault is one of the store or of the process itself, so that over
// many points every gap between two calls is struck; else milliseconds after the work began.

import type { Random } from '@spillway/lab';

export const operations = ['backup', 'receive', 'restore', 'expire'] as const;
export type Operation = (typeof operations)[number];

export const faults = ['kill', 'late-kill', 'full', 'unreachable', 'cut', 'pause'] as const;
/**
 * `kill`: SIGKILL before the counted call; `late-kill`: after milliseconds; `full`: the disk is, from the counted put on;
 * `unreachable`: the store is, from the counted call on; `cut`: the server ends every session of the work;
 * `pause`: SIGSTOP, and SIGCONT some time later.
 */
export type Fault = (typeof faults)[number];

export interface Point {
  readonly operation: Operation;
  readonly fault: Fault;
  /** As a share of the calls that the work makes when nothing happens. */
  readonly share: number;
  readonly delayMs: number;
  readonly pauseMs: number;
  readonly type: 'full' | 'incremental';
  /** Whether another process backs up, or expires, at the same time. */
  readonly besides: boolean;
}

const DELAY_MS_MAX = 900;
const PAUSE_MS_MAX = 700;

export function drawPoint(random: Random, among: readonly Operation[]): Point {
  const operation = random.pick(among);
  const without: Readonly<Record<Operation, readonly Fault[]>> = {
    backup: [],
    receive: [],
    // Nothing is written to the store, and no server is asked.
    restore: ['full', 'cut'],
    expire: ['cut'],
  };
  return {
    operation,
    fault: random.pick(faults.filter((fault) => !without[operation].includes(fault))),
    share: random.next(),
    delayMs: random.between(0, DELAY_MS_MAX),
    pauseMs: random.between(50, PAUSE_MS_MAX),
    type: random.pick(['full', 'incremental'] as const),
    besides: random.next() < 0.25,
  };
}

export const describePoint = ({ operation, fault, share, delayMs, pauseMs, type, besides }: Point): string => {
  const counted = fault === 'kill' || fault === 'full' || fault === 'unreachable';
  const when = counted ? `at ${(share * 100).toFixed(0)} % of its calls` : `after ${delayMs} ms`;
  return `${operation}${operation === 'backup' ? ` (${type})` : ''}: ${fault} ${when}${fault === 'pause' ? ` for ${pauseMs} ms` : ''}${besides ? ', with another beside it' : ''}`;
};
