// What the files of the former primary tell: pg_control, its timelines, and who owns them. Nothing is written.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { type ControlData, parseControlFile } from '../../postgres/control.ts';
import { historyName, type Lsn, timelineId, type TimelineId } from '../../postgres/lsn.ts';
import { serverProcess } from '../../postgres/server.ts';
import { type Ancestry, ancestry } from '../../postgres/timeline.ts';
import type { SystemWal } from '../backups.ts';
import { CONTROL_FILE } from '../restore/chunks.ts';
import { isRaised } from './barrier.ts';
import { endOfRecord } from './examine-wal.ts';
import type { TargetFacts } from './facts.ts';
import { TargetWal } from './target-wal.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Target {
  readonly facts: TargetFacts;
  readonly wal: TargetWal;
  /** Of its folder. */
  readonly owner: Owner;
  /** Its own history, where pg_wal lacks it and the repository has it: pg_rewind wants it there. */
  readonly history: { readonly name: string; readonly content: Uint8Array } | undefined;
}

export interface TargetControl {
  readonly control: ControlData;
  readonly major: number;
}

/** Throws SPW_SERVER_RUNNING where a server runs there, SPW_DATA_DIRECTORY where it is none. */
export async function readTargetControl(directory: string): Promise<TargetControl> {
  const pid = await serverProcess(directory);
  if (pid !== undefined) {
    throw new SpillwayError('SPW_SERVER_RUNNING', `${directory} was not rewound`, {
      why: `process ${pid} runs a PostgreSQL server there`,
      hint: 'stop it cleanly first: pg_ctl stop -m fast',
    });
  }
  try {
    const control = parseControlFile(await readFile(join(directory, CONTROL_FILE)));
    return { control, major: Number.parseInt(await readFile(join(directory, 'PG_VERSION'), 'utf8'), 10) };
  } catch (cause) {
    if (cause instanceof SpillwayError) throw cause;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${directory} could not be read as a data directory`, {
      cause,
      hint: 'check --data-directory, and run this as its owner or as root',
    });
  }
}

export async function readTarget(
  directory: string,
  { control, major }: TargetControl,
  stored: SystemWal | undefined,
  signal: AbortSignal,
): Promise<Target> {
  const timeline = timelineId(Math.max(control.timeline, control.minRecoveryTimeline));
  const { way, history } = await readWay(directory, timeline, stored, signal);
  const { systemIdentifier, walSegmentSize: segmentSize, state } = control;
  const folder = join(directory, 'pg_wal');
  const wal = new TargetWal({ folder, systemIdentifier, segmentSize, way, stored, signal });
  const isDown = state === 'shut down' || state === 'shut down in recovery';
  const { uid, gid } = await stat(directory);
  return {
    wal,
    owner: { uid, gid },
    history,
    facts: {
      directory,
      systemIdentifier,
      major,
      catalogVersion: control.catalogVersion,
      state,
      walLogHints: control.walLogHints,
      checksums: control.dataChecksumVersion !== 0,
      segmentSize,
      way,
      timeline,
      end: isDown ? await endOfWal(wal, control) : undefined,
      hasBackupLabel: await isThere(join(directory, 'backup_label')),
      isUnfinished: await isRaised(directory),
      owner: uid === 0 ? 'root' : process.getuid?.() === 0 || process.getuid?.() === uid ? 'usable' : 'another',
    },
  };
}

/** The end of its last checkpoint; of a standby that had come further, the place to which it must replay. */
async function endOfWal(wal: TargetWal, { checkPoint, minRecoveryPoint }: ControlData): Promise<Lsn | undefined> {
  const end = await endOfRecord(wal, checkPoint);
  return end !== undefined && minRecoveryPoint > end ? minRecoveryPoint : end;
}

async function readWay(
  directory: string,
  timeline: TimelineId,
  stored: SystemWal | undefined,
  signal: AbortSignal,
): Promise<{ readonly way: Ancestry; readonly history: Target['history'] }> {
  if (timeline === 1) return { way: ancestry(new Map(), timeline), history: undefined };
  const name = historyName(timeline);
  const own = await readFile(join(directory, 'pg_wal', name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_DATA_DIRECTORY', `${name} in pg_wal cannot be read`, { cause: error });
  });
  const content = own ?? (await stored?.archive.readHistory(timeline, signal));
  return {
    way: ancestry(new Map(content === undefined ? [] : [[timeline, content]]), timeline),
    history: own === undefined && content !== undefined ? { name, content } : undefined,
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
