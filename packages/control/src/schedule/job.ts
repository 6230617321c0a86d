// A job's life: its states, what can happen to it, and what becomes of it. Every cell is written down.
//
//   awaiting-approval --approved--> queued --started--> running --succeeded | warned | failed--> the state of that name
//   running --retryable--> waiting --retry-due--> queued       (a failure that may pass, and attempts are left)
//   running --cancel--> cancelling --(its end)--> cancelled    (but what had succeeded by then has succeeded)
//   running --timeout--> timing-out --(its end)--> timed-out
//   running --interrupted--> waiting    (the service was stopped or killed; what can begin again does)
//   running --lost--> aborted           (the same, for what must not begin by itself)
//   queued, waiting --superseded--> superseded    (something else has done its work)
// Invariant: a state without an end is left by nothing, and from every other one an end can be reached.

import type { JobState } from '@spillway/contract';

export const jobEvents = [
  'approved',
  'rejected',
  'started',
  'succeeded',
  'warned',
  'failed',
  'retryable',
  'cancel',
  'timeout',
  'interrupted',
  'lost',
  'retry-due',
  'superseded',
] as const;

export type JobEvent = (typeof jobEvents)[number];

/** `same`: it changes nothing. `impossible`: whoever says it is wrong. */
type Cell = JobState | 'same' | 'impossible';

const ended = {
  approved: 'impossible',
  rejected: 'impossible',
  started: 'impossible',
  succeeded: 'impossible',
  warned: 'impossible',
  failed: 'impossible',
  retryable: 'impossible',
  cancel: 'same',
  timeout: 'same',
  interrupted: 'same',
  lost: 'same',
  'retry-due': 'impossible',
  superseded: 'same',
} as const satisfies Record<JobEvent, Cell>;

const table: Record<JobState, Record<JobEvent, Cell>> = {
  'awaiting-approval': {
    approved: 'queued',
    rejected: 'rejected',
    started: 'impossible',
    succeeded: 'impossible',
    warned: 'impossible',
    failed: 'impossible',
    retryable: 'impossible',
    cancel: 'cancelled',
    timeout: 'rejected',
    interrupted: 'same',
    lost: 'same',
    'retry-due': 'impossible',
    superseded: 'impossible',
  },
  queued: {
    approved: 'impossible',
    rejected: 'impossible',
    started: 'running',
    succeeded: 'impossible',
    warned: 'impossible',
    failed: 'impossible',
    retryable: 'impossible',
    cancel: 'cancelled',
    timeout: 'timed-out',
    interrupted: 'same',
    lost: 'same',
    'retry-due': 'impossible',
    superseded: 'superseded',
  },
  running: {
    approved: 'impossible',
    rejected: 'impossible',
    started: 'impossible',
    succeeded: 'succeeded',
    warned: 'warned',
    failed: 'failed',
    retryable: 'waiting',
    cancel: 'cancelling',
    timeout: 'timing-out',
    interrupted: 'waiting',
    lost: 'aborted',
    'retry-due': 'impossible',
    superseded: 'impossible',
  },
  cancelling: {
    approved: 'impossible',
    rejected: 'impossible',
    started: 'impossible',
    succeeded: 'succeeded',
    warned: 'warned',
    failed: 'cancelled',
    retryable: 'cancelled',
    cancel: 'same',
    timeout: 'same',
    interrupted: 'cancelled',
    lost: 'cancelled',
    'retry-due': 'impossible',
    superseded: 'impossible',
  },
  'timing-out': {
    approved: 'impossible',
    rejected: 'impossible',
    started: 'impossible',
    succeeded: 'succeeded',
    warned: 'warned',
    failed: 'timed-out',
    retryable: 'timed-out',
    cancel: 'cancelling',
    timeout: 'same',
    interrupted: 'timed-out',
    lost: 'timed-out',
    'retry-due': 'impossible',
    superseded: 'impossible',
  },
  waiting: {
    approved: 'impossible',
    rejected: 'impossible',
    started: 'impossible',
    succeeded: 'impossible',
    warned: 'impossible',
    failed: 'impossible',
    retryable: 'impossible',
    cancel: 'cancelled',
    timeout: 'timed-out',
    interrupted: 'same',
    lost: 'same',
    'retry-due': 'queued',
    superseded: 'superseded',
  },
  succeeded: ended,
  warned: ended,
  failed: ended,
  cancelled: ended,
  'timed-out': ended,
  aborted: ended,
  superseded: ended,
  rejected: ended,
};

/** The state after `event`; throws where it cannot happen in that state. */
export function nextState(state: JobState, event: JobEvent): JobState {
  const cell = table[state][event];
  if (cell === 'impossible') throw new Error(`a job that is ${state} cannot be told ${event}`);
  return cell === 'same' ? state : cell;
}

export const canHappen = (state: JobState, event: JobEvent): boolean => table[state][event] !== 'impossible';

/** Whether nothing happens to it any more. */
export const hasEnded = (state: JobState): boolean => table[state] === ended;

/** Whether a process works for it. */
export const hasProcess = (state: JobState): boolean =>
  state === 'running' || state === 'cancelling' || state === 'timing-out';

/** Whether it ended with what it was for. */
export const isDone = (state: JobState): boolean => state === 'succeeded' || state === 'warned';

/** How long it waits before its next attempt: doubled each time, at most an hour. */
export const retryDelay = (backoffMs: number, attempt: number): number =>
  Math.min(backoffMs * 2 ** Math.min(Math.max(attempt - 1, 0), 20), Math.max(backoffMs, 3_600_000));
