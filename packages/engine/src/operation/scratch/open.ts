// A scratch cluster: any moment of a cluster, restored into a throw-away server beside production.
//
//   1  end what killed owners left in the folder
//   2  plan: which backup, which WAL, whether the moment can be reached and the space suffices. Until here nothing is written
//   3  the marker, then the folder: from now on whoever comes after a SIGKILL knows what this is (`marker.ts`)
//   4  hold the backup against expiry, lay it down, start it apart from all its source has (`settings.ts`), recover
//   5  whoever asked works with it; then, or where anything failed, the server is ended and the folder removed
// Invariant: nothing outlives its owner but what `keep` was told of, and that no longer than it was told.

import { chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { findPrograms } from '../../postgres/server.ts';
import { holdElsewhere } from '../../repository/hold.ts';
import type { Repository } from '../../repository/repository.ts';
import { realPlace } from '../restore/guard.ts';
import { holdPlan } from '../restore/hold-plan.ts';
import { restore, type RestoreSummary } from '../restore/lay.ts';
import { makePassable } from '../restore/passage.ts';
import { planRestore } from '../restore/plan.ts';
import type { PlanOptions, RestorePlan } from '../restore/planned.ts';
import { anyFreePort, refuseBusyPort } from '../restore/port.ts';
import type { TargetAction } from '../restore/recovery.ts';
import { type RecoverySummary, startRestored } from '../restore/start.ts';
import { describeTarget, type RecoveryTarget } from '../restore/target.ts';
import { keepPlace } from './keep.ts';
import {
  makeScratchFolder,
  newScratchId,
  type ScratchMarker,
  scratchPlace,
  type ScratchPlace,
  type ScratchPurpose,
  writeScratchMarker,
} from './marker.ts';
import { thisOwner } from './owner.ts';
import { shutServerDown } from './processes.ts';
import { removeAbandoned, removeScratch } from './remove.ts';
import { HBA, NICENESS, type ScratchLimits, scratchSettings } from './settings.ts';

/** sun_path of unix(7), less the byte that ends it. */
const SOCKET_PATH_BYTES_MAX = 107;
const SECOND = 1000;

export interface ScratchOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly target: RecoveryTarget;
  /** Stop just before the target instead of just after it. */
  readonly exclusive?: boolean;
  /** What the server does at the target; one that pauses there answers questions and changes nothing. */
  readonly action?: TargetAction;
  readonly backupId?: string;
  readonly timeline?: number;
  /** Only these, with what all share. */
  readonly databases?: readonly string[];
  /** Where scratch clusters lie; made where it is missing. Not inside a data directory, nor the repository. */
  readonly folder: string;
  readonly purpose: ScratchPurpose;
  /** User, password and database of the cluster; host and port become those of the scratch server. */
  readonly connection: ConnectionSettings;
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
  readonly workers: number;
  /** A shell command that puts WAL file "%f" at "%p". */
  readonly restoreCommand: string;
  readonly limits?: ScratchLimits;
  /** Over all others, such as `default_transaction_read_only`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Any free one where none is named. */
  readonly port?: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface ScratchPhase {
  readonly name: 'plan' | 'lay' | 'start-and-recover';
  readonly started_at: string;
  readonly finished_at: string;
  readonly seconds: number;
  readonly bytes: number | null;
}

export interface Scratch extends AsyncDisposable {
  readonly id: string;
  /** The data directory. */
  readonly directory: string;
  /** By the socket, which lets its account in as whomever: passwords may have been others at that moment. */
  readonly connection: ConnectionSettings;
  /** By 127.0.0.1, with the password that the role had at that moment; for programs that take no socket. */
  readonly overTcp: ConnectionSettings;
  readonly plan: RestorePlan;
  readonly restored: RestoreSummary;
  readonly recovery: RecoverySummary;
  readonly binDirectory: string;
  readonly logFile: string;
  readonly phases: readonly ScratchPhase[];
  /** Shuts the server down cleanly; its files stay until it is disposed of. */
  shutDown(): Promise<void>;
  /** The server goes on after this process, until then; disposing of it does nothing any more. */
  keep(until: Date): Promise<void>;
  /** Ends the server and removes the folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Throws what `planRestore` throws before a byte is written; what fails after that leaves nothing behind. */
export async function openScratch(options: ScratchOptions): Promise<Scratch> {
  const { cluster, target, signal, report, purpose } = options;
  // Processes are known by their folder, which has no links in it.
  const folder = await realPlace(resolve(options.folder));
  await removeAbandoned(folder, { signal, report });
  if (options.port !== undefined) await refuseBusyPort(options.port);
  const id = newScratchId(purpose);
  refuseLongSocket(scratchPlace(folder, id));
  const phases: ScratchPhase[] = [];
  const [planned, wishes] = await measured(phases, 'plan', () => plan(options, scratchPlace(folder, id)), null);
  const place = scratchPlace(await makeScratchFolder(folder), id);
  const marker: ScratchMarker = {
    format: 1,
    purpose,
    cluster,
    backup: planned.plan.backup.id,
    target: `${options.exclusive === true ? 'before ' : ''}${describeTarget(target)}`,
    created_at: new Date().toISOString(),
    expires_at: null,
    owner: await thisOwner(),
    server: null,
  };
  await writeScratchMarker(place, marker);
  try {
    await makePassable(place.root, 0o700);
    return await bringUp(options, { place, marker, wishes, planned, phases, folder });
  } catch (error) {
    await removeScratch(place).catch((failure: unknown) => {
      const message = `The scratch cluster ${place.root} could not be removed: ${(failure as Error).message}. The next one in that folder tries again.`;
      report({ type: 'notice', level: 'warning', message });
    });
    throw signal.aborted ? error : told(cluster, error);
  }
}

type Planned = Awaited<ReturnType<typeof planRestore>>;

async function plan(options: ScratchOptions, place: ScratchPlace): Promise<readonly [Planned, PlanOptions]> {
  const wishes: PlanOptions = {
    repository: options.repository,
    cluster: options.cluster,
    target: options.target,
    targetDirectory: place.data,
    tablespacesInto: place.tablespaces,
    toStart: true,
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
    ...(options.action === undefined ? {} : { action: options.action }),
    ...(options.timeline === undefined ? {} : { timeline: options.timeline }),
    ...(options.backupId === undefined ? {} : { backupId: options.backupId }),
    ...(options.databases === undefined ? {} : { databases: options.databases }),
    signal: options.signal,
  };
  const planned = await planRestore(wishes).catch((error: unknown) => {
    throw isSpillwayError(error, 'SPW_DISK_SPACE', 'SPW_FOLDER_CLOSED') ? told(options.cluster, error) : error;
  });
  const needed = planned.plan.needed_bytes;
  const most = options.limits?.diskBytes ?? Number.POSITIVE_INFINITY;
  if (needed > most) {
    const why = `it needs ${needed} bytes in ${options.folder}, and may take ${most}`;
    throw told(options.cluster, new SpillwayError('SPW_DISK_SPACE', 'the restore was not started', { why }));
  }
  return [planned, wishes];
}

interface Begun {
  readonly folder: string;
  readonly place: ScratchPlace;
  readonly marker: ScratchMarker;
  readonly wishes: PlanOptions;
  readonly planned: Planned;
  readonly phases: ScratchPhase[];
}

async function bringUp(options: ScratchOptions, begun: Begun): Promise<Scratch> {
  const { repository, cluster, signal, report, workers, restoreCommand, limits = {} } = options;
  const { place, phases } = begun;
  const backupId = begun.planned.plan.backup.id;
  await using held = await holdPlan(begun.planned, { ...begun.wishes, signal, report });
  await using _ = await holdElsewhere({ repository, cluster, backupId, signal, report });
  held.lost?.addEventListener('abort', () => {
    const message = `Backup ${backupId} is not marked as in use any more: let no spillway expire run until this ends.`;
    report({ type: 'notice', level: 'warning', message });
  });
  const { planned } = held;
  const programs = await findPrograms({
    major: Math.trunc(planned.plan.backup.postgres_version / 10_000),
    ...(options.binDirectory === undefined ? {} : { binDirectory: options.binDirectory }),
    ...(options.searchPath === undefined ? {} : { searchPath: options.searchPath }),
    signal,
  });
  const restored = await measured(
    phases,
    'lay',
    () => restore({ repository, planned, workers, restoreCommand, signal, report }),
    planned.plan.bytes,
  );
  await makePrivate(place);
  const port = options.port ?? (await anyFreePort());
  const recovery = await measured(
    phases,
    'start-and-recover',
    () =>
      startRestored({
        planned,
        connection: options.connection,
        binDirectory: programs.binDirectory,
        port,
        socketDirectory: place.socket,
        logFile: place.logFile,
        isolated: true,
        settings: { ...scratchSettings(limits, place, options.purpose), ...options.settings },
        niceness: limits.niceness ?? NICENESS,
        signal,
        report,
      }),
    planned.plan.wal_bytes,
  );
  return new RunningScratch(options, { ...begun, planned, restored, recovery, binDirectory: programs.binDirectory });
}

/** What the server needs beside its data, as its own account has it. */
async function makePrivate(place: ScratchPlace): Promise<void> {
  const { uid, gid } = await stat(place.data);
  await mkdir(place.socket, { mode: 0o700 });
  await writeFile(place.hbaFile, HBA, { mode: 0o600, flag: 'wx' });
  if (process.getuid?.() === 0) for (const path of [place.socket, place.hbaFile]) await chown(path, uid, gid);
}

interface Up extends Begun {
  readonly restored: RestoreSummary;
  readonly recovery: RecoverySummary;
  readonly binDirectory: string;
}

class RunningScratch implements Scratch {
  readonly id: string;
  readonly directory: string;
  readonly connection: ConnectionSettings;
  readonly overTcp: ConnectionSettings;
  readonly plan: RestorePlan;
  readonly restored: RestoreSummary;
  readonly recovery: RecoverySummary;
  readonly binDirectory: string;
  readonly logFile: string;
  readonly phases: readonly ScratchPhase[];
  readonly #options: ScratchOptions;
  readonly #up: Up;
  #over: Promise<void> | undefined;

  constructor(options: ScratchOptions, up: Up) {
    const { place, recovery, planned, restored, binDirectory, phases } = up;
    const { sslRootCertificate: _, ...login } = options.connection;
    this.#options = options;
    this.#up = up;
    this.id = place.id;
    this.directory = place.data;
    // One that was left empty cannot be connected to.
    const isEmpty = planned.selection.leftEmpty.includes(login.database ?? '');
    const at = { ...login, ...(isEmpty ? { database: 'postgres' } : {}), port: recovery.port, ssl: 'disable' } as const;
    this.connection = { ...at, host: place.socket };
    this.overTcp = { ...at, host: '127.0.0.1' };
    this.plan = planned.plan;
    this.restored = restored;
    this.recovery = { ...recovery, host: '127.0.0.1' };
    this.binDirectory = binDirectory;
    this.logFile = place.logFile;
    this.phases = phases;
  }

  shutDown(): Promise<void> {
    return shutServerDown(this.directory, this.#options.signal);
  }

  async keep(until: Date): Promise<void> {
    const { place, marker, folder } = this.#up;
    const { host, port, user, database = 'postgres' } = this.connection;
    await keepPlace(place, { ...marker, server: { host, port, user, database } }, until, folder);
    this.#over = Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#over ??= removeScratch(this.#up.place));
  }
}

async function measured<Value>(
  phases: ScratchPhase[],
  name: ScratchPhase['name'],
  run: () => Promise<Value>,
  bytes: number | null,
): Promise<Value> {
  const [startedAt, began] = [new Date(), performance.now()];
  const value = await run();
  const seconds = Math.round(performance.now() - began) / SECOND;
  phases.push({
    name,
    started_at: startedAt.toISOString(),
    finished_at: new Date(startedAt.getTime() + seconds * SECOND).toISOString(),
    seconds,
    bytes,
  });
  return value;
}

function refuseLongSocket({ socket }: ScratchPlace): void {
  if (Buffer.byteLength(`${socket}/.s.PGSQL.65535`) <= SOCKET_PATH_BYTES_MAX) return;
  throw new SpillwayError('SPW_USAGE', 'the folder of scratch clusters has too long a path', {
    why: `the socket of a server in it would be ${socket}/.s.PGSQL.65535, and ${SOCKET_PATH_BYTES_MAX} bytes are the most that a socket may have`,
    hint: 'name a folder with a shorter path as scratch_directory in the configuration',
  });
}

const HINTS: Readonly<Record<string, string>> = {
  SPW_DISK_SPACE:
    'free space there, or name a folder on a larger file system as scratch_directory in the configuration',
  SPW_FOLDER_CLOSED:
    'name another folder as scratch_directory in the configuration, or let that account pass the one that is named: chmod o+x',
  SPW_RECOVERY_FAILED:
    'what was restored is removed again; to read the whole log, restore it to stay: spillway restore --into FOLDER --start',
  SPW_RESTORE_FAILED: 'what was restored is removed again; mend that, and run this again',
  SPW_OBJECT_DAMAGED: 'spillway verify tells what is hurt and which backup is still good',
  SPW_OBJECT_MISSING: 'spillway verify tells what is hurt and which backup is still good',
};

/** Of a restore into a folder that stays, hints tell how to go on there; of this one nothing is left. */
function told(cluster: string, error: unknown): unknown {
  if (!isSpillwayError(error)) return error;
  const { code, message, why, hint } = error;
  return new SpillwayError(code, `no scratch cluster of ${cluster} came up: ${message}`, {
    ...(why === undefined ? {} : { why }),
    hint: HINTS[code] ?? hint,
    cause: error,
  });
}
