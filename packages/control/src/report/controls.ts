// Which controls the records say something about, and what. Pure.
//
// A control is shown only by records of the month; where there are none it is not shown, whatever else is so. Whether it is
// met is for whoever audits: here stands what he may look at.
// NIST SP 800-34 Rev. 1; ISO 22301:2019; SOC 2: Trust Services Criteria, availability.

import type { ComplianceReport } from '@spillway/contract';

type Control = ComplianceReport['controls'][number];
export type Facts = Omit<ComplianceReport, 'controls' | 'verdict' | 'reasons'> & {
  /** Records of the month that the report only counts. */
  readonly citations: { readonly verifications: Control['records']; readonly keyChecks: Control['records'] };
};
type Shown = Pick<Control, 'shown' | 'state' | 'records'>;

const NIST = 'NIST SP 800-34 Rev. 1';
const ISO = 'ISO 22301:2019';
const SOC = 'SOC 2 (TSC)';

export function controlsOf(facts: Facts): readonly Control[] {
  const [objectives, verified, drilled, recovered, validated, measured, corrected, keys, kept] = [
    objectivesStated(facts),
    verifications(facts),
    drills(facts),
    recoveries(facts),
    validations(facts),
    measurements(facts),
    corrections(facts),
    keyChecks(facts),
    documented(facts),
  ];
  const rows: readonly (readonly [framework: string, control: string, asks: string, shown: Shown])[] = [
    [NIST, '3.2.1', 'recovery time and recovery point objectives are set', objectives],
    [NIST, '3.4.1, 3.4.2', 'backups are made so that they can be recovered from, and are tested', verified],
    [NIST, '3.5.1', 'recovery is tested, from backup media, on another system', drilled],
    [NIST, '3.5.3', 'recovery is exercised at set times, and what was learnt is recorded', drilled],
    [NIST, '4.3', 'the system is recovered in a known order, and its progress is recorded', recovered],
    [NIST, '4.4', 'what was recovered is validated: its data and its function', validated],
    [ISO, '7.5.3', 'documented information is protected against loss of integrity', kept],
    [ISO, '8.2.2', 'time frames within which activities are resumed are set', objectives],
    [ISO, '8.4.5', 'there are documented ways to restore, and they work', recovered],
    [ISO, '8.5', 'an exercise programme validates the solutions over time', drilled],
    [ISO, '8.6', 'continuity capabilities are evaluated, by tests and reports after them', validated],
    [ISO, '9.1', 'performance is measured and held against what was set', measured],
    [ISO, '10.1', 'nonconformities are dealt with, and that is recorded', corrected],
    [SOC, 'A1.2', 'data backup processes and recovery infrastructure are operated and monitored', verified],
    [SOC, 'A1.2', 'what opens the backups is available when it is needed', keys],
    [SOC, 'A1.3', 'recovery plan procedures are tested', drilled],
  ];
  return rows.map(([framework, control, asks, shown]) => ({ framework, control, asks, ...shown }));
}

const NOTHING: Shown['records'] = [];
const notShown = (shown: string): Shown => ({ shown, state: 'not-shown', records: NOTHING });
const stateBy = (failed: boolean): Shown['state'] => (failed ? 'shown-with-faults' : 'shown');

function objectivesStated({ objectives, drills: { held } }: Facts): Shown {
  const stated = objectives.filter(
    ({ objective, target_seconds: target }) => objective !== 'availability' && target !== null,
  );
  const records = held.filter((each) => each.rto_objective_seconds !== null || each.rpo_objective_seconds !== null);
  if (records.length === 0) return notShown('no drill of the month names an objective');
  const names = stated.map(({ objective }) => objective.toUpperCase()).join(' and ');
  return {
    shown: `${names} ${stated.length === 1 ? 'is' : 'are'} named by the drills, and held against what was measured`,
    state: stated.length === 2 ? 'shown' : 'shown-with-faults',
    records: records.map(({ record }) => record),
  };
}

function verifications({ verifications: { levels, failures, missed }, citations }: Facts): Shown {
  const passed = levels.reduce((sum, each) => sum + each.passed, 0);
  if (levels.length === 0) return notShown('no verification was recorded');
  const gaps = missed.length === 0 ? '' : `, ${count(missed.length, 'stretch', 'stretches')} without one`;
  return {
    shown: `${count(passed + failures.length, 'verification')}: ${passed} passed, ${failures.length} failed${gaps}`,
    state: stateBy(failures.length > 0 || missed.length > 0),
    records: citations.verifications,
  };
}

function drills({ drills: { state, due, held } }: Facts): Shown {
  if (held.length === 0) {
    return notShown(state === 'not-due' ? `the drill is due on ${due}` : `no drill was held; it was due on ${due}`);
  }
  const failed = held.filter(({ result }) => result === 'failed').length;
  const when = state === 'held' ? `on ${due}, when it was due` : `not on ${due}, when it was due`;
  return {
    shown: `${count(held.length, 'drill')}, ${failed} of them failed; held ${when}`,
    state: stateBy(failed > 0),
    records: held.map(({ record }) => record),
  };
}

function recoveries({ drills: { held }, restores }: Facts): Shown {
  const total = held.length + restores.length;
  if (total === 0) return notShown('nothing was recovered');
  const failed = [...held, ...restores].filter(({ result }) => result === 'failed').length;
  const timed = held.filter(({ phases }) => phases.length > 0).length;
  return {
    shown: `${count(total, 'recovery', 'recoveries')} recorded, ${failed} failed; ${timed} with the time of each phase`,
    state: stateBy(failed > 0),
    records: [...held, ...restores].map(({ record }) => record),
  };
}

function validations({ drills: { held } }: Facts): Shown {
  const checked = held.filter((each) => each.checks_passed + each.checks_failed > 0);
  if (checked.length === 0) return notShown('no drill recorded checks of what it recovered');
  const passed = checked.reduce((sum, each) => sum + each.checks_passed, 0);
  const failed = checked.reduce((sum, each) => sum + each.checks_failed, 0);
  return {
    shown: `${count(passed + failed, 'check')} of recovered data and function: ${passed} passed, ${failed} failed`,
    state: stateBy(failed > 0),
    records: checked.map(({ record }) => record),
  };
}

function measurements({ objectives, drills: { held } }: Facts): Shown {
  const measured = objectives.filter(({ result }) => result !== 'not-recorded');
  if (measured.length === 0) return notShown('no objective was measured');
  return {
    shown: measured.map(({ objective, why }) => `${objective.toUpperCase()}: ${why}`).join('; '),
    state: stateBy(measured.length < 2 || measured.some(({ result }) => result === 'missed')),
    records: held.map(({ record }) => record),
  };
}

function corrections({ findings, records }: Facts): Shown {
  if (records === 0) return notShown('nothing was recorded');
  if (findings.length === 0) return notShown('no finding was open in the month, so none had to be dealt with');
  const closed = findings.filter(({ closed_at: at }) => at !== null);
  return {
    shown: `${count(findings.length, 'finding')} open in the month, ${closed.length} closed by a later test`,
    state: stateBy(closed.length < findings.length),
    records: closed.flatMap(({ closed_by: by }) => (by === null ? [] : [by])),
  };
}

function keyChecks({ key_checks: { kinds, recovery_key: recovery }, citations }: Facts): Shown {
  if (citations.keyChecks.length === 0) return notShown('no key was tried in the month');
  const failed = kinds.reduce((sum, each) => sum + each.failed, 0);
  return {
    shown: `${count(citations.keyChecks.length, 'key check')}, ${failed} failed; recovery key: ${recovery.replace('-', ' ')}`,
    state: stateBy(failed > 0 || recovery !== 'proven'),
    records: citations.keyChecks,
  };
}

function documented({ chain, records }: Facts): Shown {
  if (records === 0) return notShown('nothing was recorded');
  const found = chain.findings.length;
  return {
    shown:
      found === 0
        ? `${count(chain.records, 'record')}, each signed and chained to the one before it`
        : `${count(found, 'finding')} in the chain of records: see the last section`,
    state: stateBy(found > 0),
    records: NOTHING,
  };
}

const count = (n: number, noun: string, plural = `${noun}s`): string => `${n} ${n === 1 ? noun : plural}`;
