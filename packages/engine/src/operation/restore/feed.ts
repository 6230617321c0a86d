// Lays WAL ready ahead of replay, so that PostgreSQL only has to move files.
//
// 1. Segments are fetched in the order of the way into `spillway_recovery/`, at most SEGMENTS_AHEAD of them at a time:
//    PostgreSQL takes one by moving it away, and that makes room for the next.
// 2. `names` lists all files of this recovery, so that PostgreSQL learns at once that there is nothing after the end.
// 3. If the feeder falls behind or ends, the script fetches by itself: feeding changes only how long recovery takes.

import { chown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { historyName, segmentName, timelineId } from '../../postgres/lsn.ts';
import { fetchSegment } from '../wal/fetch.ts';
import { NAMES_FILE, RECOVERY_FOLDER } from './fetch-script.ts';
import { type PlannedRestore, SEGMENTS_AHEAD } from './plan.ts';

const LOOK_AGAIN_MS = 10;
const FETCHES_AT_ONCE = 2;

export interface Feeder {
  /** Settles once the first segments lie ready. */
  readonly ready: Promise<void>;
  /** Ends feeding, waits until nothing is written any more, and removes what was not taken. */
  stop(): Promise<void>;
}

export function startFeeder(
  planned: PlannedRestore,
  owner: { readonly uid: number; readonly gid: number } | undefined,
  signal: AbortSignal,
): Feeder {
  const { archive, ways } = planned.wal;
  const { steps } = planned.way;
  const { directory } = planned.plan;
  const folder = join(directory, RECOVERY_FOLDER);
  const stopped = new AbortController();
  const end = AbortSignal.any([signal, stopped.signal]);
  const ready = Promise.withResolvers<void>();
  const lying = new Set<string>();
  let next = 0;
  let fetched = 0;

  /** Counts what PostgreSQL has not taken yet. */
  async function countLying(): Promise<number> {
    const names = new Set(await readdir(folder));
    for (const name of lying) if (!names.has(name)) lying.delete(name);
    return lying.size;
  }

  async function feed(): Promise<void> {
    while (!end.aborted) {
      const step = steps[next++];
      if (step === undefined) return;
      const name = segmentName(step.timeline, step.start, archive.segmentSize);
      while (lying.size >= SEGMENTS_AHEAD && (await countLying()) >= SEGMENTS_AHEAD) {
        await wait(LOOK_AGAIN_MS, undefined, { signal: end });
      }
      await fetchSegment(archive, name, join(folder, name), end, owner);
      lying.add(name);
      if (++fetched >= Math.min(steps.length, FETCHES_AT_ONCE)) ready.resolve();
    }
  }

  async function writeNames(): Promise<void> {
    const histories = (ways.get(timelineId(planned.plan.timeline)) ?? []).map(({ timeline }) => historyName(timeline));
    const segments = steps.map(({ timeline, start }) => segmentName(timeline, start, archive.segmentSize));
    const path = join(directory, NAMES_FILE);
    await writeFile(path, `${[...histories, ...segments].join('\n')}\n`, { mode: 0o600 });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }

  // A feeder that fails is no failure of the recovery: see 3. What went wrong shows when the script meets it too.
  const running = writeNames()
    .then(() => Promise.all(Array.from({ length: FETCHES_AT_ONCE }, feed)))
    .catch(() => undefined)
    .finally(() => ready.resolve());
  return {
    ready: ready.promise,
    stop: async () => {
      stopped.abort();
      await running;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
