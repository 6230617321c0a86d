// `npm run torture -- --points N`: that many points, one after the other, with a checkpoint every so often.

import { rm } from 'node:fs/promises';
import { type Random } from '@spillway/lab';
import { makeStage, type Stage } from '../../../packages/engine/test/operation-stage.ts';
import { findWork, lostCommits, prepareWork, Writers } from '../writers.ts';
import { describePoint, drawPoint, type Operation, operations } from './point.ts';
import { Siege } from './siege.ts';

const POINTS_BETWEEN_CHECKPOINTS = 20;
/** Slow enough that the database stays small over thousands of points. */
const PACE_MS = 60;

export interface SiegeOptions {
  readonly random: Random;
  readonly points: number;
  readonly major?: number;
  readonly among?: readonly Operation[];
  readonly betweenCheckpoints?: number;
  /** Told of each point with its number, from 1. */
  readonly tell: (line: string) => void;
}

export interface SiegeResult {
  readonly version: string;
  readonly commits: number;
  readonly checkpoints: number;
  /** Points by operation and how they ended: `backup kill killed`. */
  readonly ends: ReadonlyMap<string, number>;
}

/** Throws what must not happen, with the point that led to it in its message. */
export async function playPoints(options: SiegeOptions): Promise<SiegeResult> {
  const { random, points, among = operations, tell } = options;
  await using stage = await makeStage({
    settings: { wal_sender_timeout: '5s', max_wal_size: '64MB', checkpoint_timeout: '30s' },
    ...(options.major === undefined ? {} : { major: options.major }),
  });
  await prepareWork(stage.cluster);
  const writers = new Writers(stage.cluster, random.seed, PACE_MS);
  await using siege = new Siege(stage, writers);
  await siege.begin();
  const ends = new Map<string, number>();
  let checkpoints = 0;
  for (let number = 1; number <= points; number += 1) {
    const point = drawPoint(random, among);
    const told = `${number}  ${describePoint(point)}`;
    try {
      const end = await siege.play(point);
      tell(`${told}: ${end}`);
      const key = `${point.operation} ${point.fault} ${end}`;
      ends.set(key, (ends.get(key) ?? 0) + 1);
      if (number % (options.betweenCheckpoints ?? POINTS_BETWEEN_CHECKPOINTS) !== 0 && number !== points) continue;
      checkpoints += 1;
      tell(`   ${await siege.checkpoint((notes, durable) => compareLatest(stage, notes, durable))}`);
    } catch (cause) {
      throw new Error(`seed ${random.seed}, point ${told}`, { cause });
    }
  }
  return { version: stage.cluster.installation.version, commits: writers.notes.length, checkpoints, ends };
}

async function compareLatest(stage: Stage, notes: Writers['notes'], durable: bigint): Promise<string> {
  const { cluster, planned } = await stage.restore();
  const found = await findWork(cluster);
  if (found.wrong.length > 0) throw new Error(`the restored database is wrong: ${found.wrong.join('; ')}`);
  const [first, ...others] = lostCommits(notes, durable, found);
  if (first !== undefined) {
    throw new Error(
      `${1 + others.length} acknowledged and durable commits are lost, the first ${JSON.stringify({ ...first, position: String(first.position) })}`,
    );
  }
  await cluster.destroy();
  await rm(planned.plan.directory, { recursive: true, force: true });
  const held = notes.filter(({ client, sequence }) => sequence <= (found.sequences.get(client) ?? 0)).length;
  return `restored to the latest moment: ${held} of ${notes.length} acknowledged commits, none lost that was durable`;
}
