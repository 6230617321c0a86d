// `wal push`: one file of WAL into the repository, as archive_command asks for it, and those that it will ask for next.
//
// 1. The file is stored as `pusher.ts` tells.
// 2. PostgreSQL asks for one file at a time, and each time a process has to start. So the files that are `.ready` already
//    are pushed in the same process, a few at a time, and marked (`push-mark.ts`). Where many are, a process in the
//    background does that (`push-behind.ts`).
// 3. A file that is bad holds up neither those behind it nor their marks: PostgreSQL keeps asking for it, and each time
//    more of the backlog is stored. A store that fails ends the push at once.

import { basename, dirname, join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { type Backlog, backlogNotice, readBacklog } from './backlog.ts';
import { parseWalFileName, type WalFileName } from './file-name.ts';
import { hasMark, isMarked, pruneMarks, type PushedFile, spoolOf } from './push-mark.ts';
import { isOfFile, Pusher, type PushOptions, type PushOutcome } from './pusher.ts';

/** Files that are pushed beyond the one asked for. */
export const AHEAD_DEFAULT = 32;
/** PostgreSQL waits meanwhile: after this no other file is begun. */
const AHEAD_MS = 5_000;
/** Files at once; each holds a part of its segment in memory. */
const AT_ONCE = 2;

export interface PushSummary {
  readonly file: string;
  readonly outcome: PushOutcome;
  /** Files that were pushed beyond it. */
  readonly ahead: number;
  readonly waiting_files: number;
  readonly waiting_bytes: number;
  readonly waiting_seconds: number;
}

/**
 * Success that needs no key: the file was pushed ahead, and the repository still has it. Says no wherever that is not
 * certain; then push it.
 */
export const wasPushed = (file: PushedFile): Promise<boolean> => isMarked(file);

export async function pushWal(options: PushOptions): Promise<PushSummary> {
  const file = fileAskedFor(options.path);
  const backlog = await readBacklog(options.path);
  const pusher = new Pusher(options);
  let failure: unknown;
  let outcome: PushOutcome = 'there';
  try {
    outcome = await pusher.push(file);
  } catch (error) {
    if (!isOfFile(error)) throw error;
    failure = error;
  }
  const ahead = await pushAhead(pusher, options, backlog, file);
  tell(options, backlog);
  if (failure !== undefined) throw failure;
  return {
    file: file.name,
    outcome,
    ahead,
    waiting_files: backlog.files.length,
    waiting_bytes: backlog.bytes,
    waiting_seconds: Math.round(backlog.ageMs / 1000),
  };
}

/** Throws SPW_USAGE where the path is of no file of WAL. */
export function fileAskedFor(path: string): WalFileName {
  const file = parseWalFileName(basename(path));
  if (file !== undefined) return file;
  throw new SpillwayError('SPW_USAGE', `${path} was not pushed`, {
    why: 'PostgreSQL gives no file of its WAL such a name',
    hint: 'set archive_command = \'spillway wal push "%p"\'',
  });
}

function tell({ report }: PushOptions, backlog: Backlog): void {
  const message = backlogNotice(backlog);
  if (message !== undefined) report({ type: 'notice', level: 'warning', message });
}

/** Pushes what is ready behind `asked`; gives how many files. What fails is told: PostgreSQL will ask for it in its turn. */
async function pushAhead(pusher: Pusher, options: PushOptions, backlog: Backlog, asked: WalFileName): Promise<number> {
  const { ahead = AHEAD_DEFAULT, cluster, path, report, signal, spoolDirectory } = options;
  const folder = dirname(path);
  if (ahead === 0 || backlog.files.length === 0) return 0;
  await pruneMarks(spoolOf(path, spoolDirectory), new Set(backlog.files.map(({ name }) => name)));
  const marking = { cluster, ...(spoolDirectory === undefined ? {} : { spoolDirectory }) };
  const began = performance.now();
  const halt = new AbortController();
  let done = 0;
  /** In their order, whoever asks: of several that look for marks at once a later file could be the first to have looked. */
  const queue = (async function* (): AsyncGenerator<WalFileName, void, undefined> {
    let taken = 0;
    for (const file of backlog.files) {
      if (file.name === asked.name || (await hasMark({ ...marking, path: join(folder, file.name) }))) continue;
      if (++taken > ahead) return;
      yield file;
    }
  })();
  const work = async (): Promise<void> => {
    for await (const file of queue) {
      if (halt.signal.aborted || signal?.aborted === true || performance.now() - began > AHEAD_MS) return;
      try {
        await pusher.push(file);
        done++;
      } catch (error) {
        if (!isSpillwayError(error)) throw error;
        if (!isOfFile(error)) halt.abort();
        const message = `${error.message}; PostgreSQL will ask for it in its turn.`;
        report({ type: 'notice', level: 'warning', message, fields: { why: error.why ?? '', code: error.code } });
      }
    }
  };
  // One queue for all of them: each file is taken once.
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return done;
}
