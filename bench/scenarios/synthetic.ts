// A repository of many backups and millions of chunks: what must not grow unbearable with the years. By default 1,000 backups of a
// database of 10 GB, four hours apart, with 5 million distinct chunks; what it is made of tells
// `packages/engine/test/synthetic-repository.ts`. Its packs are empty files, so nothing that reads chunks is measured.
//
//   open     `show` of the newest backup
//   list     `backups --json`, which is held against the bound of a start-up too
//   plan     `restore --dry-run` of the newest
//   expire   `expire` of all but the newest half, with no grace, so that what they alone needed is collected in the same run.
//            Nothing is repacked, which is bounded by bytes and not by this. It changes the repository, so it runs once

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@spillway/lab';
import { makeSyntheticRepository } from '../../packages/engine/test/synthetic-repository.ts';
import type { Sample } from '../figures.ts';
import { prepareCaches } from '../folder.ts';
import { type Command, measure, perform } from '../measure.ts';
import { OURS, SPILLWAY_PROGRAM } from '../peers/spillway.ts';
import type { Experiment, Part, Stage } from './scenario.ts';

const CLUSTER = 'bench';
const SEED = 20_261_128;
const MIB = 2 ** 20;
const SMALL: Part['goals'] = [
  { measure: 'seconds', limit: 2, most: 1 },
  { measure: 'peakBytes', limit: 400 * MIB, most: 1 },
];
/** A backup brings one new chunk for so many that it has: 5,000 of 40,000. */
const CHUNKS_FOR_A_NEW_ONE = 8;

const OPEN = { name: 'synthetic-open', title: 'opening a large repository and showing a backup', goals: SMALL };
const LIST = { name: 'synthetic-list', title: 'listing all backups of a large repository', goals: SMALL };
const START_UP = {
  name: 'start-up-backups',
  title: '`backups --json` on the large repository',
  goals: [{ measure: 'seconds', limit: 0.5, most: 1 }],
} as const;
const PLAN = { name: 'synthetic-plan', title: 'planning a restore from a large repository', goals: SMALL };
const EXPIRE = {
  name: 'synthetic-expire',
  title: 'expiry of half of its backups, and collection',
  goals: [{ measure: 'seconds', limit: 60, most: 1 }],
} as const;

export const synthetic: Experiment = {
  name: 'synthetic',
  title: 'a repository of many backups and millions of chunks',
  slow: true,
  parts: [OPEN, LIST, START_UP, PLAN, EXPIRE],
  run: async (stage) => {
    const { folder, size, signal } = stage;
    const { repository, command, told } = await make(stage);
    stage.note(OPEN.name, told);
    const newest = await newestBackup(command('backups'), signal);
    const into = join(folder, 'restored');
    const commands: readonly (readonly [parts: readonly Part[], command: Command])[] = [
      [[OPEN], command('show', newest)],
      [[LIST, START_UP], command('backups')],
      [[PLAN], command('restore', '--into', into, '--dry-run')],
    ];
    const samples: Sample[] = [];
    const take = async (parts: readonly Part[], words: Command, when: string): Promise<void> => {
      // Not the packs: they are as long as if there were something in them.
      const read = ['index', 'clusters'].map((name) => join(repository, name));
      await prepareCaches(stage.caches, read, signal);
      const { seconds, cpuSeconds, peakBytes, readBytes } = await measure(words, undefined, signal);
      for (const { name } of parts)
        samples.push({ scenario: name, peer: OURS, seconds, cpuSeconds, peakBytes, readBytes });
      stage.report(`${when}  ${parts[0]?.name}  ${seconds.toFixed(2)} s, ${(peakBytes / MIB).toFixed(0)} MiB`);
    };
    for (let round = 1; round <= stage.rounds; round++) {
      for (const [parts, words] of commands) await take(parts, words, `round ${round}/${stage.rounds}`);
    }
    const kept = String(Math.max(1, Math.floor(size.backups / 2)));
    const grace = ['--grace', '0s', '--repack-below', '0', '--yes', '--confirm', CLUSTER];
    await take([EXPIRE], command('expire', '--keep-count', kept, ...grace), 'once');
    const left = (await backupsOf(command('backups'), signal)).length;
    if (String(left) !== kept) throw new Error(`expire was to leave ${kept} backups, and left ${left}`);
    return samples;
  },
};

async function make({ folder, size, report }: Stage): Promise<{
  readonly repository: string;
  readonly command: (...words: string[]) => Command;
  readonly told: string;
}> {
  const repository = join(folder, 'repository');
  const config = join(folder, 'spillway.yaml');
  const passphrase = randomBytes(36).toString('base64url');
  await mkdir(repository, { mode: 0o700 });
  await writeFile(join(folder, 'passphrase'), `${passphrase}\n`, { mode: 0o600 });
  const configuration = {
    repository: { path: 'repository', passphrase: { file: 'passphrase' } },
    // Nobody is asked there.
    clusters: { [CLUSTER]: { connection: { host: '127.0.0.1', user: 'postgres' } } },
  };
  // JSON is YAML.
  await writeFile(config, JSON.stringify(configuration));
  const chunksPerBackup = Math.min(size.chunks, Math.ceil((CHUNKS_FOR_A_NEW_ONE * size.chunks) / size.backups));
  report(`making ${size.backups} backups of ${chunksPerBackup} chunks, ${size.chunks} distinct ones`);
  const { packs } = await makeSyntheticRepository({
    path: repository,
    passphrase,
    cluster: CLUSTER,
    backups: size.backups,
    chunks: size.chunks,
    chunksPerBackup,
    random: seededRandom(SEED).next,
    now: new Date(),
  });
  return {
    repository,
    command: (...words) => ({
      program: process.execPath,
      words: [SPILLWAY_PROGRAM, '--config', config, '--json', '--quiet', ...words],
    }),
    told: `${size.backups} backups of ${chunksPerBackup} chunks each, ${size.chunks} distinct chunks in ${packs} packs (empty files)`,
  };
}

async function newestBackup(list: Command, signal: AbortSignal): Promise<string> {
  const id = (await backupsOf(list, signal)).at(-1);
  if (id === undefined) throw new Error('the synthetic repository lists no backup');
  return id;
}

/** Ids, oldest first. */
async function backupsOf(list: Command, signal: AbortSignal): Promise<readonly string[]> {
  const document = JSON.parse(await perform(list, signal, Number.POSITIVE_INFINITY)) as {
    readonly backups: readonly { readonly id: string }[];
  };
  return document.backups.map(({ id }) => id).toSorted();
}
