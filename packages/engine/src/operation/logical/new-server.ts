// A new server to restore a dump into: initdb in an empty folder, and started.
//
// 1. The folder must be empty or not there. As root the server belongs to the folder's owner, or to the account `postgres`,
//    because PostgreSQL refuses to run as root.
// 2. Its socket lies in the data directory, which only its owner may enter, and lets the superuser in without a password;
//    over the network, which is this machine alone until somebody changes it, everybody needs one.
// 3. It is started to stay. Where the restore fails it is stopped, and the folder is left to be looked at.

import { execFile } from 'node:child_process';
import { chown, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Report, SpillwayError } from '@spillway/contract';
import { makePassable, refuseClosedWay } from '../restore/passage.ts';
import { choosePort } from '../restore/port.ts';
import { findPrograms, type RunningServer, startServer } from '../../postgres/server.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { findDump } from './dumps.ts';
import { type DumpRestoreOptions, type DumpRestoreSummary, restoreDump } from './restore.ts';

const INITDB_TIMEOUT_MS = 5 * 60_000;

export interface NewServerOptions {
  /** Absolute path. */
  readonly folder: string;
  readonly major: number;
  /** By default 5432, or a free one where that is taken. */
  readonly port?: number;
  /** Its superuser. */
  readonly user: string;
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface NewServer {
  readonly connection: ConnectionSettings;
  readonly server: RunningServer;
  readonly logFile: string;
}

export interface RestoredServer {
  /** The data directory, and the folder of its socket. */
  readonly folder: string;
  readonly port: number;
  readonly user: string;
  readonly pid: number;
  readonly log_file: string;
}

/** Restores all of a dump, or the databases asked for, with roles and tablespaces, into a server made for it. */
export async function restoreDumpAnew(
  options: Omit<DumpRestoreOptions, 'target' | 'create' | 'clean' | 'globals'> & Omit<NewServerOptions, 'major'>,
): Promise<DumpRestoreSummary & { readonly server: RestoredServer }> {
  const { postgres_version: version } = await findDump(options);
  const made = await makeServer({ ...options, major: Math.floor(version / 10_000) });
  try {
    const restored = await restoreDump({
      ...options,
      target: made.connection,
      create: true,
      clean: false,
      globals: true,
    });
    const { folder, user } = options;
    const { port } = made.connection;
    return { ...restored, server: { folder, port, user, pid: made.server.pid, log_file: made.logFile } };
  } catch (error) {
    await made.server.stop('fast');
    throw error;
  }
}

/** Throws SPW_FOLDER_NOT_EMPTY, SPW_FOLDER_CLOSED, SPW_POSTGRES_PROGRAM, SPW_RESTORE_FAILED, and what starting throws. */
export async function makeServer(options: NewServerOptions): Promise<NewServer> {
  const { folder, major, user, signal, report } = options;
  const programs = await findPrograms({ ...options, major });
  const account = await emptyFolder(folder);
  await refuseClosedWay([folder], account, signal);
  report({ type: 'progress', phase: 'making a server', done_bytes: 0, detail: folder });
  const words = ['-D', folder, '-U', user, '-E', 'UTF8', '--locale=C', '--data-checksums'];
  try {
    await promisify(execFile)(
      join(programs.binDirectory, 'initdb'),
      [...words, '--auth-local=trust', '--auth-host=scram-sha-256'],
      { ...account, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, cwd: folder, timeout: INITDB_TIMEOUT_MS, signal },
    );
  } catch (cause) {
    signal.throwIfAborted();
    throw new SpillwayError('SPW_RESTORE_FAILED', `no server could be made in ${folder}`, { cause });
  }
  const port = options.port ?? (await choosePort(folder, report));
  const logFile = join(folder, 'spillway_restore.log');
  const server = await startServer({
    binDirectory: programs.binDirectory,
    dataDirectory: folder,
    port,
    socketDirectory: folder,
    logFile,
    settings: {},
    detached: true,
    signal,
  });
  try {
    await server.waitUntilReady({ signal });
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
  return { connection: { host: folder, port, user, database: 'postgres', ssl: 'disable' }, server, logFile };
}

/** Whom the server is to run as; undefined where that is us. */
async function emptyFolder(folder: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  await makePassable(dirname(folder));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [found] = await readdir(folder);
  if (found !== undefined) {
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `no server was made in ${folder}`, { why: `it holds ${found}` });
  }
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = await stat(folder);
  if (uid !== 0) return { uid, gid };
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = passwd.find(([name]) => name === 'postgres');
  if (account === undefined) {
    throw new SpillwayError('SPW_RESTORE_FAILED', `no server was made in ${folder}`, {
      why: 'PostgreSQL refuses to run as root, and there is no account postgres',
      hint: 'give the folder to the account that is to run the server',
    });
  }
  const owner = { uid: Number(account[2]), gid: Number(account[3]) };
  await chown(folder, owner.uid, owner.gid);
  return owner;
}
