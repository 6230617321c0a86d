// The monitor's processes, as somebody starts them who has a PostgreSQL: a role and a database, tokens in a file, the
// service and its simulator as children. For `npm run monitor` and its bench.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabCluster } from '@spillway/lab';

const app = join(import.meta.dirname, '../../apps/monitor/src');
export const ROLES = ['operator', 'read', 'ingest'] as const;

/** A role and a database of the monitor's own. Returns the service's settings. */
export async function makeDatabase(cluster: LabCluster, folder: string): Promise<Record<string, string>> {
  const password = randomBytes(18).toString('base64url');
  await cluster.query(`CREATE ROLE monitor LOGIN PASSWORD '${password}'`);
  await cluster.query('CREATE DATABASE water OWNER monitor');
  const urlFile = join(folder, 'database-url');
  await writeFile(urlFile, `postgres://monitor:${password}@${cluster.host}:${cluster.port}/water\n`, { mode: 0o600 });
  return {
    DATABASE_URL_FILE: urlFile,
    MONITOR_STATE: join(folder, 'state'),
    MONITOR_TOKENS_FILE: join(folder, 'tokens.json'),
  };
}

export async function makeTokens(folder: string): Promise<Readonly<Record<(typeof ROLES)[number], string>>> {
  const tokens = { operator: '', read: '', ingest: '' };
  for (const role of ROLES) tokens[role] = randomBytes(32).toString('base64url');
  const hashed = ROLES.map((role) => ({
    name: { operator: 'control-room', read: 'dashboard', ingest: 'telemetry' }[role],
    role,
    sha256: createHash('sha256').update(tokens[role]).digest('hex'),
  }));
  await writeFile(join(folder, 'tokens.json'), JSON.stringify(hashed), { mode: 0o600 });
  await writeFile(join(folder, 'token-ingest'), tokens.ingest, { mode: 0o600 });
  return tokens;
}

export function node(
  [program = '', ...words]: readonly string[],
  environment: Record<string, string>,
  stdio: ('ignore' | 'pipe' | 'inherit' | number)[],
): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning'];
  return spawn(process.execPath, [...flags, join(app, program), ...words], {
    env: { ...process.env, ...environment },
    // In a group of their own: Ctrl-C of the terminal is for the starter, which ends them in order.
    detached: true,
    stdio,
  });
}

export async function finished(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${child.spawnargs.slice(2).join(' ')} failed`);
}

/** The service's first line says where it listens; what follows is its log. */
export async function listening(service: ChildProcess, log: NodeJS.WritableStream): Promise<string> {
  if (service.stdout === null) throw new TypeError('the service was started without its output');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  service.once('exit', () => reject(new Error('the monitor did not start; what it said is above')));
  createInterface({ input: service.stdout }).on('line', (line) => {
    const { listening: url } = JSON.parse(line) as { listening?: string };
    if (url === undefined) log.write(`${line}\n`);
    else resolve(url);
  });
  return promise;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

/** One town, one main, and that many pressure gauges on it. */
export function networkOf(sensors: number): object {
  const position = { type: 'Point', coordinates: [27, -26] };
  const site = { kind: 'reservoir', municipality_id: 1, capacity_ml: 10, position };
  return {
    municipality: [{ id: 1, code: 'BEN10', name: 'Bench', province: 'Bench', population: 1000, position }],
    site: [1, 2].map((id) => ({ ...site, id, code: `R${id}`, name: `Reservoir ${id}` })),
    pipeline: [
      {
        id: 1,
        code: 'M1',
        name: 'Main',
        municipality_id: 1,
        from_site_id: 1,
        to_site_id: 2,
        material: 'steel',
        diameter_mm: 600,
        length_m: 1000,
        commissioned: '2000-01-01',
        geometry: {
          type: 'LineString',
          coordinates: [
            [27, -26],
            [27.1, -26],
          ],
        },
      },
    ],
    sensor: Array.from({ length: sensors }, (_, index) => ({
      id: index + 1,
      code: `P-${index + 1}`,
      kind: 'pressure',
      unit: 'kPa',
      municipality_id: 1,
      pipeline_id: 1,
      site_id: null,
      nominal_value: 800,
      daily_swing: 0.1,
      installed_on: '2020-01-01',
    })),
    metering_zone: [],
    zone_meter: [],
  };
}
