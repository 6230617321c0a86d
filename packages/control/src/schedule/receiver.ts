// Keeping a WAL receiver running: its states, and how long it rests after it ended.
//
//   idle --start--> running --steady--> steady --ended--> resting --rested--> running
//   stop ends it from everywhere; what runs is `stopping` until it has ended.
// A receiver that has run for STEADY_MS has proved itself: the next rest after it is the shortest again.

import type { ReceiverState } from '@spillway/contract';

export const receiverEvents = ['start', 'steady', 'ended', 'rested', 'stop'] as const;
export type ReceiverEvent = (typeof receiverEvents)[number];

type Cell = ReceiverState | 'same' | 'impossible';

const table: Record<ReceiverState, Record<ReceiverEvent, Cell>> = {
  idle: { start: 'running', steady: 'same', ended: 'impossible', rested: 'same', stop: 'same' },
  running: { start: 'impossible', steady: 'steady', ended: 'resting', rested: 'impossible', stop: 'stopping' },
  steady: { start: 'impossible', steady: 'same', ended: 'resting', rested: 'impossible', stop: 'stopping' },
  resting: { start: 'impossible', steady: 'same', ended: 'impossible', rested: 'running', stop: 'idle' },
  stopping: { start: 'impossible', steady: 'same', ended: 'idle', rested: 'same', stop: 'same' },
};

export function nextReceiverState(state: ReceiverState, event: ReceiverEvent): ReceiverState {
  const cell = table[state][event];
  if (cell === 'impossible') throw new Error(`a receiver that is ${state} cannot be told ${event}`);
  return cell === 'same' ? state : cell;
}

export const STEADY_MS = 60_000;
const REST_LEAST_MS = 1000;
const REST_MOST_MS = 60_000;

/** `failures` in a row, this one with them, since it was last steady. */
export const restAfter = (failures: number): number =>
  Math.min(REST_MOST_MS, REST_LEAST_MS * 2 ** Math.min(Math.max(failures - 1, 0), 16));
