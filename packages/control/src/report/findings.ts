// Findings follow from the records: a failure opens one, and only what tests the same again, as deeply, closes it. Pure.
//
//   backup      opened by a verification or restore of it that failed; closed by one of it that passed and read all its
//               data, or where only the structure or only WAL was at fault, by one of that level
//   drill       opened by a drill that failed, closed by one of that name that passed
//   key, table  likewise
// A failure on top of one that is open changes nothing but adds its record: the finding is as old as the first.

import { type EvidenceRecord, READS_DATA } from '@spillway/engine';
import { failureOf, subjectOf } from './details.ts';

export interface Finding {
  readonly subject: string;
  readonly what: string;
  readonly openedBy: EvidenceRecord;
  readonly closedBy: EvidenceRecord | undefined;
}

/** `records`: in order of time. Oldest finding first. */
export function findingsOf(records: readonly EvidenceRecord[]): readonly Finding[] {
  const closed: Finding[] = [];
  const open = new Map<string, Finding & { readonly levels: ReadonlySet<string> }>();
  for (const record of records) {
    const subject = subjectOf(record);
    const there = open.get(subject);
    if (record.result === 'failed') {
      const begun = there ?? {
        subject,
        what: failureOf(record),
        openedBy: record,
        closedBy: undefined,
        levels: new Set<string>(),
      };
      open.set(subject, { ...begun, levels: new Set([...begun.levels, record.level]) });
    } else if (there !== undefined && clears(record, there.levels)) {
      open.delete(subject);
      closed.push({ subject, what: there.what, openedBy: there.openedBy, closedBy: record });
    }
  }
  return [...closed, ...open.values()].toSorted((a, b) => a.openedBy.finished_at.localeCompare(b.openedBy.finished_at));
}

const clears = ({ level, kind }: EvidenceRecord, failedAt: ReadonlySet<string>): boolean =>
  kind === 'key-check' || READS_DATA.has(level) || [...failedAt].every((each) => each === level);
