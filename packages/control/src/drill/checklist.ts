// The checklist of the plan's monthly drill (section 3.1), filled in from what was measured. Pure.
//
// An item passes only where something was measured for it and nothing of that failed. What nobody measured says so, and counts
// as not passed: a drill file that asks too little cannot pass.

import type { Expectation } from '@spillway/contract';

export type ItemResult = 'passed' | 'failed' | 'not-measured';

export interface ChecklistItem {
  readonly item: string;
  readonly result: ItemResult;
  /** What says so: figures, or what was missing. */
  readonly by: string;
}

export interface CheckOutcome {
  readonly name: string;
  readonly kind: 'sql' | 'shell' | 'http' | 'objects' | 'pages' | 'structure';
  /** Which part of the objects, or what of SQL was expected. */
  readonly about: Expectation['kind'] | 'tables' | 'indexes' | 'constraints' | 'extensions' | null;
  readonly result: 'passed' | 'failed';
  readonly expected: string;
  readonly found: string;
  readonly seconds: number;
}

/** What a drill measured; null is what it did not come to. */
export interface Measured {
  readonly download: { readonly files: number; readonly bytes: number; readonly seconds: number } | null;
  readonly recovery: { readonly lsn: string | null; readonly seconds: number } | null;
  readonly checks: readonly CheckOutcome[];
  readonly rtoSeconds: number | null;
  readonly rtoObjectiveSeconds: number | null;
  /** Why the drill ended before its end, during which phase, and whether the backup is to blame. */
  readonly error: { readonly phase: string; readonly message: string; readonly atFault: boolean } | null;
}

export const ITEMS = [
  'Backup downloads successfully',
  'Database restores without errors',
  'All tables and data are present',
  'Indexes and constraints are intact',
  'Query performance is acceptable',
  'No data corruption detected',
  'Recovery time measured and documented',
] as const;

const DATA: ReadonlySet<CheckOutcome['about']> = new Set([
  'equals_source',
  'within',
  'at_least',
  'at_most',
  'equals',
  'is_true',
]);

export function checklistOf(measured: Measured): readonly ChecklistItem[] {
  const { checks } = measured;
  const about = (...which: readonly CheckOutcome['about'][]): readonly CheckOutcome[] =>
    checks.filter((check) => which.includes(check.about));
  const data = checks.filter(({ about: of }) => DATA.has(of));
  const plans = about('plan_uses_index');
  const judged: readonly Omit<ChecklistItem, 'item'>[] = [
    download(measured),
    restored(measured),
    ofAll([
      ['tables', 'no table is listed under objects', [...about('tables'), ...about('extensions')]],
      ['data', 'no check asks for data', data],
    ]),
    ofAll([
      ['indexes', 'no index is listed under objects', about('indexes')],
      ['constraints', 'no constraint is listed under objects', about('constraints')],
    ]),
    ofAll([
      ['times', 'no check has faster_than', about('faster_than')],
      ...(plans.length === 0 ? [] : [['plans', '', plans] as const]),
    ]),
    ofAll([
      [
        'pages',
        'neither the checksums of its pages nor amcheck could be asked',
        checks.filter(({ kind }) => kind === 'pages' || kind === 'structure'),
      ],
    ]),
    recoveryTime(measured),
  ];
  return judged.map((item, index) => ({ item: ITEMS[index] ?? '', ...item }));
}

function download({ download: got, error }: Measured): Omit<ChecklistItem, 'item'> {
  if (got === null) return broken(error, ['lay'], 'the backup was not fetched');
  return { result: 'passed', by: `${got.files} files, ${mebibytes(got.bytes)} fetched in ${seconds(got.seconds)}` };
}

function restored({ recovery, error }: Measured): Omit<ChecklistItem, 'item'> {
  if (recovery === null) return broken(error, ['lay', 'start-and-recover'], 'the server was not recovered');
  const where = recovery.lsn === null ? '' : ` to ${recovery.lsn}`;
  return { result: 'passed', by: `recovered${where} in ${seconds(recovery.seconds)}` };
}

function recoveryTime({ rtoSeconds, rtoObjectiveSeconds, checks }: Measured): Omit<ChecklistItem, 'item'> {
  if (rtoSeconds === null) {
    const http = checks.some(({ kind }) => kind === 'http');
    return { result: 'not-measured', by: http ? 'no check by HTTP passed' : 'no check of the database passed' };
  }
  const took = `${seconds(rtoSeconds)} from the start to the first successful check`;
  if (rtoObjectiveSeconds === null) return { result: 'passed', by: `${took}; no objective is set` };
  const met = rtoSeconds <= rtoObjectiveSeconds;
  return { result: met ? 'passed' : 'failed', by: `${took}, of at most ${seconds(rtoObjectiveSeconds)}` };
}

function broken(error: Measured['error'], phases: readonly string[], otherwise: string): Omit<ChecklistItem, 'item'> {
  if (error !== null && phases.includes(error.phase)) return { result: 'failed', by: error.message };
  return { result: 'not-measured', by: otherwise };
}

/** Each part must have been measured; one that failed fails the item, whatever the others lack. */
function ofAll(
  parts: readonly (readonly [what: string, missing: string, checks: readonly CheckOutcome[]])[],
): Omit<ChecklistItem, 'item'> {
  const bad = parts.flatMap(([, , checks]) => checks.filter(({ result }) => result === 'failed'));
  const [first] = bad;
  if (first !== undefined) {
    const more = bad.length > 1 ? `; and ${bad.length - 1} more failed` : '';
    return { result: 'failed', by: `${first.name}: ${first.found}${more}` };
  }
  const lacking = parts.filter(([, , checks]) => checks.length === 0);
  if (lacking.length > 0) return { result: 'not-measured', by: lacking.map(([, missing]) => missing).join('; ') };
  return {
    result: 'passed',
    by: parts.map(([what, , checks]) => `${what}: ${summary(checks)}`).join('; '),
  };
}

/** A few are told; of many how many there are. */
const summary = (checks: readonly CheckOutcome[]): string =>
  checks.length <= 2 ? checks.map(({ found }) => found).join(', ') : `${checks.length} checks passed`;

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const seconds = (value: number): string => `${Math.round(value * 100) / 100} s`;
