// The compliance report of a month, from the records of evidence alone. Pure: the clock is an argument.
//
// 1. Only what a record says counts. What no record tells is null or `not-recorded`, and nothing is met by default: a month
//    without records shows nothing.
// 2. Expected are a drill on the first Monday, a verification that reads data every so many days, and a check of the
//    recovery key every so many days. What is expected and not there is missed, and told with its dates.
// 3. An objective is met where it was measured in the month, every measured value keeps it, and no drill failed before it
//    could be measured. Values are held against the objective that their own record names.
// 4. The verdict is `missed` where anything was missed, failed or is open; else `not-shown` where anything is not recorded.

import type { ComplianceReport, ReportedDrill, ReportedObjective } from '@spillway/contract';
import { type ChainCheck, type EvidenceRecord, formatKnownHead, READS_DATA } from '@spillway/engine';
import { controlsOf, type Facts } from './controls.ts';
import { failureOf, inText, listIn, measuredIn, numberIn, subjectOf, textIn } from './details.ts';
import { findingsOf } from './findings.ts';
import { dayOf, daysOf, firstMonday, type Month, monthsAfter } from './month.ts';
import { inDuration } from './wording.ts';

const DAY_MS = 86_400_000;
const TREND_MONTHS = 12;
const RECOVERY_KEY = 'recovery-key';

export interface ComplianceOptions {
  /** Of the records: what does not verify is a finding, and counts for nothing else. */
  readonly check: ChainCheck;
  readonly cluster: string;
  readonly publicKey: string;
  readonly month: Month;
  readonly now: Date;
  readonly spillway: string;
  /** How far apart verifications that read data may be, in days. */
  readonly verifiedEveryDays: number;
  /** How far apart checks of the recovery key may be, in days. */
  readonly keysEveryDays: number;
}

export function makeComplianceReport(options: ComplianceOptions): ComplianceReport {
  const { check, cluster, publicKey, month, now, spillway } = options;
  const all = [...check.before, ...check.records].toSorted(
    (a, b) => a.finished_at.localeCompare(b.finished_at) || a.id.localeCompare(b.id),
  );
  const until = new Date(Math.min(month.to.getTime(), Math.max(now.getTime(), month.from.getTime())));
  const known = all.filter(({ finished_at: at }) => Date.parse(at) < month.to.getTime());
  const inMonth = known.filter(({ finished_at: at }) => Date.parse(at) >= month.from.getTime());
  const drills = drillsOf(inMonth, month, now);
  const facts: Facts = {
    cluster,
    repository: check.repository,
    month: month.name,
    from: month.from.toISOString(),
    to: month.to.toISOString(),
    made_at: now.toISOString(),
    complete: now.getTime() >= month.to.getTime(),
    spillway,
    records: inMonth.length,
    objectives: [objectiveOf('rto', inMonth, known), objectiveOf('rpo', inMonth, known), NO_AVAILABILITY],
    drills,
    verifications: {
      every_days: options.verifiedEveryDays,
      levels: levelsOf(inMonth),
      failures: inMonth.filter(isFailedVerification).map((record) => ({
        record: cite(record),
        level: record.level,
        backup: record.backup,
        at: record.finished_at,
        what: failureOf(record),
      })),
      missed: missedVerifications(known, month.from, until, options.verifiedEveryDays),
    },
    restores: inMonth.filter(isRestore).map((record) => ({
      record: cite(record),
      kind: record.kind === 'restore' ? ('restore' as const) : ('table-restore' as const),
      at: record.finished_at,
      result: record.result,
      backup: record.backup,
      what: restoredIn(record),
      rto_seconds: measuredIn(record).rto,
      rpo_seconds: measuredIn(record).rpo,
    })),
    key_checks: keyChecksOf(known, inMonth, until, options.keysEveryDays),
    findings: findingsOf(known)
      .filter(({ closedBy }) => closedBy === undefined || Date.parse(closedBy.finished_at) >= month.from.getTime())
      .map(({ subject, what, openedBy, closedBy }) => ({
        subject,
        what,
        opened_at: openedBy.finished_at,
        opened_by: cite(openedBy),
        closed_at: closedBy?.finished_at ?? null,
        closed_by: closedBy === undefined ? null : cite(closedBy),
      })),
    trend: trendOf(known, month),
    days: daysShown(inMonth, month, now),
    chain: {
      head: check.head,
      word: check.head === null ? null : formatKnownHead(check.head),
      records: check.records.length,
      before_chain: check.before.length,
      public_key: publicKey,
      findings: check.findings,
    },
    citations: {
      verifications: inMonth.filter(({ kind }) => kind === 'verification').map(cite),
      keyChecks: inMonth.filter(({ kind }) => kind === 'key-check').map(cite),
    },
  };
  const controls = controlsOf(facts);
  const { citations: _, ...told } = facts;
  return { ...told, ...verdictOf(facts), controls };
}

type Cited = ComplianceReport['restores'][number]['record'];

const cite = ({ id, sequence }: EvidenceRecord): Cited => ({ id, sequence: sequence ?? null });

const isRestore = ({ kind }: EvidenceRecord): boolean => kind === 'restore' || kind === 'table-restore';
const isFailedVerification = ({ kind, result }: EvidenceRecord): boolean =>
  kind === 'verification' && result === 'failed';

const NO_AVAILABILITY: ReportedObjective = {
  objective: 'availability',
  target_seconds: null,
  measured: 0,
  worst_seconds: null,
  median_seconds: null,
  result: 'not-recorded',
  record: null,
  why: 'no record of evidence tells how long the system was available; take it from its monitoring',
};

function objectiveOf(
  objective: 'rto' | 'rpo',
  inMonth: readonly EvidenceRecord[],
  known: readonly EvidenceRecord[],
): ReportedObjective {
  const valueOf = (record: EvidenceRecord): number | null => measuredIn(record)[objective];
  const ownTarget = (record: EvidenceRecord): number | null =>
    measuredIn(record)[objective === 'rto' ? 'rtoObjective' : 'rpoObjective'];
  const target = known.map(ownTarget).findLast((each) => each !== null) ?? null;
  const measured = inMonth.flatMap((record) => {
    const seconds = record.kind === 'drill' || record.kind === 'restore' ? valueOf(record) : null;
    return seconds === null ? [] : [{ record, seconds, target: ownTarget(record) ?? target }];
  });
  const sorted = measured.toSorted((a, b) => a.seconds - b.seconds);
  const worst = sorted.at(-1);
  const over = measured.filter((each) => each.target !== null && each.seconds > each.target);
  const unmeasured = inMonth.filter(
    (each) => each.kind === 'drill' && each.result === 'failed' && valueOf(each) === null,
  );
  const told = {
    objective,
    target_seconds: target,
    measured: measured.length,
    worst_seconds: worst?.seconds ?? null,
    median_seconds: median(sorted.map(({ seconds }) => seconds)),
    record: worst === undefined ? null : cite(worst.record),
  };
  if (over.length > 0) {
    return { ...told, result: 'missed', why: `${over.length} of ${measured.length} measured values are over it` };
  }
  if (unmeasured.length > 0) {
    const drills = unmeasured.length === 1 ? '1 drill' : `${unmeasured.length} drills`;
    return { ...told, result: 'missed', why: `${drills} failed before it could be measured` };
  }
  if (worst === undefined) return { ...told, result: 'not-recorded', why: 'it was not measured in this month' };
  if (target === null) return { ...told, result: 'not-recorded', why: 'no record names what the objective is' };
  return {
    ...told,
    result: 'met',
    why: `${measured.length} measured, at worst ${inDuration(worst.seconds)} of ${inDuration(worst.target ?? target)}`,
  };
}

/** Of two in the middle the worse. */
const median = (sorted: readonly number[]): number | null => sorted[Math.floor(sorted.length / 2)] ?? null;

function drillsOf(inMonth: readonly EvidenceRecord[], month: Month, now: Date): ComplianceReport['drills'] {
  const held = inMonth.filter(({ kind }) => kind === 'drill');
  const due = firstMonday(month);
  const onTheDay = held.some(({ started_at: at }) => dayOf(new Date(at)) === due);
  const isOver = now.getTime() >= Date.parse(`${due}T00:00:00Z`) + DAY_MS;
  const state = onTheDay ? 'held' : held.length > 0 ? 'on-another-day' : isOver ? 'missed' : 'not-due';
  return { due, state, held: held.map(describeDrill) };
}

function describeDrill(record: EvidenceRecord): ReportedDrill {
  const { details } = record;
  const { rto, rtoObjective, rpo, rpoObjective } = measuredIn(record);
  const checks = listIn(details, 'checks');
  const failed = checks.filter(({ result }) => result !== 'passed');
  return {
    record: cite(record),
    drill: textIn(details, 'drill') ?? 'without a name',
    started_at: record.started_at,
    finished_at: record.finished_at,
    result: record.result,
    backup: record.backup,
    host: textIn(details, 'host') ?? record.host ?? null,
    postgres: postgresOf(record),
    rto_seconds: rto,
    rto_objective_seconds: rtoObjective,
    rpo_seconds: rpo,
    rpo_objective_seconds: rpoObjective,
    checks_passed: checks.length - failed.length,
    checks_failed: failed.length,
    phases: listIn(details, 'phases').map((phase) => ({
      name: inText(phase['name']),
      seconds: numberIn(phase, 'seconds'),
    })),
    checklist: listIn(details, 'checklist').map(({ item, result, by }) => ({
      item: inText(item),
      // What is neither is not ticked.
      result: result === 'passed' || result === 'failed' ? result : ('not-measured' as const),
      by: inText(by),
    })),
    failed_checks: failed.map(({ name, expected, found }) => ({
      name: inText(name),
      expected: inText(expected),
      found: inText(found),
    })),
    error: textIn(details, 'error'),
  };
}

function postgresOf({ details, versions }: EvidenceRecord): string | null {
  const told = details['versions'];
  const own =
    typeof told === 'object' && told !== null ? (told as Readonly<Record<string, unknown>>)['postgres'] : undefined;
  return inText(own ?? versions?.postgres) || null;
}

function restoredIn(record: EvidenceRecord): string {
  const { details, kind, result } = record;
  if (result === 'failed') return failureOf(record);
  if (kind === 'table-restore') {
    const how = textIn(details, 'how');
    return `${subjectOf(record)}${how === null ? '' : `, ${how}`}`;
  }
  const lsn = textIn(details, 'recovered_to_lsn');
  return lsn === null ? 'a whole cluster' : `a whole cluster, recovered to ${lsn}`;
}

function levelsOf(inMonth: readonly EvidenceRecord[]): ComplianceReport['verifications']['levels'] {
  const byLevel = Map.groupBy(
    inMonth.filter(({ kind }) => kind === 'verification'),
    ({ level }) => level,
  );
  return [...byLevel].map(([level, records]) => ({
    level,
    passed: records.filter(({ result }) => result === 'passed').length,
    failed: records.filter(({ result }) => result === 'failed').length,
    last: records.at(-1)?.finished_at ?? '',
  }));
}

/** Stretches of the month that end more than so many days after the last look, be it of the month before. */
function missedVerifications(
  known: readonly EvidenceRecord[],
  from: Date,
  until: Date,
  everyDays: number,
): ComplianceReport['verifications']['missed'] {
  const looks = known
    // To bring one table back not all of a backup is read.
    .filter(({ kind, level }) => kind !== 'table-restore' && READS_DATA.has(level))
    .map(({ finished_at: at }) => Date.parse(at));
  // A repository that was taken into use later owes nothing for the days before.
  const begun = Math.max(from.getTime(), Date.parse(known[0]?.finished_at ?? from.toISOString()));
  const before = looks.filter((at) => at < from.getTime()).at(-1) ?? begun;
  const marks = [before, ...looks.filter((at) => at >= from.getTime()), until.getTime()];
  return marks.slice(1).flatMap((to, at) => {
    const start = marks[at] ?? to;
    const days = (to - start) / DAY_MS;
    if (days <= everyDays) return [];
    return [{ from: new Date(start).toISOString(), to: new Date(to).toISOString(), days: Math.round(days * 10) / 10 }];
  });
}

function keyChecksOf(
  known: readonly EvidenceRecord[],
  inMonth: readonly EvidenceRecord[],
  until: Date,
  everyDays: number,
): ComplianceReport['key_checks'] {
  const kindOf = ({ details }: EvidenceRecord): string => textIn(details, 'slot_kind') ?? 'unknown';
  const byKind = Map.groupBy(
    known.filter(({ kind }) => kind === 'key-check'),
    kindOf,
  );
  const kinds = [...byKind].map(([slotKind, records]) => {
    const last = records.findLast(({ result }) => result === 'passed')?.finished_at ?? null;
    const own = inMonth.filter((each) => each.kind === 'key-check' && kindOf(each) === slotKind);
    const isOld = last === null || until.getTime() - Date.parse(last) > everyDays * DAY_MS;
    return {
      slot_kind: slotKind,
      last_passed: last,
      passed: own.filter(({ result }) => result === 'passed').length,
      failed: own.filter(({ result }) => result === 'failed').length,
      state:
        records.at(-1)?.result === 'failed' ? ('failed' as const) : isOld ? ('overdue' as const) : ('proven' as const),
    };
  });
  const recovery = kinds.find(({ slot_kind: kind }) => kind === RECOVERY_KEY);
  return { every_days: everyDays, kinds, recovery_key: recovery?.state ?? 'not-recorded' };
}

function trendOf(known: readonly EvidenceRecord[], { to }: Month): ComplianceReport['trend'] {
  const since = monthsAfter(to, -TREND_MONTHS).getTime();
  return known
    .filter(({ kind, finished_at: at }) => (kind === 'drill' || kind === 'restore') && Date.parse(at) >= since)
    .map((record) => {
      const { rto, rtoObjective, rpo, rpoObjective } = measuredIn(record);
      return {
        record: cite(record),
        at: record.finished_at,
        kind: record.kind,
        result: record.result,
        rto_seconds: rto,
        rto_objective_seconds: rtoObjective,
        rpo_seconds: rpo,
        rpo_objective_seconds: rpoObjective,
      };
    });
}

function daysShown(inMonth: readonly EvidenceRecord[], month: Month, now: Date): ComplianceReport['days'] {
  const byDay = Map.groupBy(inMonth, ({ finished_at: at }) => dayOf(new Date(at)));
  return daysOf(month).map((day) => {
    const records = byDay.get(day) ?? [];
    const failed = records.filter(({ result }) => result === 'failed').length;
    const passed = records.length - failed;
    const isFuture = Date.parse(`${day}T00:00:00Z`) > now.getTime();
    const state = failed > 0 ? (passed > 0 ? 'mixed' : 'failed') : passed > 0 ? 'passed' : isFuture ? 'future' : 'none';
    return { day, passed, failed, state };
  });
}

function verdictOf(facts: Facts): Pick<ComplianceReport, 'verdict' | 'reasons'> {
  const { objectives, drills, verifications, key_checks: keys, findings, chain, records } = facts;
  const first = records === 0 ? ['There is no record of this month: it shows nothing, and is no pass.'] : [];
  const missed: string[] = [];
  const unknown: string[] = [];
  if (chain.findings.length > 0) missed.push('The evidence itself is not whole: see the chain of records.');
  for (const { objective, result, why } of objectives) {
    if (objective === 'availability') continue;
    if (result === 'missed') missed.push(`${objective.toUpperCase()} was missed: ${why}.`);
    if (result === 'not-recorded') unknown.push(`${objective.toUpperCase()} is not shown: ${why}.`);
  }
  if (drills.state === 'missed') missed.push(`No drill was held; it was due on ${drills.due}.`);
  if (drills.state === 'not-due') unknown.push(`The drill of the month is due on ${drills.due}.`);
  if (drills.held.length > 0 && drills.held.every(({ result }) => result === 'failed')) {
    missed.push('No drill of the month passed.');
  }
  for (const gap of verifications.missed) {
    missed.push(
      `No verification read data from ${gap.from.slice(0, 10)} to ${gap.to.slice(0, 10)}, for ${gap.days} days; ${verifications.every_days} are allowed.`,
    );
  }
  const open = findings.filter(({ closed_at: at }) => at === null);
  if (open.length > 0) missed.push(`${open.length === 1 ? '1 finding is' : `${open.length} findings are`} open.`);
  if (keys.recovery_key === 'overdue' || keys.recovery_key === 'failed') {
    missed.push(
      `The recovery key is ${keys.recovery_key === 'failed' ? 'on record as failing' : 'overdue to be tried'}.`,
    );
  }
  if (keys.recovery_key === 'not-recorded') unknown.push('The recovery key was never tried.');
  if (missed.length > 0) return { verdict: 'missed', reasons: [...first, ...missed, ...unknown] };
  if (records === 0 || unknown.length > 0) return { verdict: 'not-shown', reasons: [...first, ...unknown] };
  return { verdict: 'met', reasons: ['RTO and RPO were measured and met, and nothing that was due was missed.'] };
}
