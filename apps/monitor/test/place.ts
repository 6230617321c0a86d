// What the integration tests share: a PostgreSQL server with a database of the monitor's own role, a small network, a
// folder for state, tokens, and a client of the API.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type LabCluster, startCluster } from '@spillway/lab';
import pg from 'pg';
import { hashToken, type Role, roles } from '../src/api/callers.ts';
import { migrate } from '../src/database/migrate.ts';
import type { NetworkDocument } from '../src/network/document.ts';
import { loadNetwork } from '../src/network/load.ts';
import { type Service, type ServiceOptions, startService } from '../src/service.ts';
import type { Settings } from '../src/settings.ts';

const WAIT_MS = 30_000;
const POLL_MS = 10;
const ROLE = 'monitor';

export const SENSORS = 12;

/** Two municipalities, one main between their reservoirs, and sensors of every kind. */
export const smallNetwork: NetworkDocument = {
  municipality: [municipality(1, 'NOR10', 'Northing', 27.1, -26.1), municipality(2, 'SOU11', 'Southing', 27.2, -26.3)],
  site: [site(1, 'RES1', 'reservoir', 1, 27.1, -26.1), site(2, 'RES2', 'reservoir', 2, 27.2, -26.3)],
  pipeline: [
    {
      id: 1,
      code: 'M1',
      name: 'North to south',
      municipality_id: 1,
      from_site_id: 1,
      to_site_id: 2,
      material: 'steel',
      diameter_mm: 600,
      length_m: 21_000,
      commissioned: '1998-05-04',
      geometry: {
        type: 'LineString',
        coordinates: [
          [27.1, -26.1],
          [27.14, -26.2],
          [27.2, -26.3],
        ],
      },
    },
  ],
  sensor: Array.from({ length: SENSORS }, (_, index) => {
    const kinds = ['pressure', 'flow', 'flow', 'level', 'chlorine', 'turbidity'] as const;
    const kind = kinds[index % kinds.length] ?? 'pressure';
    const onMain = kind === 'pressure' || kind === 'flow';
    return {
      id: index + 1,
      code: `S-${index + 1}`,
      kind,
      unit: { pressure: 'kPa', flow: 'l/s', level: '%', chlorine: 'mg/l', turbidity: 'NTU' }[kind],
      municipality_id: (index % 2) + 1,
      pipeline_id: onMain ? 1 : null,
      site_id: onMain ? null : 1,
      nominal_value: { pressure: 800, flow: 100, level: 70, chlorine: 0.8, turbidity: 0.3 }[kind],
      daily_swing: 0.1,
      installed_on: '2020-01-01',
    };
  }),
  metering_zone: [{ id: 1, name: 'Between north and south' }],
  zone_meter: [
    { zone_id: 1, sensor_id: 8, direction: 1 },
    { zone_id: 1, sensor_id: 9, direction: -1 },
  ],
};

function municipality(id: number, code: string, name: string, x: number, y: number) {
  const position = { type: 'Point' as const, coordinates: [x, y] as [number, number] };
  return { id, code, name, province: 'Testing', population: 1000, position };
}

function site(id: number, code: string, kind: 'reservoir', municipality_id: number, x: number, y: number) {
  const position = { type: 'Point' as const, coordinates: [x, y] as [number, number] };
  return { id, code, kind, name: `Reservoir ${id}`, municipality_id, capacity_ml: 20, position };
}

export interface Database {
  readonly cluster: LabCluster;
  readonly name: string;
  readonly url: string;
  /** A client of the superuser's. */
  readonly connect: () => Promise<pg.Client>;
}

/** A database on the cluster that belongs to a role without privileges, with the schema and the network in it. */
export async function makeDatabase(cluster: LabCluster, name: string, network = smallNetwork): Promise<Database> {
  await cluster.query(
    `DO $$ BEGIN CREATE ROLE ${ROLE} LOGIN PASSWORD 'monitor'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  await cluster.query(`CREATE DATABASE ${name} OWNER ${ROLE}`);
  const url = urlOf(cluster, name);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await migrate(client);
    await loadNetwork(client, network);
  } finally {
    await client.end();
  }
  return { cluster, name, url, connect: () => cluster.connect(name) };
}

export const urlOf = ({ host, port }: { readonly host: string; readonly port: number }, name: string): string =>
  `postgres://${ROLE}:monitor@${host}:${port}/${name}`;

export { startCluster };

export interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly urlFile: string;
  readonly tokens: Readonly<Record<Role, string>>;
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
}

/** A folder with tokens and a file that names the database. */
export async function makePlace(url: string, settings: Partial<Settings> = {}): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-'));
  const urlFile = join(folder, 'database-url');
  const tokensFile = join(folder, 'tokens.json');
  await writeFile(urlFile, `${url}\n`);
  const tokens = Object.fromEntries(roles.map((role) => [role, randomBytes(32).toString('base64url')])) as Record<
    Role,
    string
  >;
  await writeFile(
    tokensFile,
    JSON.stringify(roles.map((role) => ({ name: `${role}-1`, role, sha256: hashToken(tokens[role]) }))),
  );
  const stateFolder = join(folder, 'state');
  return {
    folder,
    urlFile,
    tokens,
    settings: {
      database: { file: urlFile },
      host: '127.0.0.1',
      port: 0,
      stateFolder,
      tokensFile,
      retentionDays: 7,
      spoolBytes: 16 * 1024 * 1024,
      databaseTimeoutMs: 8000,
      acceptSystem: undefined,
      requestsPerMinute: 100_000,
      logLevel: 'silent',
      ...settings,
    },
    environment: {
      DATABASE_URL_FILE: urlFile,
      MONITOR_PORT: '0',
      MONITOR_STATE: stateFolder,
      MONITOR_TOKENS_FILE: tokensFile,
      MONITOR_REQUESTS_PER_MINUTE: '100000',
      MONITOR_LOG_LEVEL: 'warn',
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export type Call = (method: 'GET' | 'POST', path: string, body?: unknown, role?: Role | null) => Promise<Answer>;

/** Calls the API as the role; null calls as a stranger. Reads as `read`, writes as `ingest` unless told otherwise. */
export const callerTo =
  (url: string, tokens: Place['tokens']): Call =>
  async (method, path, body, role = method === 'GET' ? 'read' : 'ingest') => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...(role === null ? {} : { authorization: `Bearer ${tokens[role]}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text };
  };

export interface Running extends AsyncDisposable {
  readonly service: Service;
  readonly call: Call;
}

/** The service in this process, ready unless its database is away. */
export async function startHere(place: Place, options: ServiceOptions = {}): Promise<Running> {
  const service = await startService(place.settings, options);
  return {
    service,
    call: callerTo(service.url, place.tokens),
    [Symbol.asyncDispose]: () => service.stop(),
  };
}

/** Waits for a condition, within reason. */
export async function until<Value>(told: string, look: () => Promise<Value | undefined | false>): Promise<Value> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`this did not come about within ${WAIT_MS / 1000} s: ${told}`);
    await pause(POLL_MS);
  }
}

export const untilReady = async (call: Call): Promise<void> => {
  await until('the service is ready', async () => (await call('GET', '/readyz')).status === 200);
};

/** A batch of one reading a sensor, `second` seconds ago. */
export function batchOf(key: string, secondsAgo: number, sensors = SENSORS, value = 50): object {
  const at = new Date(Date.now() - secondsAgo * 1000).toISOString();
  return {
    batch: key,
    readings: Array.from({ length: sensors }, (_, index) => ({ sensor_id: index + 1, at, value: value + index })),
  };
}
