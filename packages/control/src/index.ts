// Decisions over time, on top of the engine: drills, objectives, reports, schedules. What is decided is pure; adapters do
// the I/O.

export { openOf } from './anomaly/judge.ts';
export { type AnomaliesOptions, findAnomalies } from './anomaly/run.ts';
export { draftDrill } from './drill/draft.ts';
export { inspectDatabase, type LiveDatabase } from './drill/inspect.ts';
export { type KilledOptions, recordKilled } from './drill/killed.ts';
export { type DrillDetails, type DrillPhase, failuresOf } from './drill/record.ts';
export { type DrillOptions, type DrillRun, runDrill } from './drill/run.ts';
export { type Loss, measureLoss, rpoOf, type Witness } from './objective/loss.ts';
export { gatherWitnesses, type PlaceToAsk, readStatus, type StatusOptions } from './objective/run.ts';
export type { Statements } from './health/statements.ts';
export { probeServer, type ServerFigures, type ServerSeen } from './health/probe.ts';
export { describeBackups, provenance } from './overview/backups.ts';
export { makeComplianceReport, type ComplianceOptions } from './report/compliance.ts';
export { type Month, parseMonth } from './report/month.ts';
export { reportPage } from './report/page.ts';
export { reportPdf } from './report/pdf.ts';
export { policyOf } from './retention/policy.ts';
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
