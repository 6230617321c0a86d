// What a receiver of WAL costs the clients of a busy server, and how much its death would cost them.
//
// pgbench's own mix runs with 8 clients, the same time in each turn, with one receiver or none beside it:
//   throughput   seconds a thousand transactions take: Spillway with its default flush interval of 5 s, pg_receivewal, nobody
//   age          how old the newest durable commit is (`wal-age.ts`), the 99th percentile over the turn; at the default
//                interval and at 100 ms. A second is left out at the beginning.
//   synchronous  the mean time of COMMIT while commits wait for the receiver: Spillway with `wal.synchronous`, and
//                `pg_receivewal --synchronous`, which stores plain files, neither encrypted nor compressed
// The looks at the server's positions happen in every turn, with a receiver or without, so they cost all the same.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sample } from '../figures.ts';
import { prepareCaches } from '../folder.ts';
import { type Command, perform } from '../measure.ts';
import { findSpillway, OURS, SLOT, type SpillwayPeer } from '../peers/spillway.ts';
import { parsePgbenchReport, type PgbenchReport } from '../pgbench-report.ts';
import { Receiver } from '../receiver.ts';
import { type Source, startSource } from '../source.ts';
import { percentile } from '../statistic.ts';
import { agesOf, type Look } from '../wal-age.ts';
import type { Experiment, Stage } from './scenario.ts';

const THROUGHPUT = 'streaming-throughput';
const AGE = 'streaming-age';
const AGE_100MS = 'streaming-age-100ms';
const SYNCHRONOUS = 'streaming-synchronous';
const NOBODY = 'no receiver';
const RECEIVEWAL = 'pg_receivewal';
const CLIENTS = 8;
const THREADS = 2;
const LOOK_EVERY_MS = 50;
/** For an age of a tenth of a second. */
const LOOK_OFTEN_EVERY_MS = 5;
const LEFT_OUT_MS = 1000;

export const streaming: Experiment = {
  name: 'streaming',
  title: 'a receiver of WAL under pgbench',
  slow: true,
  parts: [
    {
      name: THROUGHPUT,
      title: `1,000 transactions of ${CLIENTS} clients with a receiver beside them`,
      seconds: 's/1,000 tx',
      goals: [{ measure: 'seconds', against: NOBODY, most: 1 / 0.97 }],
    },
    {
      name: AGE,
      title: 'age of the newest durable commit, 99th percentile, flush interval 5 s',
      seconds: 'p99 s',
      goals: [{ measure: 'seconds', limit: 6, most: 1 }],
    },
    {
      name: AGE_100MS,
      title: 'age of the newest durable commit, 99th percentile, flush interval 100 ms',
      seconds: 'p99 s',
      goals: [{ measure: 'seconds', limit: 0.15, most: 1 }],
    },
    {
      name: SYNCHRONOUS,
      title: 'mean time of COMMIT with the receiver as synchronous standby',
      seconds: 'commit s',
      goals: [{ measure: 'seconds', against: RECEIVEWAL, most: 1.3 }],
    },
  ],
  run: async (stage) => {
    const { folder, installation, size, signal } = stage;
    await using source = await startSource({
      directory: join(folder, 'source'),
      installation,
      scale: size.scale,
      signal,
    });
    const turns = await turnsOf(stage, source);
    const samples: Sample[] = [];
    for (let round = 1; round <= stage.rounds; round++) {
      for (const turn of turns) {
        const found = await takeTurn(stage, source, turn);
        samples.push(...found.samples);
        stage.report(`round ${round}/${stage.rounds}  ${turn.name}  ${found.told}`);
        if (round === 1) stage.note(turn.part, `${turn.name}: ${found.told} (first round)`);
      }
    }
    return samples;
  },
};

interface Turn {
  readonly name: string;
  /** Whose table its notes stand under. */
  readonly part: string;
  readonly lookEveryMs: number;
  /** Makes its store anew. */
  readonly prepare?: () => Promise<void>;
  readonly receiver?: {
    readonly command: Command;
    readonly applicationName: string;
    readonly synchronous: boolean;
    /** Before its segment is full. */
    readonly confirms: boolean;
  };
  readonly samplesOf: (measured: Measured) => readonly Sample[];
}

interface Measured {
  readonly report: PgbenchReport;
  readonly ages: readonly number[];
  readonly used: { readonly cpuSeconds: number; readonly peakBytes: number; readonly writtenBytes: number } | undefined;
}

async function turnsOf(stage: Stage, source: Source): Promise<readonly Turn[]> {
  const spillway = async (name: string, wal: Readonly<Record<string, string | boolean>>): Promise<SpillwayPeer> => {
    const folder = join(stage.folder, name);
    await mkdir(folder);
    return findSpillway({ folder, source, installation: stage.installation, signal: stage.signal }, { wal });
  };
  const receiverOf = (peer: SpillwayPeer, synchronous: boolean) => ({
    prepare: peer.empty,
    receiver: { command: peer.command('wal', 'receive'), applicationName: SLOT, synchronous, confirms: true },
  });
  const plain = await spillway('interval-5s', {});
  const often = await spillway('interval-100ms', { flush_interval: '100ms' });
  const synchronous = await spillway('synchronous', { synchronous: true });
  const throughput =
    (peer: string) =>
    ({ report, used }: Measured): Sample => ({
      scenario: THROUGHPUT,
      peer,
      seconds: 1000 / report.transactionsPerSecond,
      ...used,
    });
  const age =
    (scenario: string) =>
    ({ ages, used }: Measured): Sample => ({ scenario, peer: OURS, seconds: percentile(ages, 0.99) / 1000, ...used });
  const commit =
    (peer: string) =>
    ({ report, used }: Measured): Sample => ({ scenario: SYNCHRONOUS, peer, seconds: commitOf(report), ...used });
  return [
    {
      name: OURS,
      part: THROUGHPUT,
      lookEveryMs: LOOK_EVERY_MS,
      ...receiverOf(plain, false),
      samplesOf: (measured) => [throughput(OURS)(measured), age(AGE)(measured)],
    },
    {
      name: RECEIVEWAL,
      part: THROUGHPUT,
      lookEveryMs: LOOK_EVERY_MS,
      ...receiveWal(stage, source, false),
      samplesOf: (measured) => [throughput(RECEIVEWAL)(measured)],
    },
    {
      name: NOBODY,
      part: THROUGHPUT,
      lookEveryMs: LOOK_EVERY_MS,
      samplesOf: (measured) => [throughput(NOBODY)(measured)],
    },
    {
      name: `${OURS} at 100 ms`,
      part: AGE_100MS,
      lookEveryMs: LOOK_OFTEN_EVERY_MS,
      ...receiverOf(often, false),
      samplesOf: (measured) => [age(AGE_100MS)(measured)],
    },
    {
      name: OURS,
      part: SYNCHRONOUS,
      lookEveryMs: LOOK_EVERY_MS,
      ...receiverOf(synchronous, true),
      samplesOf: (measured) => [commit(OURS)(measured)],
    },
    {
      name: RECEIVEWAL,
      part: SYNCHRONOUS,
      lookEveryMs: LOOK_EVERY_MS,
      ...receiveWal(stage, source, true),
      samplesOf: (measured) => [commit(RECEIVEWAL)(measured)],
    },
  ];
}

function receiveWal(stage: Stage, source: Source, synchronous: boolean): Pick<Turn, 'prepare' | 'receiver'> {
  const { host, port, user, password } = source.cluster.connection;
  const folder = join(stage.folder, 'receivewal');
  const slot = 'bench_receivewal';
  const words = ['-D', folder, '-h', host, '-p', String(port), '-U', user, '--slot', slot, '--no-loop'];
  return {
    prepare: async () => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      await source.renewSlot(slot);
    },
    receiver: {
      command: {
        program: join(stage.installation.binDirectory, RECEIVEWAL),
        words: synchronous ? [...words, '--synchronous'] : words,
        environment: { PGPASSWORD: password },
      },
      applicationName: RECEIVEWAL,
      synchronous,
      confirms: synchronous,
    },
  };
}

async function takeTurn(
  stage: Stage,
  source: Source,
  turn: Turn,
): Promise<{ readonly samples: readonly Sample[]; readonly told: string }> {
  const { signal, size } = stage;
  const { receiver } = turn;
  await turn.prepare?.();
  await source.cluster.query('TRUNCATE pgbench_history');
  await source.cluster.query('VACUUM pgbench_accounts, pgbench_tellers, pgbench_branches');
  await source.cluster.query('CHECKPOINT');
  await prepareCaches(stage.caches, [source.dataDirectory], signal);
  await using running = receiver && new Receiver(source, receiver.command, receiver.applicationName);
  await running?.untilCaughtUp(receiver?.confirms === true, signal);
  const before = running?.used();
  await using waited = new AsyncDisposableStack();
  if (receiver?.synchronous === true) {
    await source.setSynchronous(receiver.applicationName, signal);
    // Before the receiver is ended: without it commits would wait.
    waited.defer(() => source.setSynchronous('', new AbortController().signal));
  }
  const looking = new AbortController();
  const looks = lookOn(source, receiver?.applicationName ?? '', turn.lookEveryMs, looking.signal);
  let printed: string;
  try {
    printed = await perform(pgbench(stage, source, size.loadSeconds), signal);
  } finally {
    looking.abort();
  }
  const ages = agesOf(await looks, LEFT_OUT_MS);
  running?.expectRunning();
  const after = running?.used();
  const report = parsePgbenchReport(printed);
  if (report === undefined) throw new Error(`pgbench gave no report beside ${turn.name}\n${printed}`);
  const used = before &&
    after && {
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      writtenBytes: after.writtenBytes - before.writtenBytes,
      peakBytes: after.peakBytes,
    };
  const oldest = ages.length === 0 ? '' : `, age at most ${(Math.max(...ages) / 1000).toFixed(3)} s`;
  const told = `${report.transactionsPerSecond.toFixed(0)} transactions/s, COMMIT ${(commitOf(report) * 1000).toFixed(2)} ms${oldest}`;
  return { samples: turn.samplesOf({ report, ages, used }), told };
}

function pgbench({ installation, size }: Stage, source: Source, seconds: number): Command {
  const { host, port, user, password, database } = source.cluster.connection;
  const words = [
    '-n',
    '-r',
    '-s',
    String(size.scale),
    '-c',
    String(CLIENTS),
    '-j',
    String(THREADS),
    '-T',
    String(seconds),
  ];
  words.push('-h', host, '-p', String(port), '-U', user, database);
  return { program: join(installation.binDirectory, 'pgbench'), words, environment: { PGPASSWORD: password } };
}

/** Throws where pgbench told no time of COMMIT. */
function commitOf({ latencies }: PgbenchReport): number {
  const seconds = latencies.get('END;');
  if (seconds === undefined) throw new Error('pgbench told no time of END, which is its COMMIT');
  return seconds;
}

/** Looks at the server's positions until it is told to stop. */
async function lookOn(source: Source, name: string, everyMs: number, stop: AbortSignal): Promise<readonly Look[]> {
  const client = await source.cluster.connect();
  const looks: Look[] = [];
  try {
    while (!stop.aborted) {
      const { rows } = await client.query<{ written: string; durable: string | null }>({
        name: 'look',
        text: `SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn AS written,
                      (SELECT flush_lsn - '0/0'::pg_lsn FROM pg_stat_replication WHERE application_name = $1) AS durable`,
        values: [name],
      });
      const [row] = rows;
      if (row !== undefined) {
        looks.push({ at: performance.now(), written: Number(row.written), durable: Number(row.durable ?? -1) });
      }
      await pause(everyMs, undefined, { signal: stop }).catch(() => undefined);
    }
    return looks;
  } finally {
    await client.end();
  }
}
