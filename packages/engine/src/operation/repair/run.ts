// `repair`: puts whole objects from other places where this place has damaged ones.
//
//   1  look at every object of the place, or those that were named: workers authenticate each frame. Packs that the index
//      names and that are missing or too short count as damaged too
//   2  for each damaged one, the other places are asked in order; what they give is authenticated before it is used
//   3  under the lock `collect`, so that nothing is brought back that is removed meanwhile: the good one takes the name,
//      the damaged one is kept aside (`storage/port.ts`)
//   4  where no place has a good one, the backups and dumps that it hurts are named
//
// Locks, index objects and lists of expiry are each place's own, and not looked at: an index object that is damaged hurts
// nothing, as its packs tell the same. Evidence is each place's own too: it is looked at, and no place can mend it.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, isZeroChunk } from '../../format/chunk.ts';
import { isOfOnePlace, packName, RING } from '../../format/names.ts';
import { COLLECT_LOCK } from '../../repository/collect.ts';
import { readDump } from '../../repository/dump-store.ts';
import { readIndex, type RepositoryIndex } from '../../repository/index-store.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { readManifest } from '../../repository/manifest-store.ts';
import { listNeeds } from '../../repository/mark.ts';
import { kindOfObject } from '../../repository/object-kind.ts';
import { proveObject } from '../../repository/prove-object.ts';
import type { Repository } from '../../repository/repository.ts';
import { isBeginningOf } from '../../repository/ring.ts';
import { listBackups, readSystemWal } from '../backups.ts';
import { Crew } from '../crew.ts';
import { damageIn } from '../damage.ts';
import { listSystems } from '../system.ts';
import { ownWal } from '../verify/wal-objects.ts';
import type { LookResult, LookTask } from './repair-worker.ts';

export interface RepairOptions {
  /** The place to mend. */
  readonly repository: Repository;
  /** Other places of the same repository, in the order in which they are asked. */
  readonly others: readonly { readonly name: string; readonly repository: Repository }[];
  /** Names of objects; with none, all are looked at. */
  readonly objects?: readonly string[];
  readonly dryRun?: boolean;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface Repaired {
  readonly object: string;
  readonly problem: string;
  /** `mended`: would be, with --dry-run. `lost`: no place has a good one. */
  readonly outcome: 'mended' | 'lost';
  /** The place that has a good one. */
  readonly from: string | null;
}

export interface RepairSummary {
  readonly place: string;
  readonly dry_run: boolean;
  readonly looked_at: number;
  readonly bytes: number;
  readonly objects: readonly Repaired[];
  /** Ids of backups and dumps that need an object which is lost. */
  readonly hurt: readonly string[];
  /** Places that did not answer. */
  readonly silent: readonly string[];
  readonly duration_seconds: number;
}

export async function repair(options: RepairOptions): Promise<RepairSummary> {
  const { repository, signal, report } = options;
  const began = performance.now();
  // Where this place has lost what leads to its newer data keys, what they sealed is whole all the same.
  for (const { repository: other } of options.others) {
    if (isBeginningOf(repository.keys, other.keys)) repository.keys = other.keys;
  }
  const index = await readIndex(repository, { signal });
  const looked = await lookAtObjects(options, index);
  const silent = new Set<string>();
  const objects: Repaired[] = [];
  if (looked.damaged.size > 0) {
    if (options.dryRun !== true && repository.storage.replace === undefined) {
      throw new SpillwayError('SPW_USAGE', `nothing was mended at ${repository.storage.description}`, {
        why: 'no object of this kind of storage can be replaced',
        hint: 'copy the repository to an empty place from one that is whole',
      });
    }
    await using _ =
      options.dryRun === true
        ? undefined
        : await takeLock(repository, COLLECT_LOCK, {
            holder: 'repair of the repository',
            waitMs: LOCK_WAIT_MS,
            // An expiry ends by itself, however long it takes.
            passing: () => true,
            signal,
          });
    for (const [object, problem] of looked.damaged) {
      const from = await mend(options, object, silent);
      objects.push({ object, problem, outcome: from === null ? 'lost' : 'mended', from });
      if (from === null || options.dryRun === true) continue;
      report({ type: 'notice', level: 'info', message: `Mended ${object} from ${from}.` });
    }
  }
  const lost = new Set(objects.filter(({ outcome }) => outcome === 'lost').map(({ object }) => object));
  return {
    place: repository.storage.description,
    dry_run: options.dryRun === true,
    looked_at: looked.count,
    bytes: looked.bytes,
    objects,
    hurt: lost.size === 0 ? [] : await whatIsHurt(repository, index, lost, signal),
    silent: [...silent],
    duration_seconds: (performance.now() - began) / 1000,
  };
}

async function lookAtObjects(
  options: RepairOptions,
  index: RepositoryIndex,
): Promise<{ readonly count: number; readonly bytes: number; readonly damaged: ReadonlyMap<string, string> }> {
  const { repository, objects, workers, signal, report } = options;
  const damaged = new Map<string, string>();
  const names: string[] = [];
  let total: number | undefined;
  if (objects === undefined) {
    total = 0;
    for await (const { name, bytes } of repository.storage.list('', { signal })) {
      if (kindOfObject(name) === undefined) continue;
      names.push(name);
      total += bytes;
    }
    const there = new Set(names);
    for (const name of await ringElsewhere(options)) if (!there.has(name)) damaged.set(name, 'it is not there');
    for (const packId of index.damagedPacks) {
      if (!there.has(packName(packId))) damaged.set(packName(packId), 'it is not there');
    }
  } else {
    for (const name of new Set(objects)) {
      if (kindOfObject(name) === undefined) {
        throw new SpillwayError('SPW_USAGE', `${name} cannot be repaired`, {
          why: 'it is no object that other places have too',
          hint: 'name objects as spillway verify does',
        });
      }
      names.push(name);
    }
  }
  let [count, bytes] = [0, 0];
  if (names.length === 0) return { count, bytes, damaged };
  await using crew = new Crew(new URL('./repair-worker.ts', import.meta.url), Math.min(workers, names.length));
  await crew.run<LookTask, LookResult, undefined>({
    data: repository.threadHandle,
    tasks: names.map((name) => ({ name })),
    onResult: (result) => {
      count += 1;
      bytes += result.bytes;
      // Expired, or replaced by a segment, since it was listed.
      const isGone = objects === undefined && result.problem === 'it is not there';
      if (result.problem !== undefined && !isGone) damaged.set(result.name, result.problem);
      report({
        type: 'progress',
        phase: 'looking at objects',
        done_bytes: bytes,
        ...(total === undefined ? {} : { total_bytes: total }),
      });
    },
    signal,
  });
  return { count, bytes, damaged };
}

/** Names of the ring objects of the other places, lowest first. One that does not answer is told when it is asked to mend. */
async function ringElsewhere({ others, signal }: RepairOptions): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const { repository } of others) {
    try {
      for await (const { name } of repository.storage.list(RING, { signal })) names.add(name);
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) throw error;
    }
  }
  return [...names].toSorted();
}

/** The name of the place that had a good one; null where none had. */
async function mend(
  { repository, others, dryRun, signal, report }: RepairOptions,
  object: string,
  silent: Set<string>,
): Promise<string | null> {
  // Another place has another record under that number.
  if (isOfOnePlace(object)) return null;
  for (const { name, repository: other } of others) {
    if (silent.has(name)) continue;
    let bytes: Uint8Array;
    try {
      bytes = await other.storage.get(object, { signal });
      await proveObject(repository, object, bytes);
    } catch (error) {
      if (isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE')) silent.add(name);
      else if (!isSpillwayError(error, 'SPW_OBJECT_MISSING')) {
        report({
          type: 'notice',
          level: 'warning',
          message: `${object} is damaged at ${name} too: ${damageIn(error)}.`,
        });
      }
      continue;
    }
    if (dryRun !== true) await repository.storage.replace?.(object, [bytes], { signal });
    return name;
  }
  return null;
}

async function whatIsHurt(
  repository: Repository,
  index: RepositoryIndex,
  lost: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const hurt: string[] = [];
  for (const { cluster, id, kind } of await listNeeds(repository, signal)) {
    if (lost.has(`clusters/${cluster}/${kind === 'backup' ? 'backups' : 'dumps'}/${id}`)) {
      hurt.push(id);
      continue;
    }
    try {
      const { chunkIds } = await (kind === 'backup' ? readManifest : readDump)(repository, cluster, id, signal);
      if (needsAny(chunkIds, index, lost)) hurt.push(id);
    } catch (error) {
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) continue;
      damageIn(error);
      hurt.push(id);
    }
  }
  const clusters = new Set([...lost].filter((name) => name.includes('/wal/')).map((name) => name.split('/')[1] ?? ''));
  for (const cluster of clusters) {
    const backups = await listBackups({ repository, cluster, signal });
    for (const system of await listSystems(repository, cluster, signal)) {
      const wal = await readSystemWal({ repository, cluster, signal }, system);
      for (const backup of backups.filter((each) => each.system_identifier === system.system_identifier)) {
        const own = ownWal(wal, backup);
        if (typeof own !== 'string' && own.some(({ name }) => lost.has(name))) hurt.push(backup.id);
      }
    }
  }
  return [...new Set(hurt)];
}

function needsAny(chunkIds: Uint8Array, { table, packs }: RepositoryIndex, lost: ReadonlySet<string>): boolean {
  for (let at = 0; at < chunkIds.length; at += CHUNK_ID_BYTES) {
    if (isZeroChunk(chunkIds, at)) continue;
    const place = table.find(chunkIds, at);
    // Those of a pack that is missing or too short are in no table.
    if (place === undefined || lost.has(packName(packs[place.pack]?.packId ?? ''))) return true;
  }
  return false;
}
