// Mass deletion as the server counts it: rows deleted an hour since the last look, against the looks before.
//
// The server's counters begin anew with a crash or a reset, and then a look has nothing to compare with. Pure.

import { median, rounded, type Sign, sign } from './finding.ts';

const HOUR_MS = 3_600_000;
/** Looks that lie closer are taken as this far apart. */
const APART_MS_MIN = 60_000;
const RATES_MIN = 3;
const TIMES = 10;
const ROWS_MIN = 10_000;

export interface DeletionLook {
  readonly at: string;
  readonly deleted_rows: number;
  readonly statistics_since: string | null;
}

/** `looks`: oldest first; the last is the one now. */
export function signsOfDeletion(looks: readonly DeletionLook[]): readonly Sign[] {
  const steps = looks.flatMap((look, at) => {
    const before = looks[at - 1];
    const step = before === undefined ? undefined : stepOf(before, look);
    return step === undefined ? [] : [{ ...step, at: look.at }];
  });
  const last = steps.at(-1);
  const now = looks.at(-1);
  if (last === undefined || now === undefined || last.at !== now.at) return [];
  const rates = steps.slice(0, -1).map(({ rate }) => rate);
  const usual = median(rates);
  if (usual === undefined || rates.length < RATES_MIN || last.rows < ROWS_MIN || last.rate <= TIMES * usual) return [];
  const message = `${Math.round(last.rate)} rows an hour were deleted before ${now.at}; usual are ${Math.round(usual)}`;
  return [
    sign('deleted-rows', 'alarm', now.at, message, {
      deleted_rows: last.rows,
      rows_an_hour: rounded(last.rate),
      median_rows_an_hour: rounded(usual),
    }),
  ];
}

function stepOf(
  before: DeletionLook,
  after: DeletionLook,
): { readonly rows: number; readonly rate: number } | undefined {
  const rows = after.deleted_rows - before.deleted_rows;
  if (rows < 0 || before.statistics_since !== after.statistics_since) return undefined;
  const apart = Math.max(APART_MS_MIN, Date.parse(after.at) - Date.parse(before.at));
  return { rows, rate: (rows * HOUR_MS) / apart };
}
