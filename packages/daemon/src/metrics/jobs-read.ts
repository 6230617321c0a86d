// What the metrics tell of jobs and schedules, read from the state: counts that outlive a restart of the service, and the jobs
// that they count.

import type { Occurrences } from '@spillway/control';
import type { Dispatcher } from '../schedule/dispatcher.ts';
import type { ScheduleRule } from '../schedule/rules.ts';
import type { Database } from '../state/database.ts';
import { BY_KIND, ENDED_JOBS, type EndedJobs, forgottenJobs } from '../state/forgotten.ts';
import type { JobsRead } from './samples.ts';

/** So many runs ahead are looked at for the longest time between two: a week of days, and a year of months. */
const RUNS_AHEAD = 14;

export function readJobs(parts: {
  readonly database: Database;
  readonly dispatcher: Pick<Dispatcher, 'documents'>;
  readonly rules: readonly ScheduleRule[];
  readonly cluster: string;
  readonly now: number;
}): JobsRead {
  const { database, dispatcher, rules, cluster, now } = parts;
  const kept = database.all<EndedJobs & { readonly newest: number }>(
    `${ENDED_JOBS} AND cluster = ? ${BY_KIND}`,
    cluster,
  );
  return {
    schedules: dispatcher.documents(cluster).map((schedule) => {
      const rule = rules.find((each) => each.cluster === cluster && each.kind === schedule.kind)?.rule;
      return { ...schedule, periodSeconds: rule === undefined ? null : periodOf(rule.occurrences, now) };
    }),
    open: database.all<{ readonly state: string; readonly count: number; readonly oldest: number }>(
      'SELECT state, count(*) AS count, min(requested_at) AS oldest FROM job WHERE cluster = ? AND ended = 0 GROUP BY 1',
      cluster,
    ),
    ended: [...kept, ...forgottenJobs(database, cluster).map((each) => ({ ...each, newest: null }))],
  };
}

/** The longest time between two of the next runs; null where no second one ever comes. */
export function periodOf(occurrences: Pick<Occurrences, 'after'>, now: number): number | null {
  let longest: number | null = null;
  let before = occurrences.after(now);
  for (let run = 0; run < RUNS_AHEAD && before !== undefined; run++) {
    const next = occurrences.after(before);
    if (next !== undefined) longest = Math.max(longest ?? 0, next - before);
    before = next;
  }
  return longest === null ? null : longest / 1000;
}
