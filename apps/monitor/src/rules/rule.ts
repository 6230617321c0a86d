// What a rule is, as it stands in the table alert_rule, and what it watches.

export const ruleKinds = ['above', 'below', 'rate', 'missing', 'silence', 'balance'] as const;
export type RuleKind = (typeof ruleKinds)[number];

export const sensorKinds = ['pressure', 'flow', 'level', 'ph', 'turbidity', 'chlorine'] as const;
export type SensorKind = (typeof sensorKinds)[number];

export const severities = ['information', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface Rule {
  readonly id: string;
  readonly kind: RuleKind;
  readonly sensorKind: SensorKind | null;
  readonly severity: Severity;
  readonly message: string;
  readonly raisesAt: number;
  readonly clearsAt: number;
  readonly count: number;
  readonly relative: boolean;
}

export interface WatchedSensor {
  readonly id: number;
  readonly kind: SensorKind;
  readonly nominalValue: number;
  readonly inService: boolean;
}

export interface Zone {
  readonly id: number;
  readonly meters: readonly { readonly sensorId: number; readonly direction: number }[];
}

export interface Reading {
  readonly sensorId: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
  /** 0 good, 1 uncertain, 2 bad. */
  readonly quality: number;
}
