// `npm run monitor [-- --port <n>] [--backfill <hours>]`
//
// Starts the protected system as somebody would try it: a PostgreSQL of the lab's, the service with its page, and the
// simulator, which sends the last day and then goes on as time does. Lines typed here go to the simulator (`leak J12 80`);
// `outage` kills the database and `recover` starts it again. Ctrl-C ends and removes everything.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type LabCluster, startCluster } from '@spillway/lab';
import { finished, listening, makeDatabase, makeTokens, node, ROLES, stop } from './monitor/processes.ts';

const DEFAULT_PORT = '8000';
const usage = 'usage: npm run monitor -- [--port <n>] [--backfill <hours>]';

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
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
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
  stack.defer(() => log.close());
  const service = node(['main.ts', 'serve'], environment, ['ignore', 'pipe', 'inherit']);
  stack.defer(() => stop(service));
  const url = await listening(service, log.createWriteStream({ autoClose: false }));
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
  const lines = obey(cluster, simulator);
  stack.defer(() => {
    lines.close();
    // Else an open terminal keeps this process.
    process.stdin.destroy();
  });
  const [who] = await Promise.race([
    once(signal, 'abort').then(() => [undefined] as const),
    once(service, 'exit').then(() => ['the monitor'] as const),
    once(simulator, 'exit').then(() => ['the simulator'] as const),
  ]);
  if (who !== undefined && !signal.aborted) throw new Error(`${who} ended by itself; the log is above or in its file`);
  process.stdout.write('\nending everything …\n');
  // In peace, the sender first.
  await stop(simulator);
  await stop(service);
  return 0;
}

/** Lines of the terminal: to the database, or to the simulator. */
function obey(cluster: LabCluster, simulator: ChildProcess): Interface {
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
  return lines;
}
