// Bringing packs to a place: which ones it needs, then those that are missing, then an index that names them.
//
// 1. Of the backups to be copied the chunks that the target's own index does not know are looked up at the source: their
//    packs are needed, whole and as they are.
// 2. Packs that the target has by name already count once their footer authenticates: an interrupted copy put them there,
//    and authenticated them before. Where they are condemned, they are rescued first (`repository/rescue.ts`).
// 3. The rest is copied by workers, some hundred at a time, and each such lot is named by an index object when it is
//    durable: so what was copied is known after an interruption, without looking at every pack.
// Invariant: a pack that differs from the source's in length is never counted, nor touched.

import { isSpillwayError, type Report } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import { packName } from '../../format/names.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { type RepositoryIndex, writeIndex } from '../../repository/index-store.ts';
import type { Lock } from '../../repository/lock.ts';
import { readPackFooter } from '../../repository/pack-footer.ts';
import type { Repository } from '../../repository/repository.ts';
import { rescue } from '../../repository/rescue.ts';
import { Crew } from '../crew.ts';
import type { CopyCrewData, CopyResult, CopyTask } from './copy-worker.ts';
import type { CopyDamage } from './damage.ts';

/** About 8 GiB: one index object names them. */
const PACKS_PER_LOT = 512;
const FOOTERS_AT_ONCE = 8;

/** The packs, by their number at the source, that hold what `chunkIds` names and the target lacks. Pure. */
export function packsFor(
  chunkIds: Uint8Array,
  target: Pick<RepositoryIndex, 'table'>,
  source: Pick<RepositoryIndex, 'table'>,
): { readonly packs: ReadonlySet<number>; readonly missing: number } {
  const packs = new Set<number>();
  let missing = 0;
  for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
    if (isZeroChunk(chunkIds, at) || target.table.has(chunkIds, at)) continue;
    const place = source.table.find(chunkIds, at);
    if (place === undefined) missing += 1;
    else packs.add(place.pack);
  }
  return { packs, missing };
}

export interface PackCopyOptions {
  readonly source: Repository;
  readonly target: Repository;
  readonly sourceIndex: RepositoryIndex;
  /** Numbers at the source. */
  readonly packs: ReadonlySet<number>;
  readonly lock: Lock;
  readonly cluster: string;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface CopiedPacks {
  readonly copied: number;
  readonly bytes: number;
  /** That were there by name already. */
  readonly there: number;
  /** Numbers at the source of packs that are not whole at the target now. */
  readonly failed: ReadonlySet<number>;
  readonly damage: readonly CopyDamage[];
}

interface Wanted {
  readonly number: number;
  readonly packId: string;
  readonly bytes: number;
}

export async function copyPacks(options: PackCopyOptions): Promise<CopiedPacks> {
  const { source, target, sourceIndex, packs, lock, signal, report } = options;
  const damage: CopyDamage[] = [];
  const failed = new Set<number>();
  const wanted = [...packs].flatMap((number): Wanted[] => {
    const pack = sourceIndex.packs[number];
    return pack === undefined ? [] : [{ number, packId: pack.packId, bytes: pack.packBytes }];
  });
  const fail = (number: number, place: CopyDamage['place'], packId: string, problem: string): void => {
    failed.add(number);
    damage.push({ place, object: packName(packId), problem });
  };
  if (wanted.length === 0) return { copied: 0, bytes: 0, there: 0, failed, damage };
  await rescue(target, new Set(wanted.map(({ packId }) => packId)), {
    holder: `copy of cluster ${options.cluster}, which needs packs again`,
    signal,
  });
  const lengths = new Map<string, number>();
  for await (const { name, bytes } of target.storage.list('packs/', { signal })) lengths.set(name, bytes);
  const there = wanted.filter(({ packId }) => lengths.has(packName(packId)));
  const adopted: PackDirectory[] = [];
  const queue = there[Symbol.iterator]();
  const adopt = async (): Promise<void> => {
    for (const { number, packId, bytes } of queue) {
      const own = lengths.get(packName(packId));
      if (own !== bytes) {
        fail(number, 'target', packId, `it has ${own} bytes, and ${bytes} at the source`);
        continue;
      }
      try {
        adopted.push(await readPackFooter(target, packId, bytes, signal));
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED')) throw error;
        fail(number, 'target', packId, error.why ?? error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, adopt));
  await writeIndex(target, adopted, signal);

  const missing = wanted.filter(({ packId }) => !lengths.has(packName(packId)));
  const total = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  let [copied, done] = [0, 0];
  const data: CopyCrewData = { source: source.threadHandle, target: target.location };
  for (let from = 0; from < missing.length; from += PACKS_PER_LOT) {
    const lot = missing.slice(from, from + PACKS_PER_LOT);
    const directories: PackDirectory[] = [];
    const numbers = new Map(lot.map(({ packId, number }) => [packName(packId), number]));
    await using crew = new Crew(new URL('./copy-worker.ts', import.meta.url), Math.min(options.workers, lot.length));
    await crew.run<CopyTask, CopyResult, undefined>({
      data,
      tasks: lot.map(({ packId, bytes }): CopyTask => ({ type: 'pack', packId, bytes })),
      onResult: (result) => {
        const number = numbers.get(result.object) ?? -1;
        const packId = result.task.type === 'pack' ? result.task.packId : '';
        if (result.outcome === 'damaged') fail(number, 'source', packId, result.why);
        else if (result.outcome === 'gone') fail(number, 'source', packId, 'it is not there any more');
        else {
          if (result.directory !== undefined) directories.push(result.directory);
          copied += 1;
          done += result.bytes;
          const detail = `${copied} of ${missing.length} packs`;
          report({ type: 'progress', phase: 'copying packs', done_bytes: done, total_bytes: total, detail });
        }
      },
      signal,
    });
    // Somebody who slept must not name what was collected meanwhile.
    await lock.assertHeld();
    await writeIndex(target, directories, signal);
  }
  return { copied, bytes: done, there: adopted.length, failed, damage };
}
