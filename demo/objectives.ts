// The plan's objectives, and what was measured against them.

import { formatSeconds } from './narrative.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

export interface Objective {
  readonly name: string;
  readonly limitSeconds: number;
  readonly measuredSeconds: number;
}

export interface Measured {
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
  readonly undoSeconds: number;
}

export function objectivesFor({ rtoSeconds, rpoSeconds, undoSeconds }: Measured): readonly Objective[] {
  return [
    { name: 'RTO, the system as a whole', limitSeconds: HOUR, measuredSeconds: rtoSeconds },
    { name: 'RTO, database lost completely', limitSeconds: 30 * MINUTE, measuredSeconds: rtoSeconds },
    { name: 'RPO, data lost', limitSeconds: 15 * MINUTE, measuredSeconds: rpoSeconds },
    { name: 'RTO, data corrupted (wrong DELETE)', limitSeconds: 15 * MINUTE, measuredSeconds: undoSeconds },
    { name: 'RTO, recovery to a point in time', limitSeconds: 45 * MINUTE, measuredSeconds: undoSeconds },
  ];
}

export const isMet = ({ measuredSeconds, limitSeconds }: Objective): boolean => measuredSeconds <= limitSeconds;

export function objectiveRows(objectives: readonly Objective[]): readonly (readonly string[])[] {
  return objectives.map((objective) => [
    objective.name,
    formatSeconds(objective.limitSeconds),
    formatSeconds(objective.measuredSeconds),
    isMet(objective) ? 'OK' : 'FAIL',
  ]);
}
