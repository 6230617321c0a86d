// `npm run bench -- [--scale <n>] [--rounds <n>] [--cold] [--scenario <name>]... [--peer <name>]... [--json <file>]`
//
// Builds the source, lets Spillway and each peer of this machine take turns, and prints the table on stdout; progress goes
// to stderr. Whatever way it ends, what it started is ended and removed. Ends with 0 also where goals are missed: they
// are told. 1 where a run failed, 2 for wrong words, 130 after Ctrl-C.

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Installation } from '@spillway/lab';
import { compare, summarise } from './comparison.ts';
import { describeMachine } from './machine.ts';
import type { AbsentPeer, Peer, PeerPlace } from './peers/peer.ts';
import { findPgBaseBackup, PG_BASEBACKUP } from './peers/pg-basebackup.ts';
import { findPgBackRest, PGBACKREST } from './peers/pgbackrest.ts';
import { RAW_LIMIT, rawLimit } from './peers/raw-limit.ts';
import { findSpillway, OURS } from './peers/spillway.ts';
import { runRounds } from './rounds.ts';
import { fullAgain } from './scenarios/full-again.ts';
import { fullEmpty } from './scenarios/full-empty.ts';
import { fullStream } from './scenarios/full-stream.ts';
import { incrementalRows } from './scenarios/incremental-rows.ts';
import { incrementalUnchanged } from './scenarios/incremental-unchanged.ts';
import { restore } from './scenarios/restore.ts';
import { findInstallation, startSource } from './source.ts';
import { renderGoals, renderScenario } from './table.ts';

/** In the order in which each builds on the one before: restore wants a full backup to be the newest. */
const scenarios = [fullStream, fullEmpty, fullAgain, restore, incrementalUnchanged, incrementalRows];

const USAGE = `usage: npm run bench -- [--scale <n>] [--rounds <n>] [--cold] [--json <file>] [--folder <folder>]
         [--scenario <name>]... [--peer <name>]... [--pgbackrest <program>]
scenarios: ${scenarios.map(({ name }) => name).join(', ')}`;

process.exitCode = await main();

async function main(): Promise<number> {
  const words = readWords();
  if (words === undefined) return 2;
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
    process.stderr.write(`The bench failed.\n${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function bench(words: Words, installation: Installation, signal: AbortSignal): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(words.folder, 'spillway-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  // The server's account, where it is another than ours, must be able to reach its own folders in here.
  await chmod(folder, 0o755);
  const machine = await describeMachine(folder);
  progress(`making the source, scale ${words.scale}`);
  const { scale } = words;
  const source = stack.use(await startSource({ directory: join(folder, 'source'), installation, scale, signal }));
  const found: (Peer | AbsentPeer)[] = [];
  for (const [name, find] of finders(words)) {
    const own = join(folder, name.replaceAll(' ', '-'));
    await mkdir(own);
    const place: PeerPlace = { folder: own, source, installation, signal };
    found.push(
      words.peers.length === 0 || name === OURS || words.peers.includes(name)
        ? await find(place)
        : { name, why: 'not asked for' },
    );
  }
  const peers = found.filter((peer) => 'store' in peer);
  const wanted = ({ name }: { readonly name: string }): boolean =>
    words.scenarios.length === 0 || words.scenarios.includes(name);
  const [row] = await source.cluster.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database',
  );
  const samples = await runRounds({ ...words, scenarios, wanted, peers, source, folder, signal, report: progress });

  const results = summarise(samples);
  const comparisons = compare(scenarios.filter(wanted), results, OURS);
  const lines = [
    ...machine,
    `source  PostgreSQL ${installation.version}, pgbench scale ${scale}, ${(Number(row?.bytes ?? 0) / 2 ** 20).toFixed(0)} MiB, page checksums on`,
    `rounds  ${words.rounds}, caches ${words.caches}; medians; ratio is wall time to ${PGBACKREST}'s`,
    '',
    ...peers.map(({ name, version, how }) => `${name}: ${version}; ${how}`),
    ...found.filter((peer) => 'why' in peer).map(({ name, why }) => `${name}: skipped, ${why}`),
    '',
    ...scenarios.filter(wanted).map((scenario) => `${renderScenario(scenario, results, PGBACKREST)}\n`),
    renderGoals(comparisons),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (words.json !== undefined) await writeFile(words.json, `${JSON.stringify(comparisons, undefined, 2)}\n`);
}

type Find = (place: PeerPlace) => Promise<Peer | AbsentPeer> | Peer;

/** In the order of their turns. */
function finders({ pgbackrest }: Words): readonly (readonly [name: string, find: Find])[] {
  return [
    [OURS, findSpillway],
    [PGBACKREST, (place) => findPgBackRest(place, pgbackrest)],
    [PG_BASEBACKUP, findPgBaseBackup],
    [RAW_LIMIT, rawLimit],
  ];
}

type Words = NonNullable<ReturnType<typeof readWords>>;

function readWords() {
  try {
    const { values } = parseArgs({
      options: {
        scale: { type: 'string', default: '100' },
        rounds: { type: 'string', default: '3' },
        cold: { type: 'boolean', default: false },
        json: { type: 'string' },
        folder: { type: 'string', default: tmpdir() },
        scenario: { type: 'string', multiple: true, default: [] },
        peer: { type: 'string', multiple: true, default: [] },
        pgbackrest: { type: 'string', default: 'pgbackrest' },
      },
    });
    const unknown = values.scenario.find((word) => !scenarios.some(({ name }) => name === word));
    if (unknown !== undefined) throw new TypeError(`there is no scenario ${unknown}`);
    if (values.cold && process.getuid?.() !== 0) throw new TypeError('--cold needs root, who alone can drop caches');
    return {
      scale: wholeNumber('--scale', values.scale, 5000),
      rounds: wholeNumber('--rounds', values.rounds, 100),
      caches: values.cold ? ('cold' as const) : ('warm' as const),
      json: values.json === undefined ? undefined : resolve(values.json),
      folder: resolve(values.folder),
      scenarios: values.scenario,
      peers: values.peer,
      pgbackrest: values.pgbackrest,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return undefined;
  }
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new TypeError(`${name} must be a whole number from 1 to ${most}`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
