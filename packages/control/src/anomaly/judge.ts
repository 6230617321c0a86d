// All signs together, held against what earlier looks found and what somebody accepted.
//
// 1. The baseline of settings is the newest record that passed: found in order, or accepted.
// 2. Signs of what happened between two looks (deleted rows, shrunk files, holds that ended) stay open in the next looks
//    until they are accepted; signs of backups stay as long as the backups do; weakened settings until they are mended.
// 3. What was accepted once is told, but counts no more.
// Pure.

import type { AnomalyDocument } from '@spillway/contract';
import type { LegalHold } from '@spillway/engine';
import { type BackupFigures, signsOfBackups } from './backup-signs.ts';
import { type DeletionLook, signsOfDeletion } from './deleted-rows.ts';
import { type Sign, sign } from './finding.ts';
import { type Protection, signsOfWeakening, type Strength } from './protection.ts';
import { type BackupFiles, signsOfShrinking } from './shrunk-files.ts';

const LOOKS_MAX = 30;

/** An earlier look, as its record tells it. */
export interface EarlierLook {
  readonly id: string;
  readonly at: string;
  readonly passed: boolean;
  readonly findings: readonly Sign[];
  readonly accepted: readonly string[];
  readonly protection: Protection;
  readonly deletion: DeletionLook | undefined;
  readonly newestBackup: string | undefined;
}

export interface AnomaliesGiven {
  readonly now: Date;
  /** Oldest first. */
  readonly backups: readonly BackupFigures[];
  /** Of backups that follow one another, those that no earlier look compared. */
  readonly files: readonly BackupFiles[];
  readonly protection: Protection;
  /** Undefined where the source was not asked. */
  readonly deletion: DeletionLook | undefined;
  readonly holds: readonly LegalHold[];
  /** Oldest first. */
  readonly earlier: readonly EarlierLook[];
  readonly accept: boolean;
}

export interface Judged {
  readonly findings: readonly AnomalyDocument[];
  readonly accepted: readonly string[];
  readonly baseline: string | null;
}

export function judgeAnomalies(given: AnomaliesGiven): Judged {
  const { earlier, deletion, accept } = given;
  const last = earlier.at(-1);
  const baseline = earlier.findLast(({ passed }) => passed);
  const looks = [
    ...earlier.flatMap((look) => look.deletion ?? []).slice(-LOOKS_MAX),
    ...(deletion === undefined ? [] : [deletion]),
  ];
  const signs = [
    ...signsOfBackups(given.backups),
    ...given.files.flatMap((after, at) => {
      const before = given.files[at - 1];
      return before === undefined ? [] : signsOfShrinking(before, after);
    }),
    ...(deletion === undefined ? [] : signsOfDeletion(looks)),
    ...(baseline === undefined ? [] : signsOfWeakening(baseline.protection, given.protection)),
    ...(last === undefined ? [] : signsOfRelease(given.holds, last.at)),
    ...(last?.findings ?? []).filter(({ rule }) => LASTING.has(rule)),
  ];
  const unique = [...new Map(signs.map((each) => [each.key, each])).values()];
  const acceptedBefore = new Set(last?.accepted ?? []);
  const accepted = unique.map(({ key }) => key).filter((key) => accept || acceptedBefore.has(key));
  const findings = unique.map((each) => ({ ...each, accepted: accepted.includes(each.key) }));
  return {
    findings: findings.toSorted(
      (a, b) =>
        Number(a.accepted) - Number(b.accepted) || Number(b.severity === 'alarm') - Number(a.severity === 'alarm'),
    ),
    accepted,
    baseline: baseline?.id ?? null,
  };
}

const LASTING: ReadonlySet<Sign['rule']> = new Set(['deleted-rows', 'shrunk-files', 'hold-released']);

function signsOfRelease(holds: readonly LegalHold[], since: string): readonly Sign[] {
  return holds
    .filter(({ action, at }) => action === 'release' && at > since)
    .map(({ id, backup, by, at, reason }) =>
      sign('hold-released', 'warning', id, `the legal hold on ${backup} was ended by ${by}: ${reason}`, { by, at }),
    );
}

export const openOf = (findings: readonly AnomalyDocument[]): readonly AnomalyDocument[] =>
  findings.filter(({ accepted }) => !accepted);

/** Whether a record is to be left: something changed, or the last is of another day. */
export function isWorthARecord(
  given: Pick<AnomaliesGiven, 'earlier' | 'now' | 'protection' | 'accept'>,
  { findings, accepted }: Judged,
): boolean {
  const last = given.earlier.at(-1);
  if (last === undefined || given.accept) return true;
  const same = (a: readonly string[], b: readonly string[]): boolean =>
    a.toSorted().join('\n') === b.toSorted().join('\n');
  return (
    given.now.getTime() - Date.parse(last.at) > RECORD_EVERY_MS ||
    !same(
      last.findings.map(({ key }) => key),
      findings.map(({ key }) => key),
    ) ||
    !same(last.accepted, accepted) ||
    !same(words(last.protection), words(given.protection))
  );
}

const RECORD_EVERY_MS = 20 * 3_600_000;

const words = (protection: Protection): readonly string[] =>
  Object.entries(protection).map(([setting, { told, strength }]) => `${setting} ${told} ${strength}`);

/** The look that a record tells of; what it does not tell in our form is left out. */
export function earlierLook(record: {
  readonly id: string;
  readonly finished_at: string;
  readonly result: string;
  readonly details: Readonly<Record<string, unknown>>;
}): EarlierLook {
  const { findings, accepted, protection, deletion, newest_backup: newest } = record.details;
  return {
    id: record.id,
    at: record.finished_at,
    passed: record.result === 'passed',
    findings: list(findings).filter(isSign),
    accepted: list(accepted).filter((key): key is string => typeof key === 'string'),
    protection: Object.fromEntries(
      Object.entries(isRecord(protection) ? protection : {}).filter((entry): entry is [string, Strength] =>
        isStrength(entry[1]),
      ),
    ),
    deletion: isDeletion(deletion) ? deletion : undefined,
    newestBackup: typeof newest === 'string' ? newest : undefined,
  };
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSign = (value: unknown): value is Sign =>
  isRecord(value) &&
  typeof value['key'] === 'string' &&
  typeof value['rule'] === 'string' &&
  typeof value['message'] === 'string' &&
  typeof value['subject'] === 'string' &&
  (value['severity'] === 'alarm' || value['severity'] === 'warning') &&
  isRecord(value['figures']);

const isStrength = (value: unknown): value is Strength =>
  isRecord(value) && typeof value['strength'] === 'number' && typeof value['told'] === 'string';

const isDeletion = (value: unknown): value is DeletionLook =>
  isRecord(value) && typeof value['at'] === 'string' && typeof value['deleted_rows'] === 'number';
