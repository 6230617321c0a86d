// Which of the jobs that wait may begin now.
//
// 1. A job is in a lane: of one cluster one job at a time works in `backup`, `prove`, `keep` and `restore`. Lanes of one
//    cluster may work beside one another: the repository's own locks keep a collection from harming a backup.
// 2. So many at a time in all, over all clusters. A restore never waits for that: somebody needs his database back. Looks
//    (`look`: checks, plans) take no lane, and have a number of their own.
// 3. Restores first, then in the order in which they were asked for.
// 4. An incremental backup that waits is done by a full one that waits or works: the full one reads all that it would.

import type { Lane } from '@spillway/contract';

export interface LaneJob {
  readonly id: string;
  readonly cluster: string;
  readonly lane: Lane;
  /** What it is of the schedule; null where somebody asked for it. */
  readonly schedule: string | null;
}

export const LOOKS_AT_ONCE = 4;

export interface Admission {
  readonly start: readonly string[];
  readonly superseded: readonly string[];
}

/** `queued` in the order in which they were asked for. */
export function admit(
  queued: readonly LaneJob[],
  running: readonly LaneJob[],
  limits: { readonly atOnce: number },
): Admission {
  const hasFull = new Set(
    [...queued, ...running].filter(({ schedule }) => schedule === 'full').map(({ cluster }) => cluster),
  );
  const superseded = queued.filter(({ schedule, cluster }) => schedule === 'incremental' && hasFull.has(cluster));
  const places = new Set(running.map(placeOf));
  let [working, looking] = [running.filter(isCounted).length, running.filter(({ lane }) => lane === 'look').length];
  const start: string[] = [];
  const waiting = queued.filter((job) => !superseded.includes(job));
  for (const job of [
    ...waiting.filter(({ lane }) => lane === 'restore'),
    ...waiting.filter(({ lane }) => lane !== 'restore'),
  ]) {
    if (job.lane === 'look') {
      if (looking >= LOOKS_AT_ONCE) continue;
      looking++;
    } else {
      if (places.has(placeOf(job)) || (isCounted(job) && working >= limits.atOnce)) continue;
      places.add(placeOf(job));
      if (isCounted(job)) working++;
    }
    start.push(job.id);
  }
  return { start, superseded: superseded.map(({ id }) => id) };
}

const isCounted = ({ lane }: LaneJob): boolean => lane !== 'look' && lane !== 'restore';

const placeOf = ({ cluster, lane }: LaneJob): string => `${cluster}/${lane}`;
