// Looks through the WAL of the two servers, for the decision.
//
//   1  from the fork back, a segment at a time, to the last checkpoint that both have: pg_rewind begins there
//   2  every segment from there to the end of the target's WAL must be somewhere; then all records of it are read once,
//      so that it is known to be whole before anything is touched
//   3  every segment that the rewound server replays, from that checkpoint's redo to where the source is now, must be on
//      the source, which pg_rewind copies, or in the repository, or be one of the target's own from before the fork
//
// Invariant: nothing is written.

import { type Lsn, lsn, segmentEnd, segmentName, segmentStart, timelineId } from '../../postgres/lsn.ts';
import type { WalRecord } from '../../postgres/walrecord.ts';
import type { SystemWal } from '../backups.ts';
import { covers } from '../wal/interval.ts';
import type { Divergence } from './decide.ts';
import type { LastCheckpoint, NeededSegment, SourceFacts, WalFacts } from './facts.ts';
import type { TargetWal } from './target-wal.ts';

/** src/include/catalog/pg_control.h */
const RM_XLOG = 0;
const OPERATION = 0xf0;
const CHECKPOINT_SHUTDOWN = 0x00;
const CHECKPOINT_ONLINE = 0x10;
const PARAMETER_CHANGE = 0x60;

export interface Examined {
  readonly wal: TargetWal;
  readonly fork: Divergence;
  /** Of the target's WAL. */
  readonly end: Lsn;
  readonly source: SourceFacts;
  readonly stored: SystemWal | undefined;
}

export async function examineWal(of: Examined): Promise<WalFacts> {
  const { wal, fork, end } = of;
  const nothing = { unreadableAt: undefined, settingsChangedAt: undefined, replayMissing: [], replayOwn: [] };
  const found = await findLastCheckpoint(wal, fork.lsn);
  const from = found.kind === 'checkpoint' ? found.checkpoint.lsn : found.at;
  const needed = await segmentsBetween(wal, from, end);
  if (found.kind !== 'checkpoint') {
    const unreadableAt = found.kind === 'unreadable' ? found.at : undefined;
    return { ...nothing, checkpoint: undefined, needed, unreadableAt };
  }
  const { checkpoint } = found;
  const replay = await lookForReplay(of, checkpoint);
  if (needed.some(({ place }) => place === 'missing')) return { ...nothing, checkpoint, needed, ...replay };
  return { checkpoint, needed, ...replay, ...(await readThrough(wal, checkpoint.lsn, end)) };
}

type Found =
  | { readonly kind: 'checkpoint'; readonly checkpoint: LastCheckpoint }
  | { readonly kind: 'missing' | 'unreadable'; readonly at: Lsn };

/** The last checkpoint whose record begins before `fork`. Each round goes one segment back, until WAL is not there. */
async function findLastCheckpoint(wal: TargetWal, fork: Lsn): Promise<Found> {
  for (let start = segmentStart(lsn(fork - 1n), wal.segmentSize); ; start = lsn(start - BigInt(wal.segmentSize))) {
    if (start < 0n) return { kind: 'unreadable', at: lsn(0n) };
    const bound = min(segmentEnd(start, wal.segmentSize), fork);
    const { place } = await wal.find(start, bound);
    if (place === 'missing') return { kind: 'missing', at: start };
    let checkpoint: LastCheckpoint | undefined;
    let reached = start;
    for await (const record of wal.records(start)) {
      if (!record.crcOk) break;
      reached = record.endLsn;
      if (record.lsn < bound) checkpoint = checkpointOf(record) ?? checkpoint;
      if (reached >= bound) break;
    }
    if (reached < bound) return { kind: 'unreadable', at: reached };
    if (checkpoint !== undefined) return { kind: 'checkpoint', checkpoint };
  }
}

function checkpointOf(record: WalRecord): LastCheckpoint | undefined {
  const operation = record.info & OPERATION;
  if (record.resourceManager !== RM_XLOG || (operation !== CHECKPOINT_SHUTDOWN && operation !== CHECKPOINT_ONLINE)) {
    return undefined;
  }
  const { data } = record;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    lsn: record.lsn,
    redo: lsn(view.getBigUint64(0, true)),
    timeline: timelineId(view.getUint32(8, true)),
  };
}

/** Where the record at `at` ends; undefined where it cannot be read. */
export async function endOfRecord(wal: TargetWal, at: Lsn): Promise<Lsn | undefined> {
  for await (const record of wal.records(at)) return record.lsn === at && record.crcOk ? record.endLsn : undefined;
  return undefined;
}

async function segmentsBetween(wal: TargetWal, from: Lsn, end: Lsn): Promise<readonly NeededSegment[]> {
  const needed: NeededSegment[] = [];
  for (let start = segmentStart(from, wal.segmentSize); start < end; start = segmentEnd(start, wal.segmentSize)) {
    needed.push(await wal.find(start, end));
  }
  return needed;
}

async function readThrough(
  wal: TargetWal,
  from: Lsn,
  end: Lsn,
): Promise<Pick<WalFacts, 'unreadableAt' | 'settingsChangedAt'>> {
  let reached = from;
  let settingsChangedAt: Lsn | undefined;
  for await (const record of wal.records(from)) {
    if (!record.crcOk) break;
    reached = record.endLsn;
    if (record.resourceManager === RM_XLOG && (record.info & OPERATION) === PARAMETER_CHANGE) {
      settingsChangedAt ??= record.lsn;
    }
    if (reached >= end) break;
  }
  return { unreadableAt: reached < end ? reached : undefined, settingsChangedAt };
}

async function lookForReplay(
  { wal, fork, source, stored }: Examined,
  { redo }: LastCheckpoint,
): Promise<Pick<WalFacts, 'replayMissing' | 'replayOwn'>> {
  const size = wal.segmentSize;
  const from = source.inRecovery ? min(redo, source.redo) : redo;
  const replayMissing: string[] = [];
  const replayOwn: string[] = [];
  for (let start = segmentStart(from, size); start < source.position; start = segmentEnd(start, size)) {
    const end = segmentEnd(start, size);
    // Recovery takes the newest timeline of the way that has the segment; an older one does where it was not left in it.
    const timelines = source.way
      .filter((stretch) => stretch.begin < end && (stretch.end === undefined || stretch.end >= end))
      .map(({ timeline }) => timeline);
    const isThere = timelines.some(
      (timeline) =>
        source.walNames.has(segmentName(timeline, start, size)) ||
        covers(stored?.catalog.objects.get(timeline) ?? [], start, min(end, source.position)),
    );
    if (isThere) continue;
    const own = end <= fork.lsn ? await wal.find(start) : undefined;
    if (own?.place === 'pg_wal') replayOwn.push(own.name);
    else replayMissing.push(segmentName(timelines[0] ?? source.timeline, start, size));
  }
  return { replayMissing, replayOwn };
}

const min = (a: Lsn, b: Lsn): Lsn => (a < b ? a : b);
