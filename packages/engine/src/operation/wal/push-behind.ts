// Pushes what waits behind a file that PostgreSQL asked for, in a process that goes on while PostgreSQL asks for one after the other.
//
// 1. One such process at a time for each folder of marks (`pusher-file.ts`); another ends at once.
// 2. Each file that is `.ready` and has no mark is pushed as its own call would, by a few threads (`push-worker.ts`) in the order in
//    which PostgreSQL asks, and marked when it is durable. What came up since is looked for twice a second, and when nothing is left.
// 3. A file that fails is left to its own call, which says why; calls do not wait for a mark of it. A store that fails ends
//    everything. The file that was asked for first is left to the call that asks for it.
// 4. The end: nothing to do for LINGER_MS, LIFE_MS, an abort, or the server's end, as its postmaster.pid tells. The
//    files at hand are finished.
// Invariant: as of each push, a mark means that the file is durable. To lose this process costs nothing but time.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Crew, NOT_YET } from '../crew.ts';
import { pause } from '../pause.ts';
import { readReady } from './backlog.ts';
import type { WalFileName } from './file-name.ts';
import { fileAskedFor } from './push.ts';
import { hasMark, leaveToItsCall, pruneMarks, removeLeft, spoolOf } from './push-mark.ts';
import type { PushData, PushResult, PushTask } from './push-worker.ts';
import { markStored, type PushOptions } from './pusher.ts';
import { isPusherAtWork, takePusherFile, takePusherFileFor } from './pusher-file.ts';

/** A call that finds so many files ready behind its own starts it. */
export const BEHIND_FILES_MIN = 4;
export const BEHIND_LIFE_MS = 60_000;
const LINGER_MS = 2_000;
/** Threads: one more than two cores have, because each waits for the disk now and then. */
const AT_ONCE = 3;
const LOOK_EVERY_MS = 500;
const LOOK_AGAIN_MS = 25;

export interface BehindSummary {
  /** Files that were pushed. */
  readonly pushed: number;
  /** Whether it did anything: another process may have been at work. */
  readonly tookPlace: boolean;
}

/** Whether a process in the background is worth its start: enough waits, and none is at work. */
export async function isBehindWorthIt(
  options: Pick<PushOptions, 'path' | 'cluster' | 'spoolDirectory'>,
): Promise<boolean> {
  const { path, cluster, spoolDirectory } = options;
  const asked = fileAskedFor(path);
  if (await isPusherAtWork(spoolOf(path, spoolDirectory))) return false;
  const folder = dirname(path);
  let found = 0;
  for (const { name } of await readReady(folder)) {
    const file = { cluster, path: join(folder, name), ...(spoolDirectory === undefined ? {} : { spoolDirectory }) };
    if (name !== asked.name && !(await hasMark(file)) && ++found >= BEHIND_FILES_MIN) return true;
  }
  return false;
}

/** For the call that started it: `pid` is the process in which `pushBehind` will run. */
export const awaitBehind = (path: string, pid: number): Promise<void> =>
  takePusherFileFor(spoolOf(path, undefined), pid);

/** `path` is the file that PostgreSQL asked for. Throws what the store fails with. */
export async function pushBehind(
  options: PushOptions & { readonly lifeMs?: number; readonly lingerMs?: number },
): Promise<BehindSummary> {
  const { path, cluster, spoolDirectory, signal, lifeMs = BEHIND_LIFE_MS, lingerMs = LINGER_MS } = options;
  const asked = fileAskedFor(path);
  const folder = dirname(path);
  const spool = spoolOf(path, spoolDirectory);
  await using place = await takePusherFile(spool);
  if (place === undefined) return { pushed: 0, tookPlace: false };
  const marking = { cluster, ...(spoolDirectory === undefined ? {} : { spoolDirectory }) };
  const { dataDirectory } = options;
  const server = await serverOf(dataDirectory);
  /** Files that it is done with, or that a worker has. */
  const taken = new Set([asked.name]);
  const marks: Promise<void>[] = [];
  const began = performance.now();
  let pushed = 0;
  let workedAt = began;
  let queue: readonly WalFileName[] = [];
  const over = new AbortController();
  let wake = (): void => undefined;
  const mayBegin = (): boolean => signal?.aborted !== true && performance.now() - began < lifeMs;

  function* tasks(): Generator<PushTask | typeof NOT_YET, void, undefined> {
    while (!over.signal.aborted && mayBegin()) {
      const next = queue.find(({ name }) => !taken.has(name));
      if (next !== undefined) taken.add(next.name);
      yield next ?? NOT_YET;
    }
  }

  async function settle({ file, stored }: PushResult): Promise<void> {
    workedAt = performance.now();
    if (stored === undefined) return leaveToItsCall(spool, file.name);
    pushed++;
    await markStored(options, file.name, stored);
  }

  /** Until there is nothing to do, or no time. */
  async function watch(ended: AbortSignal): Promise<void> {
    while (!ended.aborted && mayBegin() && (await serverOf(dataDirectory)) === server) {
      const ready = await readReady(folder);
      const names = new Set(ready.map(({ name }) => name));
      await pruneMarks(spool, names);
      // What is asked for again after it was archived, as nobody does, is pushed again.
      for (const name of taken) if (!names.has(name)) taken.delete(name);
      const waiting: WalFileName[] = [];
      for (const file of ready) {
        if (taken.has(file.name)) continue;
        if (await hasMark({ ...marking, path: join(folder, file.name) })) taken.add(file.name);
        else waiting.push(file);
      }
      queue = waiting;
      wake();
      const isIdle = waiting.length === 0;
      if (isIdle && performance.now() - workedAt > lingerMs) break;
      await pause(isIdle ? LOOK_AGAIN_MS : LOOK_EVERY_MS, ended).catch(() => undefined);
    }
  }

  const ended = new AbortController();
  const stop = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  try {
    await leaveToItsCall(spool, asked.name);
    await using crew = new Crew(new URL('./push-worker.ts', import.meta.url), AT_ONCE);
    const { repository, newSystem, compressionLevel } = options;
    const data: PushData = {
      handle: repository.threadHandle,
      cluster,
      path,
      dataDirectory,
      ...(newSystem === undefined ? {} : { newSystem }),
      ...(compressionLevel === undefined ? {} : { compressionLevel }),
    };
    const working = crew.run<PushTask, PushResult, null>({
      data,
      tasks: tasks(),
      onBegin: (wakeCrew) => {
        wake = wakeCrew;
      },
      onResult: (result) => void marks.push(settle(result)),
      signal: signal ?? new AbortController().signal,
    });
    const watching = watch(stop).finally(() => {
      over.abort();
      wake();
    });
    try {
      await working;
    } finally {
      ended.abort();
      await watching;
      await Promise.all(marks);
    }
  } finally {
    await removeLeft(spool);
  }
  return { pushed, tookPlace: true };
}

/** Tells one run of the server from the next; undefined where there is none, as in a folder that is no data directory. */
async function serverOf(dataDirectory: string): Promise<string | undefined> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'latin1').catch(() => undefined);
  // Number, folder and the time of the start; the state further below changes.
  return text?.split('\n').slice(0, 3).join('\n');
}
