// Decisions over time, on top of the engine: drills, objectives, reports, schedules. What is decided is pure; adapters do
// the I/O.

export { describeBackups, provenance } from './overview/backups.ts';
export {
  canHappen,
  hasEnded,
  hasProcess,
  isDone,
  type JobEvent,
  nextState,
  retryDelay,
} from './schedule/job.ts';
export { admit, type LaneJob } from './schedule/lanes.ts';
export { begun, decide, isLate, type Memory, type Rule, type Verdict } from './schedule/machine.ts';
export { type Occurrences, occurrencesOf } from './schedule/occurrence.ts';
export { nextReceiverState, type ReceiverEvent, restAfter, STEADY_MS } from './schedule/receiver.ts';
export { lastSuccesses } from './schedule/successes.ts';
