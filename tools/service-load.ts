// What the service takes: `npm run memory:service -- [--idle SECONDS] [--warm SECONDS] [--load SECONDS]`, 120, 60 and 20 unless told otherwise.
//
// 1. A release is made, and serves a throw-away cluster with the receiver and the canary, every schedule as it is by default.
// 2. Idle: when the first backup is made and it has warmed up, memory and processor time of the service, and of the receiver it runs.
//    Resident memory (RSS) counts the pages of Node's program in both; their shares (PSS) count each page once, and their sum is what
//    both take together. They run with a copy of Node of their own: no other process here may bear a part of its pages.
// 3. Load, twice, with the limits of the configuration and without: as many event streams as the service takes (and one more), and a
//    thousand requests a second for the overview, sent whether the ones before were answered or not, down a few connections that are
//    read no further than each answer's status and length; backups run meanwhile. Then its memory when all have gone.
// Every request is counted by how it was answered, and each stream by the events it heard: those of all must be the same. How many
// were sent a second, and what the sender itself took of a core, tells whether it was the service that was measured.
// The tables that are printed are those in docs/service.md. It ends with 1 where a limit of the plan is passed or anything was lost.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type ClientRequest, get } from 'node:http';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { descendantsOf, startCluster } from '@spillway/lab';
import { sendRequests } from './request-sender.ts';

const ROOT = join(import.meta.dirname, '..');
const STREAMS = 1000;
const STREAM_TOKENS = 4;
const REQUESTS_A_SECOND = 1000;
const SAMPLE_MS = 1000;
const QUARTERS = 4;
const WAIT_MS = 120_000;
/** After load, until its memory is read. */
const SETTLE_MS = 95_000;
const TICKS_A_SECOND = 100;
const NOTHING: Memory = { resident: 0, share: 0 };
/** Of both together, by their shares, and so of each by what is resident. */
const IDLE_BYTES_MAX = 150e6;
const IDLE_CORE_MAX = 0.01;
/** How much more memory it may have when the load has gone: what a heap that has grown keeps of it. */
const AFTER_LOAD_MAX = 1.6;

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '120' },
    warm: { type: 'string', default: '60' },
    load: { type: 'string', default: '20' },
  },
});
const [idleMs, warmMs, loadMs] = [values.idle, values.warm, values.load].map((text) => Number(text) * 1000);
if (
  idleMs === undefined ||
  warmMs === undefined ||
  loadMs === undefined ||
  !(idleMs > 0 && warmMs >= 0 && loadMs >= 0)
) {
  throw new RangeError('usage: npm run memory:service -- [--idle SECONDS] [--warm SECONDS] [--load SECONDS]');
}

interface Service {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  /** Of the administrator. */
  readonly headers: Headers;
}

type Headers = Readonly<Record<string, string>>;

const problems: string[] = [];
await using stack = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'spillway-service-'));
stack.defer(() => rm(folder, { recursive: true, force: true }));
await chmod(folder, 0o755);
// In the checkout, so that what stays a dependency is found.
const release = await mkdtemp(join(ROOT, 'release-of-memory-'));
stack.defer(() => rm(release, { recursive: true, force: true }));
await promisify(execFile)(process.execPath, [join(ROOT, 'tools', 'build.ts'), release], { cwd: ROOT });
const program = join(release, 'bin', 'spillway.js');
const node = join(folder, 'node');
await copyFile(process.execPath, node);
await chmod(node, 0o755);
const cluster = await startCluster({ settings: { max_slot_wal_keep_size: '4GB' } });
stack.defer(() => cluster.destroy());
await cluster.query('CREATE TABLE filler AS SELECT n, md5(n::text) FROM generate_series(1, 500000) AS n');
// What the server would do about them later is none of the service's idleness.
await cluster.query('VACUUM (FREEZE, ANALYZE)');
await cluster.query('CHECKPOINT');
await writeFile(join(folder, 'passphrase'), randomBytes(32).toString('hex'), { mode: 0o600 });
await writeFile(join(folder, 'password'), cluster.password, { mode: 0o600 });
await configure({});
await promisify(execFile)(process.execPath, [program, 'init'], { cwd: folder });

process.stdout.write(
  `${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.versions.node}, PostgreSQL ${cluster.installation.version}\n`,
);
{
  await using service = await serve();
  await pause(warmMs);
  await measureIdle(service, idleMs);
  await underLoad('as configured by default', service, loadMs);
}
await configure({ requests_per_minute: 10_000_000 });
if (loadMs > 0) {
  await using service = await serve();
  await pause(warmMs);
  await underLoad('`requests_per_minute: 10000000`', service, loadMs);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function configure(service: object): Promise<void> {
  const { host, port, user } = cluster.connection;
  await writeFile(
    join(folder, 'spillway.yaml'),
    // JSON is YAML.
    JSON.stringify({
      repository: { path: 'repository', passphrase: { file: 'passphrase' } },
      clusters: {
        main: {
          connection: { host, port, user, database: 'postgres', password: { file: 'password' } },
          canary: { state_directory: 'canary' },
        },
      },
      service: { port: 0, state_directory: 'state', ...service },
    }),
  );
}

/** Served, and its first backup made. */
async function serve(): Promise<Service & AsyncDisposable> {
  const child = spawn(node, [program, 'serve'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
      const [, found] = /"url":"(http:[^"]+)"/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new Error(`the service ended: ${said}`)));
  });
  const token = (await readFile(join(folder, 'state', 'first-token'), 'utf8')).trim();
  const service = { child, pid: child.pid ?? 0, url, headers: { authorization: `Bearer ${token}` } };
  for (const deadline = performance.now() + WAIT_MS; ; await pause(SAMPLE_MS)) {
    const { jobs } = (await (await fetch(`${url}/api/v1/jobs`, { headers: service.headers })).json()) as {
      readonly jobs: readonly { readonly state: string }[];
    };
    if (jobs.some(({ state }) => state === 'succeeded')) break;
    if (performance.now() > deadline) throw new Error(`no first backup: ${said}`);
  }
  return {
    ...service,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function measureIdle({ pid }: Service, ms: number): Promise<void> {
  const receivers = descendantsOf(pid).filter((each) => commandOf(each.pid).includes('receive'));
  const [receiver] = receivers;
  if (receiver === undefined) throw new Error('the service runs no receiver');
  const watched = [
    { name: 'service', pid },
    { name: 'receiver', pid: receiver.pid },
  ];
  const before = watched.map((each) => processorSeconds(each.pid));
  const began = performance.now();
  const seen = await sampled(() => watched.map((each) => memoryOf(each.pid)), pause(ms));
  const seconds = (performance.now() - began) / 1000;
  const cores = watched.map((each, at) => (processorSeconds(each.pid) - (before[at] ?? 0)) / seconds);
  process.stdout.write(
    `\nIdle, one cluster, ${Math.round(seconds)} s after ${Math.round(warmMs ?? 0) / 1000} s of warming up\n\n| | resident, most | its share, most | its share, at the end | of a core |\n|---|---|---|---|---|\n`,
  );
  for (const [at, { name }] of watched.entries()) {
    const own = seen.map((each) => each[at] ?? NOTHING);
    const most = largest(own.map(({ resident }) => resident));
    const shares = own.map(({ share }) => share);
    const core = cores[at] ?? 0;
    const cells = [megabytes(most), megabytes(largest(shares)), megabytes(shares.at(-1) ?? 0), percent(core)];
    process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
    if (most > IDLE_BYTES_MAX) problems.push(`the ${name} takes ${megabytes(most)} idle`);
  }
  const sums = seen.map((each) => each.reduce((sum, { share }) => sum + share, 0));
  const core = cores.reduce((sum, each) => sum + each, 0);
  const cells = [megabytes(largest(sums)), megabytes(sums.at(-1) ?? 0), percent(core)];
  process.stdout.write(`| both | | ${cells.join(' | ')} |\n`);
  if (largest(sums) > IDLE_BYTES_MAX) problems.push(`both together take ${megabytes(largest(sums))} idle`);
  if (core > IDLE_CORE_MAX) problems.push(`both together take ${percent(core)} of a core idle`);
}

async function underLoad(title: string, service: Service, ms: number): Promise<void> {
  if (ms === 0) return;
  const { pid, url, headers } = service;
  const before = memoryOf(pid).resident;
  const processorBefore = processorSeconds(pid);
  // Limits are by token, and so many streams are not one person's.
  const [many, load, operator] = await Promise.all([
    Promise.all(Array.from({ length: STREAM_TOKENS }, () => makeToken(service, 'viewer'))),
    makeToken(service, 'viewer'),
    makeToken(service, 'operator'),
  ]);
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, (_, at) => listen(url, many[at % STREAM_TOKENS] ?? headers)),
  );
  const oneMore = await listen(url, many[0] ?? headers);
  const taken = streams.filter(({ status }) => status === 200);
  const began = performance.now();
  const ownBefore = process.cpuUsage();
  const sending = sendRequests({ url: `${url}/api/v1/overview`, headers: load, aSecond: REQUESTS_A_SECOND, ms });
  const backup = await startBackup(url, operator);
  const seen = await sampled(() => memoryOf(pid).resident, sending);
  const own = process.cpuUsage(ownBefore);
  const { sentMs, answeredMs, answers, times } = await sending;
  const took = (performance.now() - began) / 1000;
  const core = (processorSeconds(pid) - processorBefore) / took;
  const ownCore = (own.user + own.system) / 1e6 / took;
  await pause(2000);
  const heard = new Set(taken.map((stream) => stream.events().join()));
  const [events = []] = taken.map((stream) => stream.events());
  for (const stream of [...streams, oneMore]) stream.close();
  await pause(SETTLE_MS);
  const after = memoryOf(pid).resident;
  const sorted = times.toSorted((a, b) => a - b);
  const share = (of: number): string => `${Math.round(sorted[Math.floor(sorted.length * of)] ?? 0)} ms`;
  const told = [...answers].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([answer, count]) => `${count} × ${answer}`);
  process.stdout.write(`\nLoad, ${title}\n\n| | |\n|---|---|\n`);
  const rows: readonly (readonly [string, string])[] = [
    ['event streams', `${taken.length} of ${STREAMS} open, the next is answered ${oneMore.status}`],
    [
      'events heard by each',
      `${events.length}, ${heard.size === 1 ? 'the same by all' : `NOT the same by all: ${heard.size} ways`}`,
    ],
    [
      'requests',
      `${times.length} sent in ${(sentMs / 1000).toFixed(1)} s, ${Math.round((times.length / sentMs) * 1000)} a second; the last answered after ${(answeredMs / 1000).toFixed(1)} s: ${told.join(', ')}`,
    ],
    ['time to the answer', `median ${share(0.5)}, 99 % ${share(0.99)}, longest ${share(0.9999)}`],
    [
      'memory',
      `${megabytes(before)} before, ${quarters(seen).map(megabytes).join(', ')} at the end of each quarter, ${megabytes(largest(seen))} at most, ${megabytes(after)} ${SETTLE_MS / 1000} s after`,
    ],
    [
      'processor',
      `${(core * 100).toFixed(0)} % of a core, ${(ownCore * 100).toFixed(0)} % more by who asks and listens`,
    ],
    ['a backup asked for meanwhile', await backup()],
  ];
  for (const row of rows) process.stdout.write(`| ${row.join(' | ')} |\n`);
  const strange = [...answers.keys()].filter((answer) => !['200', '429', '503'].includes(answer));
  if (strange.length > 0) problems.push(`${title}: answers ${strange.join()}`);
  if (heard.size !== 1 || events.length === 0) problems.push(`${title}: streams did not all hear the same`);
  if (taken.length !== STREAMS || oneMore.status !== 503)
    problems.push(`${title}: ${taken.length} streams, then ${oneMore.status}`);
  if (after > before * AFTER_LOAD_MAX)
    problems.push(`${title}: ${megabytes(after)} after the load, ${megabytes(before)} before`);
}

interface Listening {
  readonly status: number;
  /** Numbers of those of jobs heard so far. */
  readonly events: () => readonly string[];
  readonly close: () => void;
}

async function listen(url: string, headers: Headers): Promise<Listening> {
  let heard = '';
  const { status, request } = await new Promise<{ readonly status: number; readonly request: ClientRequest }>(
    (resolve, reject) => {
      const asked = get(`${url}/api/v1/events`, { headers, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', (text: string) => {
          heard += text;
        });
        response.on('error', () => undefined);
        resolve({ status: response.statusCode ?? 0, request: asked });
      });
      asked.on('error', reject);
    },
  );
  return {
    status,
    events: () => [...heard.matchAll(/^id: (\d+)\nevent: (?:job|progress|line)$/gm)].map(([, id = '']) => id),
    close: () => void request.destroy(),
  };
}

async function makeToken({ url, headers }: Service, role: string): Promise<Headers> {
  const { token } = await post<{ readonly token: string }>(`${url}/api/v1/tokens`, headers, { name: 'load', role });
  return { authorization: `Bearer ${token}` };
}

async function post<Document>(url: string, headers: Headers, body: object): Promise<Document> {
  const sent = { ...headers, 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers: sent, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Document;
}

/** Gives what becomes of it. */
async function startBackup(url: string, headers: Headers): Promise<() => Promise<string>> {
  const asked = { command: 'backup', cluster: 'main', type: 'full' };
  const { id } = await post<{ readonly id: string }>(`${url}/api/v1/jobs`, headers, asked);
  return async () => {
    const job = (await (await fetch(`${url}/api/v1/jobs/${id}`, { headers })).json()) as {
      readonly state: string;
      readonly duration_seconds: number | null;
    };
    return `${job.state} in ${job.duration_seconds?.toFixed(1) ?? '?'} s`;
  };
}

/** What `look` sees again and again until that has ended. */
async function sampled<Seen>(look: () => Seen, until: Promise<unknown>): Promise<readonly Seen[]> {
  const seen = [look()];
  for (let ended = false; !ended; ) {
    ended = await Promise.race([until.then(() => true), pause(SAMPLE_MS, false)]);
    seen.push(look());
  }
  return seen;
}

/** Bytes that are resident, and the process's share of them: of a page that several have, a part. */
interface Memory {
  readonly resident: number;
  readonly share: number;
}

function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  return { resident: of('Rss'), share: of('Pss') };
}

/** In the user's and the kernel's mode (proc(5), fields 14 and 15). */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
}

function percent(core: number): string {
  return `${(core * 100).toFixed(2)} %`;
}

function largest(seen: readonly number[]): number {
  return seen.reduce((most, each) => Math.max(most, each), 0);
}

function quarters(seen: readonly number[]): readonly number[] {
  return Array.from({ length: QUARTERS }, (_, at) => seen[Math.ceil((seen.length * (at + 1)) / QUARTERS) - 1] ?? 0);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
