// How time and memory grow with the database: full backup, restore, and an incremental backup with nothing changed, at 1, 10 and
// 30 GB. Time is told for each gigabyte, so linear is the same figure at every size; memory must be flat but for the index,
// whose bytes a chunk are reckoned from the smallest and the largest and printed.
//
// One size after the other, each in a cluster of its own that is removed before the next. It needs free space of some 2.3
// times the largest size: the cluster, its WAL, the restored one, and the repository.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Figures, Sample } from '../figures.ts';
import { prepareCaches } from '../folder.ts';
import { type Command, measure, perform } from '../measure.ts';
import { findSpillway, OURS } from '../peers/spillway.ts';
import { type Source, startSource } from '../source.ts';
import type { Experiment, Goal, Part, Stage } from './scenario.ts';

/** Of pgbench's scale; measured: scale 100 makes 1.59 GB. */
const SCALE_PER_GB = 63;
const GB = 1e9;
const SMALLEST = 'smallest size';
const LINEAR: readonly Goal[] = [
  { measure: 'seconds', against: SMALLEST, most: 1.1 },
  { measure: 'peakBytes', against: SMALLEST, most: 1.25 },
];

const FULL = part('scale-full', 'full backup into an empty repository, by size', LINEAR);
const UNCHANGED = part('scale-incremental', 'incremental backup with nothing changed, by size', []);
const RESTORE = part('scale-restore', 'restore into an empty folder, by size', LINEAR);

export const bySize: Experiment = {
  name: 'scale',
  title: 'time and memory by size of the database',
  slow: true,
  parts: [FULL, UNCHANGED, RESTORE],
  run: async (stage) => {
    const sizes = stage.size.gigabytes.toSorted((left, right) => right - left);
    const measured: Sized[] = [];
    for (const [at, gigabytes] of sizes.entries()) {
      const peer = at === 0 ? OURS : at === sizes.length - 1 ? SMALLEST : `${gigabytes} GB`;
      measured.push(...(await measureSize(stage, gigabytes, peer)));
    }
    tellGrowth(stage, measured);
    return measured.map(({ sample }) => sample);
  },
};

function part(name: string, title: string, goals: readonly Goal[]): Part {
  return { name, title, goals, seconds: 's/GB' };
}

interface Sized {
  readonly sample: Sample;
  readonly chunks: number;
}

async function measureSize(stage: Stage, gigabytes: number, peer: string): Promise<readonly Sized[]> {
  const { installation, signal, caches } = stage;
  const folder = join(stage.folder, `${gigabytes}-gb`);
  await mkdir(folder);
  stage.report(`making a cluster of ${gigabytes} GB`);
  await using source = await startSource({
    directory: join(folder, 'source'),
    installation,
    scale: Math.max(1, Math.round(gigabytes * SCALE_PER_GB)),
    settings: { max_wal_size: '2GB' },
    signal,
  });
  const own = join(folder, 'spillway');
  await mkdir(own);
  const spillway = await findSpillway({ folder: own, source, installation, signal });
  const bytes = await sizeOf(source);
  const into = join(folder, 'restored');
  const measured: Sized[] = [];
  let chunks = 0;
  const take = async ({ name }: Part, command: Command, read: string): Promise<void> => {
    await prepareCaches(caches, [read], signal);
    const figures = await measure(command, source.pid, signal);
    const text = await perform(spillway.command('backups'), signal, Number.POSITIVE_INFINITY);
    const { backups } = JSON.parse(text) as { readonly backups: readonly { readonly chunks: number }[] };
    chunks = Math.max(chunks, ...backups.map((backup) => backup.chunks));
    const each: Figures = { ...figures, seconds: figures.seconds / (bytes / GB) };
    measured.push({ sample: { scenario: name, peer, ...each }, chunks });
    stage.report(`${(bytes / GB).toFixed(2)} GB  ${name}  ${figures.seconds.toFixed(2)} s`);
    if (name === FULL.name) stage.note(name, `${peer}: ${(bytes / GB).toFixed(2)} GB, ${chunks} chunks`);
  };
  for (let round = 1; round <= stage.rounds; round++) {
    await spillway.empty();
    await take(FULL, spillway.full(), source.dataDirectory);
    await take(UNCHANGED, spillway.incremental?.() ?? absent('incremental'), source.dataDirectory);
    await take(RESTORE, spillway.restore?.(into) ?? absent('restore'), spillway.store);
    await rm(into, { recursive: true });
  }
  return measured;
}

/** What memory grew by from the smallest to the largest size, a chunk. */
function tellGrowth(stage: Stage, measured: readonly Sized[]): void {
  for (const { name } of [FULL, UNCHANGED, RESTORE]) {
    const least = (peer: string): { readonly peak: number; readonly chunks: number } => {
      const own = measured.filter(({ sample }) => sample.scenario === name && sample.peer === peer);
      return { peak: Math.min(...own.map(({ sample }) => sample.peakBytes ?? 0)), chunks: own[0]?.chunks ?? 0 };
    };
    const [small, large] = [least(SMALLEST), least(OURS)];
    const more = large.chunks - small.chunks;
    if (more <= 0) continue;
    stage.note(name, `memory grew by ${((large.peak - small.peak) / more).toFixed(0)} bytes a chunk`);
  }
}

async function sizeOf({ cluster }: Source): Promise<number> {
  const [row] = await cluster.query<{ bytes: string }>('SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database');
  if (row === undefined) throw new Error('the cluster told no size');
  return Number(row.bytes);
}

function absent(what: string): Command {
  throw new Error(`Spillway has no command for ${what}`);
}
