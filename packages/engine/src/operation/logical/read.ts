// Reads a stream of a dump back, in order, as bytes for a program's input or a file.
//
// Workers fetch ahead; what is ready too early waits for its turn, and so many batches are under way at most. Whoever stops
// reading ends the workers.

import { SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import type { DumpManifest } from '../../format/dump.ts';
import type { RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { Crew } from '../crew.ts';
import { TaskQueue } from '../task-queue.ts';
import type { FetchData, FetchedChunk, FetchResult, FetchTask } from './fetch-worker.ts';

/** About 2 MiB. */
const CHUNKS_A_TASK = 12;
const BATCHES_A_WORKER = 3;

export interface ReadOptions {
  readonly repository: Repository;
  readonly index: RepositoryIndex;
  readonly manifest: DumpManifest;
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** The bytes of the stream of that number. Throws SPW_OBJECT_MISSING and SPW_OBJECT_DAMAGED. */
export async function* readStream(options: ReadOptions, number: number): AsyncGenerator<Uint8Array, void, undefined> {
  const { repository, workers } = options;
  const count = Math.ceil((options.manifest.head.streams[number]?.chunks ?? 0) / CHUNKS_A_TASK);
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  await using crew = new Crew(new URL('./fetch-worker.ts', import.meta.url), Math.min(workers, count));
  const queue = new TaskQueue<FetchTask>(workers * BATCHES_A_WORKER);
  const ready = new Map<number, Uint8Array>();
  let arrived = Promise.withResolvers<void>();
  const work = crew.run<FetchTask, FetchResult, undefined>({
    data: { repository: repository.threadHandle } satisfies FetchData,
    tasks: queue,
    onBegin: queue.onBegin,
    onResult: (result) => {
      ready.set(result.number, result.bytes);
      arrived.resolve();
    },
    signal,
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  work.catch((error: unknown) => {
    queue.fail(error);
    failed.reject(error);
  });
  const feed = async (): Promise<void> => {
    for (const task of tasksFor(options, number)) await queue.push(task);
    queue.end();
  };
  feed().catch(failed.reject);
  try {
    for (let n = 0; n < count; n++) {
      for (;;) {
        const bytes = ready.get(n);
        if (bytes !== undefined) {
          ready.delete(n);
          queue.done();
          yield bytes;
          break;
        }
        arrived = Promise.withResolvers();
        await Promise.race([arrived.promise, failed.promise]);
      }
    }
    await work;
  } finally {
    ending.abort(new SpillwayError('SPW_INTERRUPTED', 'reading the dump was ended'));
  }
}

function* tasksFor({ manifest, index }: ReadOptions, number: number): Iterable<FetchTask> {
  const { streams } = manifest.head;
  const from = streams.slice(0, number).reduce((sum, { chunks }) => sum + chunks, 0);
  const to = from + (streams[number]?.chunks ?? 0);
  for (let at = from, task = 0; at < to; at += CHUNKS_A_TASK, task++) {
    const chunks = Array.from({ length: Math.min(CHUNKS_A_TASK, to - at) }, (_, n) => locate(manifest, index, at + n));
    yield { number: task, chunks };
  }
}

function locate({ chunkIds, lengths }: DumpManifest, index: RepositoryIndex, n: number): FetchedChunk {
  const at = n * CHUNK_ID_BYTES;
  const id = chunkIds.subarray(at, at + CHUNK_ID_BYTES);
  const bytes = lengths[n] ?? 0;
  if (isZeroChunk(chunkIds, at)) return { place: undefined, id, bytes };
  const found = index.table.find(chunkIds, at);
  const pack = found && index.packs[found.pack];
  if (found === undefined || pack === undefined) {
    throw new SpillwayError(
      'SPW_OBJECT_MISSING',
      `chunk ${Buffer.from(id).toString('hex')} is in no pack of the repository`,
    );
  }
  return { place: { pack, offset: found.offset, storedBytes: found.storedBytes }, id, bytes };
}
