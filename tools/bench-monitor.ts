// `npm run bench:monitor [-- --rate <readings/s>] [--seconds <n>] [--batch <readings>] [--sensors <n>] [--json <file>]`
//
// How much the monitor takes in, with PostgreSQL and the sender on the same machine, everything durable.
//
// 1. Steady: batches leave on a schedule, whether the ones before are answered or not, as telemetry does. The time of a
//    batch runs from when it was due, so that waiting behind a slow one counts too.
// 2. As fast as it goes: some senders that each wait for their answer.
// Both end with a count: what was acknowledged is in the database, each batch once, each reading once.

import { chmod, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { descendantsOf, type LabCluster, startCluster } from '@spillway/lab';
import { describeMachine } from '../bench/machine.ts';
import { finished, listening, makeDatabase, makeTokens, networkOf, node, stop } from './monitor/processes.ts';
import { Load, type Shape } from './monitor/load.ts';

const WARM_UP_SECONDS = 5;
const FAST_SECONDS = 20;
const GOAL_RATE = 20_000;
const GOAL_P99_MS = 250;
const usage =
  'usage: npm run bench:monitor -- [--rate <readings/s>] [--seconds <n>] [--batch <readings>] [--sensors <n>] [--json <file>]';

interface Words extends Shape {
  readonly rate: number;
  readonly seconds: number;
  readonly json: string | undefined;
}

interface Figures {
  readonly name: string;
  readonly readings_per_second: number;
  readonly batches: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  readonly failed: number;
  /** Cores that were busy; `others` is what the rest of the machine took. */
  readonly cores: Readonly<Record<'monitor' | 'postgresql' | 'sender' | 'others', number>>;
}

process.exitCode = await main();

async function main(): Promise<number> {
  let words: Words;
  try {
    words = readWords();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return 2;
  }
  await using stack = new AsyncDisposableStack();
  const ended = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => ended.abort(new Error(`ended by ${name}`)));
  try {
    return await bench(words, stack, ended.signal);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return ended.signal.aborted ? 130 : 1;
  }
}

function readWords(): Words {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      rate: { ...text, default: String(GOAL_RATE) },
      seconds: { ...text, default: '60' },
      batch: { ...text, default: '500' },
      sensors: { ...text, default: '2000' },
      json: text,
    },
  });
  const number = (name: 'rate' | 'seconds' | 'batch' | 'sensors', least: number, most: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RangeError(`--${name} is from ${least} to ${most}`);
    return value;
  };
  const words = {
    rate: number('rate', 100, 1_000_000),
    seconds: number('seconds', 1, 3600),
    batch: number('batch', 1, 5000),
    sensors: number('sensors', 1, 100_000),
    json: values.json,
  };
  if (words.sensors % words.batch !== 0) throw new RangeError('--sensors is a multiple of --batch');
  return words;
}

async function bench(words: Words, stack: AsyncDisposableStack, signal: AbortSignal): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'water-monitor-bench-'));
  await chmod(folder, 0o755);
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  for (const line of await describeMachine(folder)) process.stdout.write(`${line.replace(/; source and .*/, '')}\n`);
  const cluster = stack.use(
    await startCluster({
      directory: join(folder, 'postgresql'),
      settings: { shared_buffers: '256MB', max_wal_size: '4GB' },
      signal,
    }),
  );
  const { url, token, pid } = await startMonitor(cluster, folder, words.sensors, stack);
  process.stdout.write(`server  PostgreSQL ${cluster.installation.version}, fsync on, synchronous_commit on\n\n`);
  const machine = { monitor: pid, postmaster: cluster.pid ?? 0 };
  const load = new Load(url, token, words);
  stack.defer(() => load.close());

  await load.steady(words.rate, WARM_UP_SECONDS, signal);
  const figures = [
    await measured(machine, words.batch, 'steady', () => load.steady(words.rate, words.seconds, signal)),
    await measured(machine, words.batch, 'as fast as it goes', () => load.fast(FAST_SECONDS, signal)),
  ];
  for (const each of figures) process.stdout.write(`${told(each)}\n`);
  const isCounted = await count(cluster, load);
  if (words.json !== undefined) await writeFile(words.json, `${JSON.stringify({ ...words, figures }, undefined, 2)}\n`);
  const [steady] = figures;
  const isMet =
    steady !== undefined &&
    steady.readings_per_second >= words.rate * 0.99 &&
    steady.p99_ms < GOAL_P99_MS &&
    steady.failed === 0;
  process.stdout.write(
    `goal: ${words.rate} readings/s, p99 under ${GOAL_P99_MS} ms: ${isMet ? 'met' : 'NOT met on this machine, as loaded as it was'}\n`,
  );
  return isCounted ? 0 : 1;
}

async function startMonitor(cluster: LabCluster, folder: string, sensors: number, stack: AsyncDisposableStack) {
  const environment = {
    ...(await makeDatabase(cluster, folder)),
    MONITOR_PORT: '0',
    MONITOR_REQUESTS_PER_MINUTE: '1000000000',
    MONITOR_LOG_LEVEL: 'warn',
  };
  const tokens = await makeTokens(folder);
  const network = join(folder, 'network.json');
  await writeFile(network, JSON.stringify(networkOf(sensors)));
  await finished(node(['main.ts', 'load', network], environment, ['ignore', 'ignore', 'inherit']));
  const log = await open(join(folder, 'monitor.log'), 'a');
  stack.defer(() => log.close());
  const service = node(['main.ts', 'serve'], environment, ['ignore', 'pipe', 'inherit']);
  stack.defer(() => stop(service));
  const url = await listening(service, log.createWriteStream({ autoClose: false }));
  const deadline = performance.now() + 30_000;
  while (!(await fetch(`${url}/readyz`)).ok) {
    if (performance.now() > deadline) throw new Error('the monitor did not become ready');
    await pause(50);
  }
  return { url, token: tokens.ingest, pid: service.pid ?? 0 };
}

async function measured(
  machine: Processes,
  readingsABatch: number,
  name: string,
  work: () => Promise<readonly number[]>,
): Promise<Figures> {
  const [before, began] = [await cpuSeconds(machine), performance.now()];
  const times = await work();
  const seconds = (performance.now() - began) / 1000;
  const after = await cpuSeconds(machine);
  const good = times.filter((time) => !Number.isNaN(time)).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((good[Math.min(good.length - 1, Math.floor(good.length * share))] ?? 0) * 10) / 10;
  const cores = (of: keyof Cpu): number => Math.round(((after[of] - before[of]) / seconds) * 100) / 100;
  return {
    name,
    readings_per_second: Math.round((good.length * readingsABatch) / seconds),
    batches: good.length,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    p99_ms: at(0.99),
    max_ms: at(1),
    failed: times.length - good.length,
    cores: {
      monitor: cores('monitor'),
      postgresql: cores('postgresql'),
      sender: cores('sender'),
      others: Math.max(
        0,
        Math.round((cores('all') - cores('monitor') - cores('postgresql') - cores('sender')) * 100) / 100,
      ),
    },
  };
}

interface Processes {
  readonly monitor: number;
  readonly postmaster: number;
}

/** Seconds of CPU time so far. */
interface Cpu {
  readonly monitor: number;
  readonly postgresql: number;
  readonly sender: number;
  readonly all: number;
}

/** From /proc, whose ticks are hundredths of a second on Linux. */
async function cpuSeconds({ monitor, postmaster }: Processes): Promise<Cpu> {
  const servers = [postmaster, ...descendantsOf(postmaster).map(({ pid }) => pid)];
  const { user, system } = process.cpuUsage();
  const [busy = 0, nice = 0, kernel = 0, , , interrupts = 0, soft = 0] =
    (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return {
    monitor: await ticksOf(monitor, false),
    postgresql: (await Promise.all(servers.map((pid) => ticksOf(pid, pid === postmaster)))).reduce(
      (sum, each) => sum + each,
      0,
    ),
    sender: (user + system) / 1e6,
    all: (busy + nice + kernel + interrupts + soft) / 100,
  };
}

/** With those of its children that have ended, where asked. */
async function ticksOf(pid: number, withChildren: boolean): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.replace(/^.*\) /, '').split(' ');
  const of = (index: number): number => Number(fields[index] ?? 0);
  return (of(11) + of(12) + (withChildren ? of(13) + of(14) : 0)) / 100;
}

function told(figures: Figures): string {
  return (
    `${figures.name.padEnd(20)} ${figures.readings_per_second.toLocaleString('en')} readings/s in ${figures.batches.toLocaleString('en')} batches; ` +
    `p50 ${figures.p50_ms} ms, p95 ${figures.p95_ms} ms, p99 ${figures.p99_ms} ms, most ${figures.max_ms} ms; ` +
    `${figures.failed} failed; ` +
    `cores: ${Object.entries(figures.cores)
      .map(([name, cores]) => `${name} ${cores}`)
      .join(', ')}`
  );
}

async function count(cluster: LabCluster, load: Load): Promise<boolean> {
  const sql =
    'SELECT (SELECT count(*)::int FROM ingest_batch) AS batches, (SELECT count(*)::int FROM reading) AS readings';
  const [found] = await cluster.query<{ batches: number; readings: number }>(sql, [], 'water');
  const isRight = found?.batches === load.acknowledgedBatches && found.readings === load.acknowledgedReadings;
  process.stdout.write(
    `${load.acknowledgedReadings.toLocaleString('en')} readings were acknowledged, ${found?.readings.toLocaleString('en')} are in the database${isRight ? '' : ': NOT what was acknowledged'}\n`,
  );
  return isRight;
}
