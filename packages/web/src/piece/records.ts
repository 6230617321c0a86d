// Records of evidence as pages read them: `details` is of whatever form its kind has, and older records may lack members.

import type { AnomalyDocument, DrillDetailsDocument, EvidenceListDocument } from '@spillway/contract';

export type EvidenceRecord = EvidenceListDocument['records'][number];

/** Of a drill; members that an older record lacks are as if nothing had been measured. */
export function drillOf({ details }: EvidenceRecord): Partial<DrillDetailsDocument> {
  return details;
}

export function anomaliesOf({ details }: EvidenceRecord): readonly AnomalyDocument[] {
  const { findings } = details;
  return Array.isArray(findings) ? (findings as readonly AnomalyDocument[]) : [];
}

export const secondsBetween = ({ started_at: from, finished_at: to }: EvidenceRecord): number =>
  Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
