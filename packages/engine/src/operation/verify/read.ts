// The second level: everything is read, by worker threads, and what is bad is followed back to what it hurts.

import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import { packName } from '../../format/names.ts';
import type { RepositoryIndex } from '../../repository/index-store.ts';
import { stretches } from '../../repository/stretches.ts';
import { Crew } from '../crew.ts';
import type { DistinctChunk, DistinctChunks } from './distinct-chunks.ts';
import { type Findings, wholly } from './findings.ts';
import { wants } from './holder.ts';
import type { WalLook } from './structure.ts';
import { readOrTell, type Subject, type VerifyOptions } from './subjects.ts';
import type { VerifyResult, VerifyTask } from './verify-worker.ts';

export interface Progress {
  chunks: number;
  bytes: number;
  fetched: number;
  walObjects: number;
  packs: number;
}

export interface Reading {
  readonly index: RepositoryIndex;
  readonly distinct: DistinctChunks;
  readonly subjects: readonly Subject[];
  readonly wal: WalLook;
  readonly findings: Findings;
  readonly notices: string[];
  readonly progress: Progress;
  /** Numbers of the packs that hold what the subjects need. */
  readonly needed: ReadonlySet<number>;
  /** Of objects that are read whole. */
  readonly isRead?: (object: string) => boolean;
}

export async function readData(options: VerifyOptions, reading: Reading): Promise<void> {
  const { repository, workers, signal, report } = options;
  const { index, wal, findings, notices, progress } = reading;
  const unnamed = new Set(index.unnamedPacks.map(({ packId }) => packName(packId)));
  const bad = new Map<number, string>();
  await using crew = new Crew(new URL('./verify-worker.ts', import.meta.url), workers);
  await crew.run<VerifyTask, VerifyResult, undefined>({
    data: repository.threadHandle,
    tasks: sampled(tasksOf(options, reading), reading.isRead),
    onResult: (result) => {
      progress.chunks += result.chunks;
      progress.bytes += result.task === 'stretch' ? result.plainBytes : 0;
      progress.fetched += result.fetchedBytes;
      progress.walObjects += result.task === 'object' ? 1 : 0;
      progress.packs += result.task === 'footer' ? 1 : 0;
      for (const { slot, why } of result.bad) {
        if (slot >= 0) bad.set(slot, why);
        else if (unnamed.has(result.object))
          notices.push(`${result.object}, which no index names, is damaged: ${why}.`);
        else {
          const fault = {
            kind: result.task === 'footer' ? 'pack' : 'wal',
            object: result.object,
            chunk: null,
          } as const;
          const hurt = wal.needed.get(result.object) ?? [];
          if (hurt.length === 0) findings.add({ ...fault, problem: why });
          for (const id of hurt) findings.add({ ...fault, problem: why }, wholly(id));
        }
      }
      report({ type: 'progress', phase: 'verifying', done_bytes: progress.bytes });
    },
    signal,
  });
  const needed = new Set([...reading.needed].map((number) => packName(index.packs[number]?.packId ?? '')));
  for (const name of options.all === true ? unnamed.difference(needed) : []) {
    notices.push(`${name} is named by no index: a backup that is running or was broken off wrote it.`);
  }
  if (bad.size > 0) await traceHurt(reading, bad, options.signal);
}

function* sampled(tasks: Iterable<VerifyTask>, isRead: Reading['isRead']): Iterable<VerifyTask> {
  for (const task of tasks) {
    const whole = task.type === 'stretch' ? undefined : task.type === 'footer' ? packName(task.packId) : task.name;
    if (whole === undefined || isRead?.(whole) !== false) yield task;
  }
}

function* tasksOf({ all = false }: VerifyOptions, { index, distinct, wal }: Reading): Iterable<VerifyTask> {
  for (const { pack, offset, bytes, chunks } of stretches<DistinctChunk>(
    distinct.byPack(index.packs.length),
    index.packs,
  )) {
    const ids = new Uint8Array(chunks.length * CHUNK_ID_BYTES);
    chunks.forEach(({ id }, n) => ids.set(id, n * CHUNK_ID_BYTES));
    yield {
      type: 'stretch',
      pack,
      offset,
      bytes,
      ids,
      chunks: chunks.map(({ slot, place }) => ({ slot, offset: place.offset, plainBytes: place.plainBytes })),
    };
  }
  yield* wal.tasks;
  if (!all) return;
  const unnamed = new Set(index.unnamedPacks.map(({ packId }) => packId));
  for (const { packId, packBytes } of index.packs) {
    if (!index.condemnedPacks.has(packId) && !unnamed.has(packId)) yield { type: 'footer', packId, packBytes };
  }
  for (const { packId, bytes } of index.unnamedPacks) yield { type: 'footer', packId, packBytes: bytes };
}

/** From the slots of bad chunks to the files that have them. */
async function traceHurt(reading: Reading, bad: ReadonlyMap<number, string>, signal: AbortSignal): Promise<void> {
  const { index, subjects, findings } = reading;
  for (const subject of subjects) {
    signal.throwIfAborted();
    const content = await readOrTell(subject, findings, new Set());
    if (content === undefined) continue;
    const { holder } = content;
    for (const { at, ...want } of wants(holder)) {
      const slot = index.table.slotOf(holder.chunkIds, at);
      const problem = bad.get(slot);
      if (problem === undefined) continue;
      const object = packName(index.packs[index.table.placeIn(slot).pack]?.packId ?? '');
      const chunk = Buffer.from(holder.chunkIds.subarray(at, at + CHUNK_ID_BYTES)).toString('hex');
      const { file, tablespace, offset, bytes } = want;
      findings.add({ kind: 'chunk', object, chunk, problem }, { backup: subject.id, file, tablespace, offset, bytes });
    }
  }
}
