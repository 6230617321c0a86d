// `npm run bench -- [--scale <n>] [--rounds <n>] [--cold] [--scenario <name>]... [--all] [--peer <name>]... [--json <file>] ...`
//
// Lets Spillway and each peer of this machine take turns at the turn scenarios, on one source, then runs the experiments, and
// prints the tables on stdout; progress goes to stderr. Whatever way it ends, what it started is ended and removed. Ends
// with 0 also where goals are missed: they are told. 1 where a run failed, 2 for wrong words, 130 after Ctrl-C.

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from '@spillway/lab';
import { compare, summarise, unjudged } from './comparison.ts';
import type { Sample } from './figures.ts';
import { describeMachine } from './machine.ts';
import { BARMAN, BARMAN_RSYNC, findBarman, findBarmanRsync } from './peers/barman.ts';
import type { AbsentPeer, Peer, PeerPlace } from './peers/peer.ts';
import { findPgBaseBackup, PG_BASEBACKUP } from './peers/pg-basebackup.ts';
import { findPgDump, PG_DUMP } from './peers/pg-dump.ts';
import { findPgBackRest, PGBACKREST } from './peers/pgbackrest.ts';
import { findRestic, RESTIC } from './peers/restic.ts';
import { RAW_LIMIT, rawLimit } from './peers/raw-limit.ts';
import { findSpillway, OURS } from './peers/spillway.ts';
import { runRounds } from './rounds.ts';
import { fullAgain } from './scenarios/full-again.ts';
import { fullEmpty } from './scenarios/full-empty.ts';
import { fullStream } from './scenarios/full-stream.ts';
import { incrementalPercent } from './scenarios/incremental-percent.ts';
import { incrementalRows } from './scenarios/incremental-rows.ts';
import { incrementalUnchanged } from './scenarios/incremental-unchanged.ts';
import { restore } from './scenarios/restore.ts';
import { restoreDeltaDamaged } from './scenarios/restore-delta-damaged.ts';
import { restoreDeltaUnchanged } from './scenarios/restore-delta-unchanged.ts';
import { bySize } from './scenarios/scale.ts';
import type { Experiment, Part, Turn } from './scenarios/scenario.ts';
import { startUp } from './scenarios/start-up.ts';
import { streaming } from './scenarios/streaming.ts';
import { summaries } from './scenarios/summaries.ts';
import { synthetic } from './scenarios/synthetic.ts';
import { verifyData } from './scenarios/verify-data.ts';
import { walFetchRecovery } from './scenarios/wal-fetch-recovery.ts';
import { walPushBurst } from './scenarios/wal-push-burst.ts';
import { findInstallation, startSource } from './source.ts';
import { renderGoals, renderScenario } from './table.ts';
import { readWords, USAGE, type Words } from './words.ts';

/** In the order in which each builds on the one before: restores want a full backup to be the newest, verification that
 * it is the only one. */
const turns: readonly Turn[] = [
  fullStream,
  fullEmpty,
  verifyData,
  fullAgain,
  restore,
  restoreDeltaUnchanged,
  restoreDeltaDamaged,
  incrementalUnchanged,
  incrementalRows,
  incrementalPercent,
];

/** In the order of their turns. */
const PEERS = [OURS, PGBACKREST, BARMAN, BARMAN_RSYNC, PG_BASEBACKUP, PG_DUMP, RESTIC, RAW_LIMIT] as const;
type PeerName = (typeof PEERS)[number];

const experiments: readonly Experiment[] = [
  startUp,
  walPushBurst,
  walFetchRecovery,
  streaming,
  summaries,
  bySize,
  synthetic,
];

process.exitCode = await main();

async function main(): Promise<number> {
  const words = wordsOrWhy();
  if (typeof words === 'string') {
    const names = [...turns.map(({ name }) => name), ...experiments.map(({ name }) => name)];
    process.stderr.write(`${words}\n${USAGE}\nscenarios: ${names.join(', ')}\npeers: ${PEERS.join(', ')}\n`);
    return 2;
  }
  const installation = await findInstallation();
  if (typeof installation === 'string') {
    process.stdout.write(`The bench was skipped: ${installation}, and its source is made with initdb and pgbench.\n`);
    if (words.json !== undefined) await writeFile(words.json, '[]\n');
    return 0;
  }
  const interruption = new AbortController();
  let caught: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    // The second one ends at once; the lab still kills its server on the way out.
    if (caught !== undefined) process.exit(130);
    caught = signal;
    interruption.abort(new Error(`interrupted by ${signal}`));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    await bench(words, installation, interruption.signal);
    return 0;
  } catch (error) {
    if (caught !== undefined) {
      progress('interrupted; what was started is ended and removed');
      return caught === 'SIGINT' ? 130 : 143;
    }
    process.stderr.write(`The bench failed.\n${toldOf(error)}\n`);
    return 1;
  }
}

function wordsOrWhy(): Words | string {
  try {
    return readWords(process.argv.slice(2), {
      scenarios: [...turns, ...experiments].map(({ name }) => name),
      peers: PEERS,
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function bench(words: Words, installation: Installation, signal: AbortSignal): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(words.folder, 'spillway-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  // The server's account, where it is another than ours, must be able to reach its own folders in here.
  await chmod(folder, 0o755);
  const machine = await describeMachine(folder);
  const wanted = ({ name, slow }: { readonly name: string; readonly slow?: boolean }): boolean =>
    words.scenarios.includes(name) || (words.scenarios.length === 0 && (words.all || slow !== true));
  const told: Told = { samples: [], notes: [], skipped: [], peers: [], lines: [] };
  if (turns.some(wanted)) await takeTurns(words, installation, wanted, join(folder, 'turns'), told, signal);
  for (const experiment of experiments.filter(wanted)) {
    await experimentWith(experiment, words, installation, join(folder, experiment.name), told, signal);
  }

  const results = summarise(told.samples);
  const parts: readonly Part[] = [
    ...turns.filter(wanted),
    ...experiments.filter(wanted).flatMap((experiment) => experiment.parts),
  ];
  const comparisons = compare(parts, results, OURS);
  const skipped = unjudged(parts, comparisons).map(({ scenario, peer }) => ({
    scenario,
    peer,
    why: whySkipped(told, scenario, peer),
  }));
  const lines = [
    ...machine,
    ...told.lines,
    `rounds  ${words.rounds}, caches ${words.caches}; medians; ratio is to ${PGBACKREST}'s, or else to the last peer's`,
    '',
    ...told.peers.map((peer) =>
      'why' in peer ? `${peer.name}: skipped, ${peer.why}` : `${peer.name}: ${peer.version}; ${peer.how}`,
    ),
    '',
    ...parts.map((part) => `${tableOf(part, results)}\n${notesOf(part, told)}`),
    renderGoals(comparisons, skipped),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (words.json !== undefined) await writeFile(words.json, `${JSON.stringify(comparisons, undefined, 2)}\n`);
}

/** What is gathered for the print. */
interface Told {
  readonly samples: Sample[];
  readonly peers: (Peer | AbsentPeer)[];
  readonly notes: (readonly [part: string, line: string])[];
  readonly skipped: (readonly [part: string, why: string])[];
  readonly lines: string[];
}

async function takeTurns(
  words: Words,
  installation: Installation,
  wanted: (turn: Turn) => boolean,
  folder: string,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const { filling } = words;
  const { scale } = words.size;
  progress(`making the source, ${filling}, scale ${scale}`);
  await mkdir(folder);
  await using source = await startSource({
    directory: join(folder, 'source'),
    installation,
    scale,
    filling,
    signal,
  });
  const find = finders(words);
  for (const name of PEERS) {
    const own = join(folder, name.replaceAll(' ', '-'));
    await mkdir(own);
    const place: PeerPlace = { folder: own, source, installation, signal };
    told.peers.push(
      words.peers.length === 0 || name === OURS || words.peers.includes(name)
        ? await find[name](place)
        : { name, why: 'not asked for' },
    );
  }
  const peers = told.peers.filter((peer) => 'store' in peer);
  const [row] = await source.cluster.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database',
  );
  const mebibytes = (Number(row?.bytes ?? 0) / 2 ** 20).toFixed(0);
  told.lines.push(
    `source  PostgreSQL ${installation.version}, ${source.filling.told}, ${mebibytes} MiB, page checksums on`,
  );
  const { rounds, caches } = words;
  told.samples.push(
    ...(await runRounds({ rounds, caches, scenarios: turns, wanted, peers, source, folder, signal, report: progress })),
  );
  await rm(folder, { recursive: true, force: true });
}

type Find = (place: PeerPlace) => Promise<Peer | AbsentPeer> | Peer;

function finders({ pgbackrest }: Words): Readonly<Record<PeerName, Find>> {
  return {
    [OURS]: findSpillway,
    [PGBACKREST]: (place) => findPgBackRest(place, pgbackrest),
    [BARMAN]: findBarman,
    [BARMAN_RSYNC]: findBarmanRsync,
    [PG_BASEBACKUP]: findPgBaseBackup,
    [PG_DUMP]: findPgDump,
    [RESTIC]: findRestic,
    [RAW_LIMIT]: rawLimit,
  };
}

async function experimentWith(
  experiment: Experiment,
  words: Words,
  installation: Installation,
  folder: string,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const { size, rounds, caches, pgbackrest } = words;
  progress(`${experiment.name}: ${experiment.title}`);
  await mkdir(folder);
  const samples = await experiment.run({
    folder,
    installation,
    size,
    rounds,
    caches,
    pgbackrest,
    signal,
    report: (line) => progress(`${experiment.name}  ${line}`),
    note: (part, line) => void told.notes.push([part, line]),
    skip: (part, why) => void told.skipped.push([part, why]),
  });
  told.samples.push(...samples);
  await rm(folder, { recursive: true, force: true });
}

/** Where pgBackRest did not take part, the last peer counts as 1: it is the plain one. */
function tableOf(part: Part, results: ReturnType<typeof summarise>): string {
  const own = results.filter(({ scenario }) => scenario === part.name);
  const reference = own.find(({ peer }) => peer === PGBACKREST) ?? own.findLast(({ peer }) => peer !== OURS);
  return renderScenario(part, results, reference?.peer ?? OURS);
}

function notesOf({ name }: Part, { notes }: Told): string {
  const own = notes.filter(([part]) => part === name);
  return own.map(([, line]) => `  ${line}\n`).join('');
}

function whySkipped(told: Told, scenario: string, peer: string): string {
  const own = told.skipped.find(([part]) => scenario === part || scenario.startsWith(`${part}-`));
  const absent = told.peers.find(({ name }) => name === peer);
  return own?.[1] ?? (absent !== undefined && 'why' in absent ? absent.why : 'it has no figures of this');
}

/** An error of the lab has more to say than its message. */
function toldOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const why = 'why' in error && typeof error.why === 'string' ? `: ${error.why}` : '';
  return `${error.message}${why}`;
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
