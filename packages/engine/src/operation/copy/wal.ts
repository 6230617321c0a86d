// Bringing a cluster's WAL of one system to a place.
//
//   1  history files, each compared with the one that is there: of another branch nothing is mixed in
//   2  segments and pieces that the place lacks, by workers; what was replaced at the source meanwhile is looked up anew
//   3  pieces at the place that a copied segment holds are compared with it, and removed
//   4  `.backup`, `.partial` and `.gap` files; then the line below which WAL was left out on purpose
//
// A receiver may run at either place. It stores the same bytes, under the same names where they are the same stretch.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import { authenticate } from '../../codec/authenticate.ts';
import { walPrefix } from '../../format/names.ts';
import { historyName, type TimelineId } from '../../postgres/lsn.ts';
import type { Repository } from '../../repository/repository.ts';
import { readSystemWal, type SystemWal } from '../backups.ts';
import { Crew } from '../crew.ts';
import { damageIn } from '../damage.ts';
import { writeExpired } from '../expire/record.ts';
import { mustAgree } from '../wal/agree.ts';
import type { WalArchive, WalObject } from '../wal/archive.ts';
import type { CopyCrewData, CopyResult, CopyTask } from './copy-worker.ts';
import type { CopyDamage } from './damage.ts';
import { linesOf } from './line.ts';
import type { PlannedWal } from './plan.ts';
import { chooseWal, isPart, replacedBy } from './wal-choice.ts';

/** A piece is replaced by a segment, and that by nothing. */
const ROUNDS_MAX = 4;

export interface WalCopyOptions {
  readonly source: Repository;
  readonly target: Repository;
  readonly cluster: string;
  readonly workers: number;
  /** Writes nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface CopiedWal {
  readonly objects: number;
  readonly bytes: number;
  /** As it is at the target afterwards. */
  readonly target: SystemWal;
  readonly damage: readonly CopyDamage[];
}

interface Tally {
  objects: number;
  bytes: number;
  readonly damage: CopyDamage[];
}

export async function copyWal(options: WalCopyOptions, { wal, left }: PlannedWal): Promise<CopiedWal> {
  const { source, target, cluster, dryRun, signal } = options;
  const system = {
    system_identifier: wal.archive.systemIdentifier,
    wal_segment_bytes: wal.archive.segmentSize,
  };
  const read = (repository: Repository): Promise<SystemWal> => readSystemWal({ repository, cluster, signal }, system);
  const tally: Tally = { objects: 0, bytes: 0, damage: [] };
  for (const timeline of wal.catalog.histories) await copyHistory(options, wal.archive, timeline, tally);
  let here = wal;
  let there = await read(target);
  for (let round = 1; ; round++) {
    const choices = [...here.catalog.objects].map(([timeline, objects]) =>
      chooseWal(
        objects.filter(({ name }) => !left.has(name)),
        there.catalog.objects.get(timeline) ?? [],
        wal.archive.partBytes,
      ),
    );
    const gone = await copyObjects(
      options,
      choices.flatMap(({ copy }) => copy),
      tally,
    );
    if (round === 1 && !dryRun) {
      for (const { compare } of choices) {
        for (const pair of compare) await mustBeTheSame(here.archive, there.archive, pair, tally, signal);
      }
    }
    if (dryRun) return { ...tally, target: there };
    if (gone === 0) break;
    if (round === ROUNDS_MAX) {
      throw new SpillwayError('SPW_STORAGE_UNREACHABLE', 'the WAL was not copied', {
        why: `in each of ${ROUNDS_MAX} looks something was gone that had been listed`,
        hint: 'run the copy again',
      });
    }
    here = await read(source);
    there = await read(target);
  }
  await copyBeside(options, wal.archive, there.archive, left, tally);
  there = await read(target);
  if (await tidy(there, tally, signal)) there = await read(target);
  const leftOut = [...wal.catalog.objects.values()].flat().filter(({ name }) => left.has(name));
  const lines = linesOf(there.catalog.objects, leftOut, wal.expired);
  const isNew = [...lines].some(([timeline, line]) => line > (there.expired.get(timeline) ?? -1n));
  if (isNew) await writeExpired(target, cluster, system.system_identifier, lines, signal);
  return { ...tally, target: isNew ? await read(target) : there };
}

async function copyHistory(
  { source, target, cluster, dryRun, signal }: WalCopyOptions,
  archive: WalArchive,
  timeline: TimelineId,
  tally: Tally,
): Promise<void> {
  const folder = timeline.toString(16).toUpperCase().padStart(8, '0');
  const name = `${walPrefix(cluster, archive.systemIdentifier)}${folder}/${historyName(timeline)}`;
  const contentAt = async (place: CopyDamage['place'], repository: Repository): Promise<Buffer | undefined> => {
    try {
      return Buffer.concat(await repository.read('walHistory', name, signal));
    } catch (error) {
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return undefined;
      tally.damage.push({ place, object: name, problem: damageIn(error) });
      return undefined;
    }
  };
  const here = await contentAt('source', source);
  if (here === undefined) return;
  if ((await target.storage.stat(name, { signal })) !== undefined) {
    const there = await contentAt('target', target);
    if (there === undefined || there.equals(here)) return;
    throw new SpillwayError('SPW_WAL_CONFLICT', `the WAL of cluster ${cluster} was not copied`, {
      why: `the two places hold different histories of timeline ${timeline}: two servers were promoted to the same timeline`,
      hint: 'find out which of the two is the cluster; the copy of the other one needs a place of its own',
    });
  }
  const bytes = await source.storage.get(name, { signal });
  authenticate(await source.keysFor(name, bytes, signal), 'walHistory', name, bytes);
  tally.objects += 1;
  tally.bytes += bytes.byteLength;
  if (!dryRun) await target.storage.put(name, [bytes], { signal });
}

/** Gives how many were gone by then. */
async function copyObjects(options: WalCopyOptions, objects: readonly WalObject[], tally: Tally): Promise<number> {
  const tasks = objects.map(
    ({ kind, name, storedBytes }): CopyTask => ({
      type: 'object',
      kind: kind === 'segment' ? 'walSegment' : 'walPiece',
      name,
      bytes: storedBytes,
    }),
  );
  return runTasks(options, tasks, tally);
}

async function runTasks(
  { source, target, workers, dryRun, signal, report }: WalCopyOptions,
  tasks: readonly CopyTask[],
  tally: Tally,
): Promise<number> {
  const total = tasks.reduce((sum, { bytes }) => sum + bytes, 0);
  if (dryRun) {
    tally.objects += tasks.length;
    tally.bytes += total;
    return 0;
  }
  if (tasks.length === 0) return 0;
  let [done, gone] = [0, 0];
  await using crew = new Crew(new URL('./copy-worker.ts', import.meta.url), Math.min(workers, tasks.length));
  const data: CopyCrewData = { source: source.threadHandle, target: target.location };
  await crew.run<CopyTask, CopyResult, undefined>({
    data,
    tasks,
    onResult: (result) => {
      if (result.outcome === 'gone') gone += 1;
      else if (result.outcome === 'damaged') {
        tally.damage.push({ place: 'source', object: result.object, problem: result.why });
      } else {
        tally.objects += 1;
        tally.bytes += result.bytes;
        done += result.bytes;
        report({ type: 'progress', phase: 'copying WAL', done_bytes: done, total_bytes: total });
      }
    },
    signal,
  });
  return gone;
}

/** Removes pieces that a segment or part at the target holds, also where an earlier copy was broken off before that. */
async function tidy({ archive, catalog }: SystemWal, tally: Tally, signal: AbortSignal): Promise<boolean> {
  let found = false;
  for (const objects of catalog.objects.values()) {
    for (const whole of objects.filter((object) => isPart(object, archive.partBytes))) {
      const pieces = replacedBy(whole, objects);
      if (pieces.length === 0) continue;
      found = true;
      await replace(archive, whole, pieces, tally, signal);
    }
  }
  return found;
}

async function replace(
  archive: WalArchive,
  whole: WalObject,
  pieces: readonly WalObject[],
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await archive.read(whole, signal);
  } catch (error) {
    if (!isTold(error)) throw error;
    tally.damage.push({ place: 'target', object: whole.name, problem: error.why ?? error.message });
    return;
  }
  for (const piece of pieces) {
    const again = (from: bigint, to: bigint): Uint8Array =>
      bytes.subarray(Number(from - whole.start), Number(to - whole.start));
    try {
      await mustAgree(archive, piece, again, piece, signal);
      await archive.remove([piece], signal);
    } catch (error) {
      if (!isTold(error)) throw error;
      tally.damage.push({ place: 'target', object: piece.name, problem: error.why ?? error.message });
    }
  }
}

async function mustBeTheSame(
  here: WalArchive,
  there: WalArchive,
  pair: { readonly source: WalObject; readonly target: WalObject },
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await here.read(pair.source, signal);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return;
    tally.damage.push({ place: 'source', object: pair.source.name, problem: damageIn(error) });
    return;
  }
  try {
    const { start } = pair.source;
    await mustAgree(
      there,
      pair.target,
      (from, to) => bytes.subarray(Number(from - start), Number(to - start)),
      pair.target,
      signal,
    );
  } catch (error) {
    if (!isTold(error)) throw error;
    tally.damage.push({ place: 'target', object: pair.target.name, problem: error.why ?? error.message });
  }
}

const isTold = (error: unknown): error is SpillwayError =>
  isSpillwayError(error, 'SPW_WAL_CONFLICT', 'SPW_OBJECT_DAMAGED');

async function copyBeside(
  options: WalCopyOptions,
  here: WalArchive,
  there: WalArchive,
  left: ReadonlySet<string>,
  tally: Tally,
): Promise<void> {
  const known = new Set<string>();
  for await (const { object } of there.listBeside(options.signal)) known.add(object.name);
  const tasks: CopyTask[] = [];
  for await (const { kind, object } of here.listBeside(options.signal)) {
    if (kind === 'walHistory' || known.has(object.name) || left.has(object.name)) continue;
    tasks.push({ type: 'object', kind, name: object.name, bytes: object.storedBytes });
  }
  await runTasks(options, tasks, tally);
}
