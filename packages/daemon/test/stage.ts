// A real cluster, a real repository, and the service over both: in this process under a clock of the test's, or as a process
// of its own that can be killed.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobDocument, JobState } from '@spillway/contract';
import { parseConfiguration } from '@spillway/contract/schemas';
import { readStatus } from '@spillway/control';
import { openRepository, type Repository } from '@spillway/engine';
import { type LabCluster, startCluster } from '@spillway/lab';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { mainFile, makeWorkplace, type Workplace } from '../../cli/test/spawned.ts';
export { systemClock } from '../src/clock.ts';
import { type Clock, type Service, startService, type Watch } from '../src/index.ts';

const PASSPHRASE = 'the passphrase of the tests of the service';
const WAIT_MS_MAX = 60_000;
const POLL_MS = 15;

/** A clock that stands until somebody sets it. */
export class ManualClock implements Clock {
  #now: number;
  readonly #waiting = new Set<{ readonly at: number; readonly resolve: () => void }>();

  constructor(now: number) {
    this.#now = now;
  }

  readonly now = (): number => this.#now;

  readonly until = (at: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted || at <= this.#now) return resolve();
      const waiter = { at, resolve };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', () => {
        this.#waiting.delete(waiter);
        resolve();
      });
    });

  set(to: number): void {
    this.#now = to;
    for (const waiter of this.#waiting) {
      if (waiter.at > to) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

export async function waitFor<Found>(what: string, look: () => Found | Promise<Found>): Promise<NonNullable<Found>> {
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    assert.ok(performance.now() < deadline, `${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What of a watch is of no matter to a test. */
export const sightless: Omit<Watch, 'status'> = {
  servers: () => Promise.resolve([]),
  places: () => Promise.resolve([]),
  certificates: () => Promise.resolve([]),
};

export interface Stage extends AsyncDisposable {
  readonly place: Workplace;
  readonly cluster: LabCluster;
  readonly stateFolder: string;
  /** Starts the service here, under `clock`, with settings laid over those of the file. */
  readonly start: (clock: Clock, over?: Overlay) => Promise<Running>;
  /** Writes the configuration that processes read. */
  readonly configure: (over?: Overlay) => Promise<void>;
}

export interface Overlay {
  readonly service?: object;
  readonly schedules?: object;
  readonly clusters?: readonly string[];
}

export interface Running {
  readonly service: Service;
  readonly log: string[];
  /** The token that the first start wrote. */
  readonly token: string;
  readonly stop: () => Promise<void>;
}

const NOTHING_BY_ITSELF = {
  full: 'never',
  incremental: 'never',
  schema: 'never',
  verify_structure: 'never',
  verify_data: 'never',
  verify_restore: 'never',
  drill: 'never',
  anomalies: 'never',
  expire: 'never',
  copy: 'never',
  receive: false,
  time_zone: 'UTC',
};

export async function makeStage(): Promise<Stage> {
  const cluster = await startCluster({ walSegmentMegabytes: 1 });
  const { host, port, user, password } = cluster.connection;
  const place = await makeWorkplace({ passphrase: PASSPHRASE, password });
  const stateFolder = join(place.folder, 'state');
  const raw = ({ service, schedules, clusters = ['water'] }: Overlay): object => ({
    repository: { path: 'repository', passphrase: { file: 'passphrase' } },
    clusters: Object.fromEntries(
      clusters.map((name) => [
        name,
        {
          connection: { host, port, user, password: { file: 'password' } },
          backup: { workers: 1, compression_level: 1 },
          schedules: { ...NOTHING_BY_ITSELF, ...schedules },
        },
      ]),
    ),
    service: { port: 0, state_directory: 'state', requests_per_minute: 100_000, ...service },
  });
  const configure = (over: Overlay = {}): Promise<void> =>
    // JSON is YAML.
    writeFile(join(place.folder, 'spillway.yaml'), JSON.stringify(raw(over), undefined, 2));
  await configure();
  const init = await place.run(['init']);
  assert.equal(init.code, 0, init.stderr);
  await lightenPassphrase(place.folder);
  const running: Running[] = [];

  const start = async (clock: Clock, over: Overlay = {}): Promise<Running> => {
    await configure(over);
    const parsed = parseConfiguration(raw(over));
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const log: string[] = [];
    const open = (signal: AbortSignal): Promise<Repository> =>
      openRepository({
        location: { kind: 'filesystem', path: join(place.folder, 'repository') },
        secret: { kind: 'passphrase', passphrase: PASSPHRASE },
        signal,
      });
    let watched: Promise<Repository> | undefined;
    const service = await startService({
      version: '0.1.0',
      configuration: parsed.configuration,
      shown: { file: null, settings: [{ path: 'repository.path', value: 'repository', origin: 'test' }] },
      stateFolder,
      resolvePath: (_path, value) => join(place.folder, value),
      launch: {
        command: process.execPath,
        words: [mainFile, '--config', join(place.folder, 'spillway.yaml')],
        directory: place.folder,
        environment: { PATH: process.env['PATH'] ?? '', TZ: 'UTC' },
      },
      openRepository: open,
      watch: {
        ...sightless,
        status: (name, signal) =>
          readStatus({
            cluster: name,
            places: [{ name: 'repository', required: true, open: () => (watched ??= open(signal)) }],
            source: { connection: cluster.connection, slot: `spillway_${name}` },
            stateFile: () => join(place.folder, 'no-canary'),
            objectives: { rpoSeconds: 900, rtoSeconds: 3600 },
            copyPolicy: 'all',
            canaryIntervalSeconds: null,
            now: () => new Date(clock.now()),
            signal,
          }),
      },
      logStream: { write: (line) => void log.push(line) },
      logLevel: 'info',
      clock,
      endWithinMs: 2000,
    });
    const token = (await readFile(join(stateFolder, 'first-token'), 'utf8')).trim();
    const one: Running = { service, log, token, stop: service.stop };
    running.push(one);
    return one;
  };

  return {
    place,
    cluster,
    stateFolder,
    start,
    configure,
    [Symbol.asyncDispose]: async () => {
      for (const { stop } of running) await stop();
      await place[Symbol.asyncDispose]();
      await cluster.destroy();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}

export type Method = 'GET' | 'POST' | 'DELETE';

/** Calls the API without a socket. */
export async function call(
  { service, token }: Running,
  method: Method,
  url: string,
  of: {
    readonly body?: object | string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly token?: string | null;
  } = {},
): Promise<Answer> {
  const shown = of.token === undefined ? token : of.token;
  const answer = await service.api.inject({
    method,
    url,
    headers: { ...(shown === null ? {} : { authorization: `Bearer ${shown}` }), ...of.headers },
    ...(of.body === undefined ? {} : { payload: of.body }),
  });
  const isJson = /json/.test(String(answer.headers['content-type']));
  return { status: answer.statusCode, body: isJson ? answer.json() : answer.body, headers: answer.headers };
}

/** A good answer's body. */
export async function ask<Body>(running: Running, method: Method, url: string, body?: object): Promise<Body> {
  const answer = await call(running, method, url, body === undefined ? {} : { body });
  assert.ok(answer.status < 300, `${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body as Body;
}

/** The newest job of a schedule, or of that id, once it is in one of the states. */
export const jobThatIs = (
  running: Running,
  which: { readonly schedule: string; readonly cluster?: string } | { readonly id: string },
  ...states: readonly JobState[]
): Promise<JobDocument> =>
  waitFor(`a job ${JSON.stringify(which)} that is ${states.join(' or ')}`, () => {
    const { jobs, runner } = running.service.parts;
    const job = 'id' in which ? jobs.find(which.id) : jobs.list({ ...which, limit: 1 })[0];
    return job !== undefined && states.includes(job.state) ? runner.documentOf(job) : undefined;
  });
