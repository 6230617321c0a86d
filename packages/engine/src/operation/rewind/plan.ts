// `spillway rewind`, first half: look at both servers and at the WAL, decide, and say all that would be done.
// Invariant: nothing is written, here or on the source.

import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type Report, type RewindPlan, SpillwayError } from '@spillway/contract';
import { findClientPrograms } from '../../postgres/client-programs.ts';
import { connect } from '../../postgres/connection.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { Repository } from '../../repository/repository.ts';
import { readSystemWal, type SystemWal } from '../backups.ts';
import type { Recovery } from '../restore/recovery.ts';
import { listSystems } from '../system.ts';
import { decide, type Decision, divergenceOf } from './decide.ts';
import { examineWal } from './examine-wal.ts';
import type { SourceFacts, WalFacts } from './facts.ts';
import { type KeptPlan, planKept } from './kept.ts';
import type { PgRewind } from './pg-rewind.ts';
import { rehearse } from './pg-rewind.ts';
import { readSource } from './source.ts';
import { conninfoOf, planStandby } from './standby.ts';
import { readTarget, readTargetControl, type Target } from './target.ts';

export interface RewindOptions {
  readonly cluster: string;
  /** Undefined where it cannot be read: then what is on the two servers must do. */
  readonly repository: Repository | undefined;
  readonly directory: string;
  /** The server that took over. */
  readonly source: ConnectionSettings;
  /** How the standby reaches it; by default as we do, without the password. */
  readonly primary?: string;
  readonly primarySlot?: string;
  /** By default beside the data directory, named after this moment. */
  readonly keepInto?: string;
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
  /** Let pg_rewind try it without writing, where that can be done without writing anything else: for a dry run. */
  readonly rehearse?: boolean;
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** A plan with what carrying it out needs. */
export interface PlannedRewind {
  readonly plan: RewindPlan;
  readonly decision: Decision;
  readonly target: Target;
  readonly source: SourceFacts;
  readonly stored: SystemWal | undefined;
  readonly wal: WalFacts | undefined;
  readonly kept: KeptPlan | undefined;
  readonly recovery: Recovery;
  /** The program; undefined where it is not wanted. */
  readonly program: PgRewind | undefined;
}

export async function planRewind(options: RewindOptions): Promise<PlannedRewind> {
  const { signal, report } = options;
  const step = (phase: string): void => report({ type: 'progress', phase, done_bytes: 0 });
  step('looking at both servers');
  const directory = await realpath(options.directory).catch((cause: unknown) => {
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${options.directory} could not be read`, { cause });
  });
  const read = await readTargetControl(directory);
  const stored = await readStored(options, read.control.systemIdentifier);
  const target = await readTarget(directory, read, stored, signal);
  await using session = await connect(options.source, { signal });
  const source = await readSource(session, stored, signal);
  const fork = divergenceOf(target.facts, source);
  step('reading WAL');
  const wal =
    fork === undefined || target.facts.end === undefined
      ? undefined
      : await examineWal({ wal: target.wal, fork, end: target.facts.end, source, stored });
  const decision = decide(target.facts, source, wal);
  const primary = options.primary ?? conninfoOf(options.source);
  const recovery = await planStandby(directory, source, { primary, slot: options.primarySlot }, stored);
  const kept =
    decision.kind === 'rewind' && wal !== undefined
      ? await planKept(
          directory,
          options.keepInto ?? `${directory}.kept-${stampOf(options.now)}`,
          decision.fork.lsn,
          target.facts.segmentSize,
          wal.replayOwn,
        )
      : undefined;
  if (kept !== undefined && `${kept.folder}/`.startsWith(`${directory}/`)) {
    throw new SpillwayError('SPW_USAGE', '--keep-into lies inside the data directory', {
      why: 'pg_rewind removes everything there that the source does not have',
    });
  }
  const program = decision.kind === 'rewind' ? await findProgram(options, directory, target) : undefined;
  const mayRehearse = kept?.hasLinks === false && wal?.needed.every(({ place }) => place === 'pg_wal') === true;
  const isRehearsed = options.rehearse === true && mayRehearse && target.history === undefined && isSettled(source);
  if (isRehearsed && program !== undefined && decision.kind === 'rewind') {
    step('rehearsing');
    await rehearse(program, decision.fork);
  }
  const planned = { decision, target, source, stored, wal, kept, recovery, program };
  return { ...planned, plan: describe(options, directory, planned, isRehearsed) };
}

/** Whether pg_control of the source tells its timeline already; else a checkpoint must come first. */
export const isSettled = ({ timeline, checkpointTimeline }: SourceFacts): boolean => timeline === checkpointTimeline;

async function readStored(
  { repository, cluster, signal }: RewindOptions,
  systemIdentifier: string,
): Promise<SystemWal | undefined> {
  if (repository === undefined) return undefined;
  const systems = await listSystems(repository, cluster, signal);
  const system = systems.find((each) => each.system_identifier === systemIdentifier);
  return system && readSystemWal({ repository, cluster, signal }, system);
}

async function findProgram(options: RewindOptions, directory: string, target: Target): Promise<PgRewind> {
  const { binDirectory } = await findClientPrograms(['pg_rewind'], target.facts.major, {
    exact: true,
    signal: options.signal,
    ...(options.binDirectory === undefined ? {} : { binDirectory: options.binDirectory }),
    ...(options.searchPath === undefined ? {} : { searchPath: options.searchPath }),
  });
  return { binDirectory, directory, connection: options.source, owner: target.owner, signal: options.signal };
}

/** `20261123-201500`. */
const stampOf = (now: Date): string => now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');

function describe(
  options: RewindOptions,
  directory: string,
  { decision, target, source, wal, kept, recovery, program }: Omit<PlannedRewind, 'plan'>,
  rehearsed: boolean,
): RewindPlan {
  const { facts } = target;
  const fork = decision.kind === 'nothing' ? undefined : decision.fork;
  const inPlace = (place: string): readonly string[] =>
    (wal?.needed ?? []).filter((segment) => segment.place === place).map(({ name }) => name);
  return {
    cluster: options.cluster,
    directory,
    decision: decision.kind,
    reasons: decision.kind === 'impossible' ? decision.reasons : [],
    fork: fork === undefined ? null : { timeline: fork.timeline, lsn: formatLsn(fork.lsn) },
    target: {
      system_identifier: facts.systemIdentifier,
      postgres_major: facts.major,
      state: facts.state,
      timeline: facts.timeline,
      end_lsn: facts.end === undefined ? null : formatLsn(facts.end),
      wal_log_hints: facts.walLogHints,
      checksums: facts.checksums,
    },
    source: {
      host: options.source.host,
      port: options.source.port,
      system_identifier: source.systemIdentifier,
      postgres_major: source.major,
      in_recovery: source.inRecovery,
      timeline: source.timeline,
      lsn: formatLsn(source.position),
    },
    wal: {
      read: wal !== undefined,
      checkpoint_lsn: wal?.checkpoint === undefined ? null : formatLsn(wal.checkpoint.lsn),
      segments: inPlace('pg_wal').length,
      from_repository: inPlace('repository'),
      missing: inPlace('missing'),
      replay_missing: wal?.replayMissing ?? [],
    },
    kept: kept === undefined ? null : { folder: kept.folder, wal: kept.wal, files: kept.files, bytes: kept.bytes },
    program: program === undefined ? null : join(program.binDirectory, 'pg_rewind'),
    rehearsed,
    signal_file: recovery.signalFile,
    lasting_settings: recovery.lasting,
    dropped_settings: recovery.dropped,
    notes: notesOn(options, source, recovery),
  };
}

function notesOn({ repository, primary }: RewindOptions, source: SourceFacts, recovery: Recovery): readonly string[] {
  return [
    ...recovery.notes,
    ...(repository === undefined
      ? ['The repository could not be read: only what is on the two servers was looked for.']
      : []),
    ...(isSettled(source)
      ? []
      : ['The source has made no checkpoint since it was promoted: one is asked of it first.']),
    ...(primary === undefined
      ? [
          `primary_conninfo has no password: where one is needed, put it into the passfile of the server's account, or name one: --primary 'host=… passfile=…'.`,
          ...(source.mayReplicate ? [] : ['The role in it may not replicate: name one that may with --primary.']),
        ]
      : []),
  ];
}
