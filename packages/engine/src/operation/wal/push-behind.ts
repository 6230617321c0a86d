// Pushes what waits behind a file that PostgreSQL asked for, in a process that goes on while PostgreSQL asks for one after the other.
//
// 1. One such process at a time for each folder of marks (`pusher-file.ts`); another ends at once.
// 2. Each file that is `.ready` and has no mark is pushed as its own call would, and marked when it is durable; a few at a
//    time, in the order in which PostgreSQL asks. What came up since is looked for every second, and when nothing is left.
// 3. A file that fails is left to its own call, which says why; calls do not wait for a mark of it. A store that fails ends
//    everything. The file that was asked for first is left to the call that asks for it.
// 4. The end: nothing to do for LINGER_MS, LIFE_MS, an abort, or the server's end, as its postmaster.pid tells. The
//    files at hand are finished.
// Invariant: as of each push, a mark means that the file is durable. To lose this process costs nothing but time.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSpillwayError } from '@spillway/contract';
import { pause } from '../pause.ts';
import { readReady } from './backlog.ts';
import type { WalFileName } from './file-name.ts';
import { fileAskedFor } from './push.ts';
import { hasMark, leaveToItsCall, pruneMarks, removeLeft, spoolOf } from './push-mark.ts';
import { isOfFile, PUSHED_AT_ONCE, Pusher, type PushOptions } from './pusher.ts';
import { isPusherAtWork, takePusherFile } from './pusher-file.ts';

/** A call that finds so many files ready behind its own starts it. */
export const BEHIND_FILES_MIN = 4;
export const BEHIND_LIFE_MS = 60_000;
const LINGER_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
const LOOK_AGAIN_MS = 25;

export interface BehindSummary {
  /** Files that were pushed. */
  readonly pushed: number;
  /** Whether it did anything: another process may have been at work. */
  readonly tookPlace: boolean;
}

/** Whether a process in the background is worth its start: enough waits, and none is at work. */
export async function isBehindWorthIt(options: Pick<PushOptions, 'path' | 'cluster' | 'spoolDirectory'>): Promise<boolean> {
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
  const pusher = new Pusher(options);
  const server = await serverOf(options.dataDirectory);
  /** Files that it is done with, one way or the other. */
  const done = new Set([asked.name]);
  const began = performance.now();
  let pushed = 0;
  let workedAt = began;
  const mayBegin = (): boolean => signal?.aborted !== true && performance.now() - began < lifeMs;

  async function* waiting(files: readonly WalFileName[], until: number): AsyncGenerator<WalFileName, void, undefined> {
    for (const file of files) {
      if (done.has(file.name)) continue;
      done.add(file.name);
      if (await hasMark({ ...marking, path: join(folder, file.name) })) continue;
      if (!mayBegin() || performance.now() > until) {
        done.delete(file.name);
        return;
      }
      yield file;
    }
  }

  async function work(files: AsyncIterable<WalFileName>): Promise<void> {
    for await (const file of files) {
      try {
        await pusher.push(file);
        pushed++;
      } catch (error) {
        if (!isSpillwayError(error) || !isOfFile(error)) throw error;
        await leaveToItsCall(spool, file.name);
      }
      workedAt = performance.now();
    }
  }

  try {
    await leaveToItsCall(spool, asked.name);
    while (mayBegin() && (await serverOf(options.dataDirectory)) === server) {
      const ready = await readReady(folder);
      const names = new Set(ready.map(({ name }) => name));
      await pruneMarks(spool, names);
      // What is asked for again after it was archived, as nobody does, is pushed again.
      for (const name of done) if (!names.has(name)) done.delete(name);
      if (ready.every(({ name }) => done.has(name))) {
        if (performance.now() - workedAt > lingerMs) break;
        await pause(LOOK_AGAIN_MS, signal);
        continue;
      }
      const files = waiting(ready, performance.now() + LOOK_EVERY_MS);
      await Promise.all(Array.from({ length: PUSHED_AT_ONCE }, () => work(files)));
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
