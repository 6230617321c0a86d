// Finds what an incremental backup may take over: the last backup, and how what changed since then can be known.
//
// 1. The last backup that is listed, if its manifest can be read and nothing speaks against it (`reuse.ts`).
// 2. The server's WAL summaries from its start to the start of this one, where there are any. As PostgreSQL's own
//    incremental backups demand, it must have ended before this one starts: on a standby that need not be so, since
//    each backup starts at the last restartpoint.
// 3. Else times alone. Where they tell nothing either, every file is read. Each step down is told, with its reason.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { CHUNK_BYTES } from '../../format/chunk.ts';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import type { ServerFacts } from '../../postgres/basebackup.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ControlData } from '../../postgres/control.ts';
import { type Lsn, parseLsn, type TimelineId } from '../../postgres/lsn.ts';
import { readWalSummaries, type SummaryAnswer } from '../../postgres/walsummary.ts';
import type { ChunkTable } from '../../repository/chunk-table.ts';
import { listManifests, readManifest } from '../../repository/manifest-store.ts';
import type { BackupOptions } from './options.ts';
import { Reuse, whyReadAll, whyTimesTellNothing } from './reuse.ts';

/** PostgreSQL 17 was the first to write WAL summaries. */
const SUMMARIES_SINCE = 17;

export interface PreviousCircumstances {
  readonly session: Session;
  readonly server: ServerFacts;
  readonly control: ControlData;
  readonly startLsn: Lsn;
  readonly timeline: TimelineId;
  readonly nowNs: bigint;
  readonly table: ChunkTable;
  readonly signal: AbortSignal;
}

export interface FoundReuse {
  readonly reuse: Reuse;
  readonly by: NonNullable<BackupSummary['unchanged_by']>;
}

/** Undefined, with a notice that says why, where everything must be read. */
export async function findReuse(options: BackupOptions, at: PreviousCircumstances): Promise<FoundReuse | undefined> {
  const { repository, cluster } = options;
  const notice = (message: string): undefined => {
    options.report({ type: 'notice', level: 'info', message });
    return undefined;
  };
  const readAll = (why: string): undefined => notice(`This backup reads every file: ${why}.`);
  if (options.type === 'full') return undefined;
  const { heads } = await listManifests(repository, cluster.name, at.signal);
  const last = heads.at(-1);
  if (last === undefined) return readAll('there is no backup before it');
  const previous = await readManifest(repository, cluster.name, last.summary.id, at.signal).catch((error: unknown) => {
    if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return undefined;
    throw error;
  });
  if (previous === undefined) return readAll(`the manifest of backup ${last.summary.id} is damaged`);
  const why = whyReadAll(previous, {
    systemIdentifier: at.server.systemIdentifier,
    timeline: at.timeline,
    postgresVersion: at.server.versionNumber,
    checksums: at.control.dataChecksumVersion > 0,
  });
  if (why !== undefined) return readAll(why);
  const isStored = (ids: Uint8Array, place: number): boolean => at.table.has(ids, place);
  const whyNoTimes = whyTimesTellNothing(previous, at.nowNs);
  const byTimes = whyNoTimes === undefined;
  const answer = at.server.major < SUMMARIES_SINCE ? undefined : await askSummaries(previous, at);
  if (answer !== undefined && 'changed' in answer) {
    const { blockSize: blockBytes, relationSegmentBlocks: segmentBlocks } = at.control;
    const changed = { blocks: answer.changed, blockBytes, segmentBlocks };
    return { reuse: new Reuse(previous, { byTimes, changed, isStored }), by: 'wal-summaries' };
  }
  if (whyNoTimes !== undefined) return readAll(whyNoTimes);
  if (answer !== undefined) notice(`What changed is told by the times of files, not by WAL summaries: ${answer.why}.`);
  return { reuse: new Reuse(previous, { byTimes, isStored }), by: 'times' };
}

async function askSummaries(previous: Manifest, at: PreviousCircumstances): Promise<SummaryAnswer> {
  const { blockSize, relationSegmentBlocks } = at.control;
  const granuleBlocks = CHUNK_BYTES / blockSize;
  if (relationSegmentBlocks % granuleBlocks !== 0) return { why: 'files of relations are no whole number of chunks' };
  const { start_lsn, stop_lsn } = previous.head.summary;
  if (position(stop_lsn) > at.startLsn) return { why: 'the last backup ended after the point that this one starts at' };
  const range = { timeline: at.timeline, from: position(start_lsn), to: at.startLsn };
  try {
    return await readWalSummaries(at.session, range, { granuleBlocks, signal: at.signal });
  } catch (error) {
    // A summary that was removed or is damaged, or a right that is missing. A lost session ends the backup by itself.
    if (isSpillwayError(error, 'SPW_POSTGRES_FAILED', 'SPW_POSTGRES_DENIED'))
      return { why: error.why ?? error.message };
    throw error;
  }
}

function position(text: string): Lsn {
  const parsed = parseLsn(text);
  if (parsed === undefined) throw new SpillwayError('SPW_INTERNAL', `the manifest has the position ${text}`);
  return parsed;
}
