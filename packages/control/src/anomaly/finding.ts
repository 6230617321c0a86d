// A sign that somebody destroys data or what protects it, with the figures behind it. A sign is no proof: a bulk load or a
// change of plan looks alike, so each can be accepted by its key, and then it is told no more.

import type { AnomalyDocument } from '@spillway/contract';

export type Sign = Omit<AnomalyDocument, 'accepted'>;

export const sign = (
  rule: Sign['rule'],
  severity: Sign['severity'],
  subject: string,
  message: string,
  figures: Sign['figures'],
): Sign => ({ key: `${rule} ${subject}`, rule, severity, subject, message, figures });

/** Of an even number the upper one; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

export const rounded = (value: number): number => Math.round(value * 1000) / 1000;
