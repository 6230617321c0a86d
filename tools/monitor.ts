// `npm run monitor [-- --port <n>] [--backfill <hours>]`
//
// Starts the protected system as somebody would try it: a PostgreSQL of the lab's, the service with its page, and the
// simulator, which sends the last day and then goes on as time does. Lines typed here go to the simulator (`leak J12 80`);
// `outage` kills the database and `recover` starts it again. Ctrl-C ends and removes everything.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type LabCluster, startCluster } from '@spillway/lab';

const DEFAULT_PORT = '8000';
const usage = 'usage: npm run monitor -- [--port <n>] [--backfill <hours>]';
const app = join(import.meta.dirname, '../apps/monitor/src');
const ROLES = ['operator', 'read', 'ingest'] as const;

process.exitCode = await main();

async function main(): Promise<number> {
  let words: { readonly port: string; readonly backfill: string };
  try {
    const text = { type: 'string' } as const;
    const options = { port: { ...text, default: DEFAULT_PORT }, backfill: { ...text, default: '24' } };
    words = parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return 2;
  }
  const ended = new AbortController();
  let signals = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      signals += 1;
      // The second one ends at once; the lab still kills its server on the way out.
      if (signals > 1) process.exit(130);
      ended.abort();
    });
  }
  await using stack = new AsyncDisposableStack();
  try {
    return await run(words, stack, ended);
  } catch (error) {
    if (ended.signal.aborted) return 0;
    process.stderr.write(`monitor: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function run(
  { port, backfill }: { readonly port: string; readonly backfill: string },
  stack: AsyncDisposableStack,
  ended: AbortController,
): Promise<number> {
  const { signal } = ended;
  const folder = await mkdtemp(join(tmpdir(), 'water-monitor-'));
  // The server's account, where it is another than ours, must get through to its own folder.
  await chmod(folder, 0o755);
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  process.stdout.write('starting PostgreSQL, the monitor and its simulator …\n');
  const cluster = stack.use(await startCluster({ directory: join(folder, 'postgresql'), signal }));
  const environment = { ...(await makeDatabase(cluster, folder)), MONITOR_PORT: port };
  const tokens = await makeTokens(folder);

  const network = join(folder, 'network.json');
  const file = await open(network, 'w');
  await finished(node(['simulator/main.ts', 'catalogue'], environment, ['ignore', file.fd, 'inherit']));
  await file.close();
  await finished(node(['main.ts', 'load', network], environment, ['ignore', 'ignore', 'inherit']));

  const log = await open(join(folder, 'monitor.log'), 'a');
  const service = node(['main.ts', 'serve'], environment, ['ignore', 'pipe', 'inherit']);
  stack.defer(() => stop(service));
  const url = await listening(service, log.createWriteStream());
  const simulator = node(
    ['simulator/main.ts', 'run', '--url', url, '--token-file', join(folder, 'token-ingest'), '--backfill', backfill],
    environment,
    ['pipe', 'ignore', 'inherit'],
  );
  stack.defer(() => stop(simulator));
  process.stdout.write(`
  page       ${url}/#token=${tokens.operator}
  health     ${url}/api/v1/monitoring/health
  OpenAPI    ${url}/openapi.json
  tokens     ${ROLES.map((role) => `${role} ${tokens[role]}`).join('\n             ')}
  database   ${cluster.host}:${cluster.port}, its files and all else in ${folder}
  log        ${join(folder, 'monitor.log')}

Type to intervene: leak J12 80, trip P5, fail P-J12 silent, mend J12; outage, recover. Ctrl-C ends everything.

`);
  obey(cluster, simulator);
  const [who] = await Promise.race([
    once(signal, 'abort').then(() => [undefined] as const),
    once(service, 'exit').then(() => ['the monitor'] as const),
    once(simulator, 'exit').then(() => ['the simulator'] as const),
  ]);
  if (who !== undefined && !signal.aborted) throw new Error(`${who} ended by itself; the log is above or in its file`);
  process.stdout.write('\nending everything …\n');
  // The terminal's Ctrl-C reached the children too; they end in peace, the sender first.
  await stop(simulator);
  await stop(service);
  await log.close().catch(() => undefined);
  return 0;
}

/** A role and a database of the monitor's own. Returns the service's settings. */
async function makeDatabase(cluster: LabCluster, folder: string): Promise<Record<string, string>> {
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

async function makeTokens(folder: string): Promise<Readonly<Record<(typeof ROLES)[number], string>>> {
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

function node(
  [program = '', ...words]: readonly string[],
  environment: Record<string, string>,
  stdio: ('ignore' | 'pipe' | 'inherit' | number)[],
): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning'];
  return spawn(process.execPath, [...flags, join(app, program), ...words], {
    env: { ...process.env, ...environment },
    stdio,
  });
}

async function finished(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${child.spawnargs.slice(2).join(' ')} failed`);
}

/** The service's first line says where it listens; what follows is its log. */
async function listening(service: ChildProcess, log: NodeJS.WritableStream): Promise<string> {
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

/** Lines of the terminal: to the database, or to the simulator. */
function obey(cluster: LabCluster, simulator: ChildProcess): void {
  const tell = (message: string): void => void process.stdout.write(`${message}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const word = line.trim();
    if (word === 'outage') {
      cluster.kill().then(
        () => tell('the database got SIGKILL; batches go to the spool now'),
        (error: unknown) => tell(String(error)),
      );
    } else if (word === 'recover') {
      cluster.start().then(
        () => tell('the database runs again'),
        (error: unknown) => tell(String(error)),
      );
    } else simulator.stdin?.write(`${line}\n`);
  });
  process.stdin.unref();
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
