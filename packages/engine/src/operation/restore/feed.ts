// Lays WAL ready ahead of replay, so that PostgreSQL only has to move files.
//
// 1. Segments are fetched in the order of the way into `spillway_recovery/`, at most SEGMENTS_AHEAD of them at a time:
//    PostgreSQL takes one by moving it away, and that makes room for the next.
// 2. `names` lists all files of this recovery, so that PostgreSQL learns at once that there is nothing after the end.
// 3. Where the feeder fell behind the script waits for it; where it ended the script fetches by itself. So feeding changes
//    only how long recovery takes.

import { appendFile, chown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyName, segmentName } from '../../postgres/lsn.ts';
import { fetchSegment } from '../wal/fetch.ts';
import { pause } from '../pause.ts';
import { FEEDER_FILE, LAID_FILE, NAMES_FILE, RECOVERY_FOLDER, TAKEN_FOLDER } from './fetch-script.ts';
import { SEGMENTS_AHEAD } from './plan.ts';
import type { PlannedRestore } from './planned.ts';

const LOOK_AGAIN_MS = 10;
const FETCHES_AT_ONCE = 2;
/** PostgreSQL reads its last segments again when it ends a recovery. */
const TAKEN_KEPT = 3;

export interface Feeder {
  /** Settles once the first segments lie ready. */
  readonly ready: Promise<void>;
  /** Why feeding ended before all was fed; undefined while it goes on. Tells why a recovery that failed did. */
  failure(): unknown;
  /**
   * Ends feeding, waits until nothing is written any more, and removes what was not taken; the script too, unless the
   * server still needs it: then it fetches by itself from now on.
   */
  stop(keepScript: boolean): Promise<void>;
}

export function startFeeder(
  planned: PlannedRestore,
  owner: { readonly uid: number; readonly gid: number } | undefined,
  signal: AbortSignal,
): Feeder {
  const { archive, catalog } = planned.wal;
  const { steps } = planned.way;
  const { directory } = planned.plan;
  const folder = join(directory, RECOVERY_FOLDER);
  const stopped = new AbortController();
  const end = AbortSignal.any([signal, stopped.signal]);
  const ready = Promise.withResolvers<void>();
  const takenFolder = join(directory, TAKEN_FOLDER);
  const names = steps.map(({ timeline, start }) => segmentName(timeline, start, archive.segmentSize));
  const order = new Map(names.map((name, index) => [name, index]));
  const lying = new Set<string>();
  let next = 0;
  let fetched = 0;
  let failure: unknown;

  /** Counts what PostgreSQL has not taken yet, and removes what it will not ask for again. */
  async function countLying(): Promise<number> {
    const there = new Set(await readdir(folder));
    for (const name of lying) if (!there.has(name)) lying.delete(name);
    const taken = (await readdir(takenFolder)).filter((name) => order.has(name));
    taken.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    for (const name of taken.slice(0, -TAKEN_KEPT)) await rm(join(takenFolder, name), { force: true });
    return lying.size;
  }

  async function feed(): Promise<void> {
    while (!end.aborted) {
      const name = names[next++];
      if (name === undefined) return;
      while (lying.size >= SEGMENTS_AHEAD && (await countLying()) >= SEGMENTS_AHEAD) {
        await pause(LOOK_AGAIN_MS, end);
      }
      await fetchSegment(archive, name, join(folder, name), { owner, synced: true, signal: end });
      await appendFile(join(directory, LAID_FILE), `${name}\n`);
      lying.add(name);
      if (++fetched >= Math.min(steps.length, FETCHES_AT_ONCE)) ready.resolve();
    }
  }

  /** All histories there are, so that PostgreSQL does not choose the number of a timeline that exists. */
  async function layNames(): Promise<void> {
    const histories: string[] = [];
    for (const timeline of catalog.histories) {
      const content = await archive.readHistory(timeline, end);
      if (content === undefined) continue;
      histories.push(historyName(timeline));
      await put(join(takenFolder, historyName(timeline)), content);
    }
    await put(join(directory, LAID_FILE), '');
    await put(join(directory, FEEDER_FILE), String(process.pid));
    await put(join(directory, NAMES_FILE), `${[...histories, ...names].join('\n')}\n`);
  }

  async function put(path: string, content: string | Uint8Array): Promise<void> {
    await writeFile(path, content, { mode: 0o600 });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }

  // A feeder that fails is no failure of the recovery: see 3. What went wrong shows when the script meets it too.
  const running = layNames()
    .then(() => Promise.all(Array.from({ length: FETCHES_AT_ONCE }, feed)))
    .catch(async (error: unknown) => {
      failure = error;
      await rm(join(directory, FEEDER_FILE), { force: true });
    })
    .finally(() => ready.resolve());
  return {
    ready: ready.promise,
    failure: () => failure,
    stop: async (keepScript) => {
      stopped.abort();
      await running;
      if (!keepScript) {
        await rm(folder, { recursive: true, force: true });
        return;
      }
      // The list first: it says what there is, and is not true for ever.
      for (const path of [NAMES_FILE, FEEDER_FILE, LAID_FILE]) await rm(join(directory, path), { force: true });
      for (const name of names) await rm(join(folder, name), { force: true });
    },
  };
}
