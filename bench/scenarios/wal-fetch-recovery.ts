// A recovery of much WAL: what fetching it from a repository adds to the time that replay takes by itself.
//
// One backup, then 5 GB of WAL by updates all over a table, and a named point at its end. Each turn restores that backup anew
// (not measured) and lets a server recover to that point:
//   in pg_wal   all segments lie in pg_wal, nothing is fetched: what everybody is held against. The server runs as a standby
//               without a primary, for then it asks no command at all
//   spillway    `restore --start`, which lays segments ready ahead of replay
//   wal fetch   Spillway's restore_command as one writes it by hand, a process for each file; slow, so in the first round alone
//   pgbackrest  its restore_command, with `archive-async=y` and two processes
// Seconds are the server's own: from the first line of its log until it takes connections, and so with the checkpoint at
// the end. No other checkpoint happens: max_wal_size is larger than the WAL. Afterwards the rows' sum must be the source's.

import { copyFile, mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { adoptCluster, freePort, giveTo, type LabCluster } from '@spillway/lab';
import type { Sample } from '../figures.ts';
import { prepareCaches } from '../folder.ts';
import { perform } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { findPgBackRest, PGBACKREST } from '../peers/pgbackrest.ts';
import { findSpillway, OURS, type SpillwayPeer } from '../peers/spillway.ts';
import { type RecoveryTimes, recoveryTimes } from '../server-log.ts';
import { type Source, startSource } from '../source.ts';
import type { Experiment, Stage } from './scenario.ts';

const NAME = 'wal-fetch-recovery';
export const IN_PG_WAL = 'in pg_wal';
const BY_HAND = 'wal fetch';
const POINT = 'bench_end';
const SCALE_MAX = 50;
const ARCHIVED_WITHIN_MS = 60 * 60_000;
const RECOVERED_WITHIN_MS = 60 * 60_000;
const POLL_MS = 50;
const SUM = 'SELECT sum(abalance::bigint) AS sum, count(*) AS count FROM pgbench_accounts';

export const walFetchRecovery: Experiment = {
  name: NAME,
  title: 'recovery of much WAL from a repository',
  slow: true,
  parts: [
    {
      name: NAME,
      title: 'recovery of much WAL, from the start of the server until it takes connections',
      seconds: 'recovery s',
      goals: [{ measure: 'seconds', against: IN_PG_WAL, most: 1.05 }],
    },
  ],
  run: async (stage) => {
    const { folder, installation, size, signal } = stage;
    const scale = Math.min(size.scale, SCALE_MAX);
    await using source = await startSource({ directory: join(folder, 'source'), installation, scale, signal });
    const { ours, theirs } = await findPeers(stage, source);
    await ours.empty();
    await theirs?.empty();
    await source.archiveBy(theirs?.pushCommand ?? 'true', signal);
    await perform(ours.full(), signal);
    stage.report(`writing ${(size.walBytes / 1e9).toFixed(1)} GB of WAL`);
    const before = await source.walBytes();
    await source.writeWal(size.walBytes, signal);
    await source.cluster.query(`SELECT pg_create_restore_point('${POINT}')`);
    await source.cluster.query('SELECT pg_switch_wal()');
    const gigabytes = (((await source.walBytes()) - before) / 1e9).toFixed(2);
    stage.note(NAME, `${gigabytes} GB of WAL; shared_buffers 512 MB; pgbench scale ${scale}`);
    const [expected] = await source.cluster.query(SUM);
    stage.report('archiving it');
    await source.untilArchived(signal, ARCHIVED_WITHIN_MS);
    await ours.catchUp?.();
    const recovery: Recovery = { stage, source, ours, expected: JSON.stringify(expected) };
    const samples: Sample[] = [];
    for (let round = 1; round <= stage.rounds; round++) {
      for (const way of waysOf(ours, theirs)) {
        if (way.name === BY_HAND && round > 1) continue;
        const { seconds, redoSeconds } = await recover(recovery, way);
        samples.push({ scenario: NAME, peer: way.name, seconds });
        const text = `${way.name}  ${seconds.toFixed(2)} s, redo alone ${redoSeconds.toFixed(2)} s`;
        stage.report(`round ${round}/${stage.rounds}  ${text}`);
        if (round === 1) stage.note(NAME, `first round: ${text}`);
      }
    }
    return samples;
  },
};

interface Recovery {
  readonly stage: Stage;
  readonly source: Source;
  readonly ours: SpillwayPeer;
  readonly expected: string;
}

/** How one turn gets its WAL. */
type Way = { readonly name: string } & (
  | { readonly kind: 'restore --start' }
  | { readonly kind: 'in pg_wal' }
  | { readonly kind: 'restore_command'; readonly command: (into: string) => string; readonly store: string }
);

function waysOf(ours: Peer, theirs: Peer | undefined): readonly Way[] {
  const byCommand = (name: string, peer: Peer | undefined): readonly Way[] =>
    peer?.fetchCommand === undefined
      ? []
      : [{ name, kind: 'restore_command', command: peer.fetchCommand, store: peer.store }];
  return [
    { name: OURS, kind: 'restore --start' },
    ...byCommand(PGBACKREST, theirs),
    ...byCommand(BY_HAND, ours),
    { name: IN_PG_WAL, kind: 'in pg_wal' },
  ];
}

async function findPeers(
  stage: Stage,
  source: Source,
): Promise<{ readonly ours: SpillwayPeer; readonly theirs: Peer | undefined }> {
  const placeFor = async (name: string) => {
    const folder = join(stage.folder, name);
    await mkdir(folder);
    return { folder, source, installation: stage.installation, signal: stage.signal, asServer: true };
  };
  const ours = await findSpillway(await placeFor('spillway'));
  const theirs = await findPgBackRest(await placeFor('pgbackrest'), stage.pgbackrest, { asynchronous: true });
  if ('store' in theirs) return { ours, theirs };
  stage.note(NAME, `pgbackrest: skipped, ${theirs.why}`);
  return { ours, theirs: undefined };
}

async function recover({ stage, source, ours, expected }: Recovery, way: Way): Promise<RecoveryTimes> {
  const { folder, caches, installation, signal } = stage;
  const { account, password } = source.cluster;
  const into = join(folder, 'recovered');
  const logFile = join(folder, 'recovered.log');
  await rm(logFile, { force: true });
  await mkdir(into, { mode: 0o700 });
  await writeFile(logFile, '');
  await giveTo(account, into, logFile);
  const port = await freePort();
  const words = ['restore', '--into', into, '--name', POINT];
  if (way.kind === 'restore --start') {
    await prepareCaches(caches, [ours.store], signal);
    await perform(ours.command(...words, '--start', '--port', String(port), '--log', logFile), signal);
  } else {
    await perform(ours.command(...words), signal);
    await setUp(source, into, way);
    await prepareCaches(caches, [into, way.kind === 'in pg_wal' ? into : way.store], signal);
  }
  await using cluster = await adoptCluster({
    dataDirectory: into,
    binDirectory: installation.binDirectory,
    port,
    password,
    logFile,
  });
  await cluster.start(signal);
  // Started is as soon as it can be read from; it recovers on.
  const times = await untilRecovered(logFile, cluster, signal);
  const [found] = await cluster.query(SUM);
  if (JSON.stringify(found) !== expected) {
    throw new Error(`${way.name} recovered ${JSON.stringify(found)}, and the source holds ${expected}`);
  }
  return times;
}

/** Instead of what `restore` set up, another way to get WAL; the recovery target stays. */
async function setUp(
  source: Source,
  into: string,
  way: Exclude<Way, { readonly kind: 'restore --start' }>,
): Promise<void> {
  const { account } = source.cluster;
  const autoConf = join(into, 'postgresql.auto.conf');
  const command = way.kind === 'in pg_wal' ? '' : way.command(into);
  const text = (await readFile(autoConf, 'utf8')).replaceAll(/^restore_command.*\n/gm, '');
  await writeFile(autoConf, `${text}restore_command = '${command.replaceAll("'", "''")}'\n`);
  if (way.kind !== 'in pg_wal') return;
  await unlink(join(into, 'recovery.signal'));
  await writeFile(join(into, 'standby.signal'), '');
  await giveTo(account, join(into, 'standby.signal'));
  for (const name of await readdir(source.walDirectory)) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue;
    const there = join(into, 'pg_wal', name);
    await copyFile(join(source.walDirectory, name), there);
    await giveTo(account, there);
  }
}

async function untilRecovered(logFile: string, cluster: LabCluster, signal: AbortSignal): Promise<RecoveryTimes> {
  const deadline = performance.now() + RECOVERED_WITHIN_MS;
  for (;;) {
    const log = await readFile(logFile, 'utf8');
    const times = recoveryTimes(log);
    if (times !== undefined) return times;
    if (!cluster.running || performance.now() > deadline) {
      throw new Error(`the server did not recover; its log ends with\n${log.slice(-2000)}`);
    }
    await pause(POLL_MS, undefined, { signal });
  }
}
