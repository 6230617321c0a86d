// Decisions over time, on top of the engine: drills, objectives, reports. What is decided is pure; adapters do the I/O.

export { draftDrill } from './drill/draft.ts';
export { inspectDatabase, type LiveDatabase } from './drill/inspect.ts';
export { type KilledOptions, recordKilled } from './drill/killed.ts';
export { type DrillDetails, type DrillPhase, failuresOf } from './drill/record.ts';
export { type DrillOptions, type DrillRun, runDrill } from './drill/run.ts';
