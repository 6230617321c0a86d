// The words that service, console and clients share: states of jobs, roles, lanes. Without schemas, so that nobody who
// needs only these loads zod.

export const jobStates = [
  'awaiting-approval',
  'queued',
  'running',
  'cancelling',
  'timing-out',
  'waiting',
  'succeeded',
  'warned',
  'failed',
  'cancelled',
  'timed-out',
  'aborted',
  'superseded',
  'rejected',
] as const;

export type JobState = (typeof jobStates)[number];

/** Each may do all that those before it may. */
export const roles = ['viewer', 'operator', 'administrator'] as const;

export type Role = (typeof roles)[number];

/** Whether whoever has `role` may do what wants `wanted`. */
export const mayActAs = (role: Role, wanted: Role): boolean => roles.indexOf(role) >= roles.indexOf(wanted);

/** Of one cluster one job at a time works in each lane but `look`. */
export const lanes = ['backup', 'prove', 'keep', 'restore', 'look'] as const;

export type Lane = (typeof lanes)[number];

export const receiverStates = ['idle', 'running', 'steady', 'resting', 'stopping'] as const;

export type ReceiverState = (typeof receiverStates)[number];
