// How many jobs of which kind and end were forgotten, so that the counters of the metrics never fall: one that falls looks like
// a restart to Prometheus, which then counts everything before it again.
//
// One fact of the state, a number for each command, kind of backup and end of a cluster: as many as there are kinds, not jobs.

import type { Database } from './database.ts';

export interface EndedJobs {
  readonly command: string;
  /** For backups. */
  readonly kind: string | null;
  readonly state: string;
  readonly count: number;
}

const FACT = 'forgotten-jobs';

/** Of jobs that have ended, with what `WHERE` needs beside that. */
export const ENDED_JOBS = `
  SELECT cluster, command,
         CASE WHEN command <> 'backup' THEN NULL
              WHEN json_extract(request, '$.source') IN ('schema', 'logical') THEN json_extract(request, '$.source')
              WHEN json_extract(request, '$.type') = 'full' THEN 'full' ELSE 'incremental' END AS kind,
         state, count(*) AS count, max(coalesce(finished_at, requested_at)) AS newest
    FROM job WHERE ended = 1`;
export const BY_KIND = 'GROUP BY 1, 2, 3, 4';

type Counts = Record<string, number>;

const countsIn = (database: Database): Counts => {
  const row = database.get<{ readonly value: string }>('SELECT value FROM fact WHERE name = ?', FACT);
  return row === undefined ? {} : (JSON.parse(row.value) as Counts);
};

export function forgottenJobs(database: Database, cluster: string): readonly EndedJobs[] {
  return Object.entries(countsIn(database)).flatMap(([key, count]) => {
    const [of, command = '', kind = '', state = ''] = key.split('|');
    return of === cluster ? [{ command, kind: kind === '' ? null : kind, state, count }] : [];
  });
}

/** Forgets the jobs that ended before `time`, and counts them. */
export function forgetJobs(database: Database, time: number): number {
  return database.transaction(() => {
    const old = 'coalesce(finished_at, requested_at) < ?';
    const going = database.all<EndedJobs & { readonly cluster: string }>(`${ENDED_JOBS} AND ${old} ${BY_KIND}`, time);
    if (going.length === 0) return 0;
    const counts = countsIn(database);
    for (const { cluster, command, kind, state, count } of going) {
      const key = [cluster, command, kind ?? '', state].join('|');
      counts[key] = (counts[key] ?? 0) + count;
    }
    database.run(
      'INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      FACT,
      JSON.stringify(counts),
    );
    return database.run(`DELETE FROM job WHERE ended = 1 AND ${old}`, time);
  });
}
