// Seeded points on the wire: pieces of work on a repository in a bucket, while a proxy harms the requests of it.
//
// A point is one piece of work, or two at once, and a plan of faults: some of the nine that the proxy knows, each with its
// chance; the connection lost for a while; a server that from some request on answers 503 for good; or, at the storage
// interface itself, puts that fail, or a store that is full or gone from some call on. With `two-processes` another process
// expires and collects while this one backs up, its clock up to an hour off, and is killed now and then. After each, over a
// wire that is sound again:
//   1  the work is done, or failed with an error of the table that is no SPW_INTERNAL
//   2  every backup that was said to be made is listed, unless an expiry may have removed it
//   3  WAL that a receiver confirmed is stored, without a gap
//   4  now and then, and at the end: all that is listed is read whole, here and at the copy, and is as it should be

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { type FaultProxy, type Random, seededPlan, type WireFault, wireFaults } from '@spillway/lab';
import { checkWal, copy, expire, listBackups, Repository, verify } from '../src/index.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import { type S3Location, type StorageLocation, storageVerbs } from '../src/storage/port.ts';
import type { Stage } from './operation-stage.ts';
import { processFile } from './process-file.ts';
import type { ElsewhereGiven, ElsewhereTold } from './wire-process.ts';

export const pieces = [
  'full',
  'incremental',
  'receive',
  'expire',
  'copy',
  'verify',
  'restore',
  'backup-and-expire',
  'two-processes',
] as const;
export type Piece = (typeof pieces)[number];

const KEPT = 3;
const VERIFY_EVERY = 10;
const HOUR_MS = 3_600_000;
const QUIET = { signal: new AbortController().signal, report: () => undefined };

export interface WirePoints {
  readonly stage: Stage;
  readonly proxy: FaultProxy;
  /** Of the repository, through the proxy. */
  readonly location: S3Location;
  /** A folder that holds, or will hold, a copy. */
  readonly place: StorageLocation;
  readonly random: Random;
  readonly points: number;
  readonly tell?: (line: string) => void;
}

export interface WireTold {
  /** `full: done`, `receive: SPW_STORAGE_UNREACHABLE`, … */
  readonly ends: ReadonlyMap<string, number>;
  readonly faults: number;
  readonly requests: number;
  readonly verified: number;
}

export async function playWirePoints(options: WirePoints): Promise<WireTold> {
  const { stage, proxy, random, points, tell = () => undefined } = options;
  const ends = new Map<string, number>();
  const state: State = { options, made: new Set(), durable: 0n, copied: false, row: 0 };
  const [faultsBefore, requestsBefore] = [count(proxy), proxy.requests];
  let verified = 0;
  for (let point = 1; point <= points; point++) {
    const piece = random.pick(pieces);
    const work = drawTrouble(random, proxy);
    const location = { ...options.location, ...work.location };
    const repository = new Repository({ ...stage.repository.handle, location });
    let end = 'done';
    let words = '';
    const trouble = work.begin();
    try {
      await play(piece, state, repository, work.corrupts);
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERNAL') throw withPoint(error, point, piece);
      end = error.code;
      words = `: ${error.message}${error.why === undefined ? '' : `: ${error.why}`}`;
    }
    await trouble.end();
    ends.set(`${piece}: ${end}`, (ends.get(`${piece}: ${end}`) ?? 0) + 1);
    tell(`${point}  ${piece} beside ${work.told}: ${end}${words}`);
    try {
      await check(state, point % VERIFY_EVERY === 0 || point === points);
      if (point % VERIFY_EVERY === 0 || point === points) verified += 1;
    } catch (error) {
      throw withPoint(error, point, piece);
    }
  }
  return { ends, faults: count(proxy) - faultsBefore, requests: proxy.requests - requestsBefore, verified };
}

interface State {
  readonly options: WirePoints;
  /** Said to be made, and not removed on purpose. */
  readonly made: Set<string>;
  durable: bigint;
  copied: boolean;
  row: number;
}

/** `corrupts`: bytes of answers are changed, in lists too, where nothing can tell. Then damage may be told that is none. */
async function play(piece: Piece, state: State, repository: Repository, corrupts: boolean): Promise<void> {
  const { stage, place, random } = state.options;
  const { name } = stage;
  switch (piece) {
    case 'full':
    case 'incremental':
      await write(state);
      state.made.add((await stage.backup({ repository, type: piece })).id);
      return;
    case 'receive':
      return receive(state, repository);
    case 'expire':
      return expireSome(state, repository);
    case 'copy': {
      const policy = { minimumProven: 1, keepCount: KEPT };
      await copy({ ...QUIET, source: repository, target: place, clusters: [{ name, policy }], workers: 1 });
      state.copied = true;
      return;
    }
    case 'verify': {
      const { result, findings } = await verify({ ...QUIET, repository, cluster: name, level: 'data', workers: 2 });
      if (!corrupts) assert.deepEqual([result, findings], ['passed', []]);
      return;
    }
    case 'restore': {
      const before = stage.repository;
      stage.repository = repository;
      try {
        await stage.lay(await stage.plan({ target: { kind: 'immediate' } }), 'false');
      } finally {
        stage.repository = before;
      }
      return;
    }
    case 'backup-and-expire': {
      await write(state);
      const other = new Repository(repository.handle);
      // Two hosts, whose clocks differ by up to an hour.
      const results = await Promise.allSettled([
        stage.backup({ repository, type: random.pick(['full', 'incremental']) }),
        expireSome(state, other),
      ]);
      const [made] = results;
      if (made.status === 'fulfilled') state.made.add(made.value.id);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return;
    }
    case 'two-processes': {
      await write(state);
      const killAfterMs = random.next() < 0.4 ? random.between(100, 2500) : undefined;
      const [made, other] = await Promise.allSettled([
        stage.backup({ repository, type: random.pick(['full', 'incremental']) }),
        expireElsewhere(state, killAfterMs),
      ]);
      if (made.status === 'fulfilled') state.made.add(made.value.id);
      for (const result of [made, other]) if (result.status === 'rejected') throw result.reason;
    }
  }
}

/** Resolves too where the other process was killed. */
async function expireElsewhere(state: State, killAfterMs: number | undefined): Promise<void> {
  const { location, stage, random } = state.options;
  await allowExpiry(state);
  const given: ElsewhereGiven = {
    location: { ...location, connectTimeoutMs: 300, requestTimeoutMs: 500, retryBudgetMs: 20_000 },
    cluster: stage.name,
    kept: KEPT,
    skewMs: random.between(-HOUR_MS, HOUR_MS),
  };
  const script = processFile(join(import.meta.dirname, 'wire-process.ts'));
  const child = spawn(process.execPath, [script, JSON.stringify(given)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  try {
    const said = await text(child.stdout);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (child.signalCode === 'SIGKILL') return;
    const { code, message } = JSON.parse(said) as ElsewhereTold;
    if (code !== null) throw new SpillwayError(code, message);
  } finally {
    clearTimeout(timer);
  }
}

/** Something for the next backup and for WAL. */
async function write(state: State): Promise<void> {
  state.row += 1;
  await state.options.stage.cluster.query(
    `INSERT INTO wire SELECT ${state.row}, md5((n * ${state.row})::text) FROM generate_series(1, 300) AS n`,
  );
}

async function receive(state: State, repository: Repository): Promise<void> {
  const { stage, random } = state.options;
  const receiving = stage.receive({ repository });
  const failed = new AbortController();
  receiving.ended.catch((error: unknown) => failed.abort(error));
  for (let n = random.between(2, 6); n > 0 && !failed.signal.aborted; n--) {
    await write(state);
    if (random.next() < 0.5) await stage.cluster.query('SELECT pg_switch_wal()');
    await pause(random.between(20, 200));
  }
  const failure: unknown = failed.signal.reason;
  // Told to end, it may end by that word alone.
  await receiving.stop().catch(() => undefined);
  const confirmed = parseLsn(receiving.position()?.durable_lsn ?? '') ?? 0n;
  if (confirmed > state.durable) state.durable = confirmed;
  if (failure !== undefined) throw failure;
}

async function expireSome(state: State, repository: Repository): Promise<void> {
  const { stage, random } = state.options;
  await allowExpiry(state);
  const skewMs = random.between(-HOUR_MS, HOUR_MS);
  await expire({
    ...QUIET,
    repository,
    cluster: stage.name,
    policy: { minimumProven: 1, keepCount: KEPT },
    now: () => new Date(Date.now() + skewMs),
    graceMs: 0,
    repackBelow: 0.5,
    repackBytesMax: 1e9,
    lockWaitMs: 200,
  });
}

/** Whatever it comes to: these it may remove, where a backup that ends beside it is the newest by then. */
async function allowExpiry({ options, made }: State): Promise<void> {
  const { repository, name: cluster } = options.stage;
  const listed = await listBackups({ repository, cluster });
  for (const { id } of listed.slice(0, 1 - KEPT)) made.delete(id);
}

/** Over a sound wire. */
async function check(state: State, whole: boolean): Promise<void> {
  const { stage, place } = state.options;
  const { repository, name: cluster } = stage;
  const listed = new Set((await listBackups({ repository, cluster })).map(({ id }) => id));
  for (const id of state.made) assert.ok(listed.has(id), `backup ${id} is not listed any more`);
  const wal = await checkWal({ repository, cluster });
  assert.deepEqual([wal.gaps, wal.backups_without_wal], [[], []]);
  const stored = wal.timelines.reduce((last, { last_lsn: at }) => {
    const lsn = parseLsn(at) ?? 0n;
    return lsn > last ? lsn : last;
  }, 0n);
  assert.ok(stored >= state.durable, `WAL was confirmed up to ${state.durable}, and is stored up to ${stored}`);
  if (!whole) return;
  const places = [repository, ...(state.copied ? [new Repository({ ...repository.handle, location: place })] : [])];
  for (const each of places) {
    const told = await verify({ ...QUIET, repository: each, cluster, level: 'data', all: true, workers: 2 });
    assert.deepEqual([each.storage.description, told.result, told.findings], [each.storage.description, 'passed', []]);
  }
}

interface Trouble {
  readonly told: string;
  readonly corrupts: boolean;
  readonly location: Partial<S3Location> & Pick<StorageLocation, 'fault'>;
  begin(): { end(): Promise<void> };
}

/** At the interface, where no wire is: what a store says for itself. */
function drawInterfaceTrouble(random: Random): Trouble {
  const begin: Trouble['begin'] = () => ({ end: async () => undefined });
  const seed = random.between(1, 2 ** 31);
  const what = random.pick(['full', 'unreachable'] as const);
  if (random.next() < 0.5) {
    const putFailure = random.between(2, 20) / 100;
    const fault = { seed, putFailure, failure: what };
    return { told: `puts that fail, ${what} ${putFailure}`, corrupts: false, location: { fault }, begin };
  }
  const call = random.between(1, 80);
  const counter = new SharedArrayBuffer(4);
  const fault = { seed, atCall: { verbs: storageVerbs, call, what, counter } };
  return { told: `a store that is ${what} from call ${call} on`, corrupts: false, location: { fault }, begin };
}

function drawTrouble(random: Random, proxy: FaultProxy): Trouble {
  if (random.next() < 0.25) return drawInterfaceTrouble(random);
  const chances = Object.fromEntries(
    Array.from({ length: random.between(1, 4) }, (): [WireFault, number] => [
      random.pick(wireFaults),
      random.between(1, 6) / 100,
    ]),
  );
  const plan = seededPlan(random, chances);
  const told = Object.entries(chances).map(([fault, chance]) => `${fault} ${chance}`);
  const patient = { connectTimeoutMs: 300, requestTimeoutMs: 500, retryBudgetMs: 20_000 };
  const heal = (): void => {
    proxy.plan = () => undefined;
    proxy.mend();
  };
  const kind = random.pick(['wire', 'wire', 'wire', 'cut', 'gone']);
  const after = random.between(1, 60);
  if (kind === 'gone') {
    return {
      told: `503 for good after ${after} requests`,
      corrupts: false,
      location: { ...patient, retryBudgetMs: 200 },
      begin() {
        let seen = 0;
        proxy.plan = () => (++seen > after ? 'slow-down' : undefined);
        return { end: async () => heal() };
      },
    };
  }
  const awayMs = random.between(200, 1500);
  return {
    told: kind === 'cut' ? `no connection for ${awayMs} ms after ${after} requests` : told.join(', '),
    corrupts: kind === 'wire' && chances['corrupt-answer'] !== undefined,
    location: patient,
    begin() {
      let mended: Promise<void> | undefined;
      let seen = 0;
      proxy.plan = (request) => {
        if (kind === 'cut' && ++seen === after) {
          proxy.cut();
          mended = pause(awayMs).then(() => proxy.mend());
        }
        return kind === 'cut' ? undefined : plan(request);
      };
      return {
        async end() {
          await mended;
          heal();
        },
      };
    },
  };
}

const count = ({ happened }: FaultProxy): number => Object.values(happened).reduce((sum, each) => sum + each, 0);

const withPoint = (cause: unknown, point: number, piece: Piece): Error =>
  new Error(`point ${point}, ${piece}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
