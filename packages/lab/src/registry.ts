// Named labs that outlive the process that made them, for `spillway lab`.
//
// A lab is a folder <folder>/<name>: lab.json (where its server is), passphrase, password and pgpass (0600),
// spillway.yaml ready for use, an empty folder for the repository, and the cluster itself. The cluster lies
// elsewhere where the account that runs the server could not enter this folder.
// Invariant: lab.json is written last and by rename, so a lab that is listed is whole.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Report, SpillwayError } from '@spillway/contract';
import { type ServerAccount, serverAccount } from './account.ts';
import { adoptCluster, type LabCluster, type LabConnection, startCluster } from './cluster.ts';
import { foldersOfPrograms, hasDumpPrograms } from './dump-programs.ts';
import { chooseInstallation } from './installations.ts';
import { runningPostmaster } from './postmaster.ts';

/** As somebody would set them who has read what `spillway doctor` says. */
const SETTINGS = { max_slot_wal_keep_size: '4GB' } as const;

export interface LabName {
  /** The folder in which the caller keeps labs. */
  readonly folder: string;
  readonly name: string;
}

export interface LabUpOptions extends LabName {
  /** Where the cluster goes; by default into the lab's own folder. */
  readonly directory?: string;
  readonly major?: number;
  readonly port?: number;
  readonly signal?: AbortSignal;
  readonly report?: Report;
}

/** lab.json, and what `labList` tells. */
export interface LabState {
  readonly name: string;
  readonly created_at: string;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly config_file: string;
  readonly cluster_directory: string;
  readonly data_directory: string;
  readonly socket_directory: string;
  readonly log_file: string;
  readonly bin_directory: string;
  readonly password_file: string;
}

export interface LabStatus extends LabState {
  /** The postmaster; null while the server is down. */
  readonly pid: number | null;
}

/** Makes the lab and starts its server, or starts the server of one that is there. */
export async function labUp(options: LabUpOptions): Promise<LabStatus> {
  const known = await readState(options);
  if (known === undefined) return makeLab(options);
  options.report?.({ type: 'notice', level: 'info', message: `The lab ${options.name} is there already.` });
  const cluster = await openLab(options);
  await cluster.start(options.signal);
  return { ...known, pid: cluster.pid ?? null };
}

/** Stops the server. Removes the lab with all that is in it, its repository too, unless `keep` is set. */
export async function labDown(options: LabName & { readonly keep?: boolean }): Promise<LabState> {
  const state = await knownState(options);
  // Somebody may have removed the data directory by hand; then there is nothing to stop.
  const cluster = (await isThere(state.data_directory)) ? await openLab(options) : undefined;
  if (options.keep === true) {
    await cluster?.stop('fast');
    return state;
  }
  await cluster?.destroy();
  // The cluster's folder may lie elsewhere, and may be one that the caller had before: only what is ours goes.
  await rm(state.socket_directory, { recursive: true, force: true });
  await rm(join(state.cluster_directory, 'password'), { force: true });
  if ((await readdir(state.cluster_directory).catch(noneIfAbsent)).length === 0) {
    await rm(state.cluster_directory, { recursive: true, force: true });
  }
  await rm(state.directory, { recursive: true, force: true });
  return state;
}

/** Every lab of the folder, by name. */
export async function labList(options: { readonly folder: string }): Promise<readonly LabStatus[]> {
  const entries = await readdir(options.folder, { withFileTypes: true }).catch(noneIfAbsent);
  const labs: LabStatus[] = [];
  for (const entry of entries.filter((found) => found.isDirectory())) {
    const state = await readState({ folder: options.folder, name: entry.name });
    if (state === undefined) continue;
    labs.push({ ...state, pid: (await runningPostmaster(state.data_directory))?.pid ?? null });
  }
  return labs.toSorted((left, right) => left.name.localeCompare(right.name));
}

/** How to connect to the lab's server; it need not run. */
export async function labConnection(options: LabName): Promise<LabConnection> {
  const { host, port, user, password_file } = await knownState(options);
  return { host, port, user, password: (await readFile(password_file, 'utf8')).trim(), database: 'postgres' };
}

/** The lab's cluster as an object; it lives on when this process ends. */
export async function openLab(options: LabName): Promise<LabCluster> {
  const state = await knownState(options);
  return adoptCluster({
    dataDirectory: state.data_directory,
    binDirectory: state.bin_directory,
    socketDirectory: state.socket_directory,
    logFile: state.log_file,
    port: state.port,
    user: state.user,
    password: (await readFile(state.password_file, 'utf8')).trim(),
    persistent: true,
  });
}

/** The state of a lab that must be there; throws SPW_LAB where it is not. */
export async function knownState(options: LabName): Promise<LabState> {
  const state = await readState(options);
  if (state !== undefined) return state;
  throw new SpillwayError('SPW_LAB', `there is no lab named ${options.name}`, { hint: 'spillway lab up' });
}

async function makeLab(options: LabUpOptions): Promise<LabStatus> {
  const { folder, name, signal, report } = options;
  if (!/^[a-z][a-z0-9_-]{0,30}$/.test(name)) {
    throw new SpillwayError('SPW_USAGE', `${name} cannot be the name of a lab`, {
      hint: 'use lower-case letters, digits, - and _, at most 31, a letter first',
    });
  }
  const directory = join(resolve(folder), name);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  report?.({ type: 'progress', phase: 'making the cluster', done_bytes: 0 });
  const installation = await chooseInstallation(options.major === undefined ? {} : { major: options.major });
  const cluster = await startCluster({
    directory: options.directory === undefined ? await clusterPlace(directory) : resolve(options.directory),
    persistent: true,
    settings: installation.major >= 17 ? { ...SETTINGS, summarize_wal: 'on' } : SETTINGS,
    installation,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const state: LabState = {
      name,
      created_at: new Date().toISOString(),
      version: cluster.installation.version,
      host: cluster.host,
      port: cluster.port,
      user: cluster.user,
      directory,
      config_file: join(directory, 'spillway.yaml'),
      cluster_directory: cluster.directory,
      data_directory: cluster.dataDirectory,
      socket_directory: cluster.socketDirectory,
      log_file: cluster.logFile,
      bin_directory: cluster.installation.binDirectory,
      password_file: join(directory, 'password'),
    };
    // A repository's folder that is missing counts as a disk that is not mounted, so `init` does not make it.
    await mkdir(join(directory, 'repository'), { recursive: true, mode: 0o700 });
    // Below it the service may restore.
    await mkdir(join(directory, 'restores'), { recursive: true, mode: 0o755 });
    await writeFile(state.password_file, `${cluster.password}\n`, { mode: 0o600 });
    await writeFile(join(directory, 'pgpass'), `*:*:*:*:${cluster.password}\n`, { mode: 0o600 });
    await writeFile(join(directory, 'passphrase'), `${randomBytes(36).toString('base64url')}\n`, { mode: 0o600 });
    const mayDump = await hasDumpPrograms(installation.major, await foldersOfPrograms(state.bin_directory));
    await writeFile(state.config_file, labConfiguration(state, { major: installation.major, mayDump }));
    const draft = join(directory, '.lab.json');
    await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`);
    await rename(draft, join(directory, 'lab.json'));
    report?.({
      type: 'notice',
      level: 'info',
      message: `PostgreSQL ${state.version} runs on ${state.host}:${state.port}.`,
    });
    return { ...state, pid: cluster.pid ?? null };
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
}

const quote = (text: string): string => JSON.stringify(text);

/** The text of a spillway.yaml for one cluster of the lab. JSON strings are YAML strings. */
export function labConfiguration(
  state: Pick<LabState, 'directory' | 'host' | 'port' | 'user' | 'password_file' | 'bin_directory'>,
  { major, mayDump }: { readonly major: number; readonly mayDump: boolean },
): string {
  // A job that cannot but fail every week would be the first thing that somebody sees of the service.
  const schedules = mayDump
    ? ''
    : `    # No pg_dump of PostgreSQL ${major} or newer is on this machine. With one (postgresql-client-${major}), take this out:
    # the schema is then dumped on Sundays.
    schedules: { schema: never }
`;
  return `# Made by the lab: a throw-away cluster and a repository beside it.
repository:
  path: ${quote(join(state.directory, 'repository'))}
  passphrase: { file: ${quote(join(state.directory, 'passphrase'))} }
clusters:
  lab:
    connection:
      host: ${quote(state.host)}
      port: ${state.port}
      user: ${quote(state.user)}
      password: { file: ${quote(state.password_file)} }
    bin_directory: ${quote(state.bin_directory)}
    canary: { state_directory: ${quote(join(state.directory, 'canary'))} }
${schedules}service:
  state_directory: ${quote(join(state.directory, 'state'))}
  file_directories: [${quote(join(state.directory, 'restores'))}]
`;
}

async function clusterPlace(directory: string): Promise<string> {
  const place = join(directory, 'cluster');
  // Room for the socket's name as well; see cluster.ts.
  if (place.length < 80 && (await canEnter(await serverAccount(), directory))) return place;
  return mkdtemp(join(tmpdir(), 'spillway-lab-'));
}

/** Whether the account may pass through the folder and all those above it. */
async function canEnter(account: ServerAccount | undefined, directory: string): Promise<boolean> {
  if (account === undefined) return true;
  for (let at = await realpath(directory); ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at);
    const needed = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & needed) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function readState({ folder, name }: LabName): Promise<LabState | undefined> {
  let text: string;
  try {
    text = await readFile(join(resolve(folder), name, 'lab.json'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
  const state: unknown = JSON.parse(text);
  if (isState(state)) return state;
  throw new SpillwayError('SPW_LAB', `lab.json of ${name} is not one of this version`, {
    hint: `remove the folder ${join(resolve(folder), name)}`,
  });
}

function isState(value: unknown): value is LabState {
  const texts =
    'name created_at version host user directory config_file cluster_directory data_directory socket_directory log_file bin_directory password_file';
  if (typeof value !== 'object' || value === null) return false;
  const field = (name: string): unknown => Reflect.get(value, name);
  return texts.split(' ').every((name) => typeof field(name) === 'string') && typeof field('port') === 'number';
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function noneIfAbsent(error: unknown): never[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw error;
}
