// Decisions over time, on top of the engine: drills, objectives, reports. What is decided is pure; adapters do the I/O.

export { type AnomaliesOptions, findAnomalies } from './anomaly/run.ts';
export { openOf } from './anomaly/judge.ts';
export { type Loss, measureLoss, rpoOf, type Witness } from './objective/loss.ts';
export { gatherWitnesses, type PlaceToAsk, readStatus, type StatusOptions } from './objective/run.ts';
