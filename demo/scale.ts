// How much of everything a run has: `full` is the demonstration, `small` lets a test run through in seconds.

export interface Scale {
  readonly name: string;
  readonly municipalities: number;
  readonly sensors: number;
  /** Days of history, and the minutes between two readings of a sensor in it. */
  readonly historyDays: number;
  readonly intervalMinutes: number;
  readonly alerts: number;
  readonly writers: number;
  /** How long the writers run alone, before the incremental backup and before the disaster, in milliseconds. */
  readonly writeMs: number;
}

export const scales: Readonly<Record<string, Scale>> = {
  full: {
    name: 'full',
    municipalities: 48,
    sensors: 2000,
    historyDays: 21,
    intervalMinutes: 15,
    alerts: 20_000,
    writers: 4,
    writeMs: 4000,
  },
  small: {
    name: 'small',
    municipalities: 12,
    sensors: 240,
    historyDays: 3,
    intervalMinutes: 60,
    alerts: 400,
    writers: 3,
    writeMs: 1200,
  },
};
