// Finding moments in stored WAL: the last commit, a transaction, a named restore point.
//
// Segments are read along a way, in order, and their records parsed. To find the last commit the way is searched from
// its end, a few segments at a time, since the last commit of a busy cluster is in the last segment.

import { type Lsn, segmentEnd } from '../../postgres/lsn.ts';
import { commitTime, recordsOf, restorePointName, type WalChunk, type WalRecord } from '../../postgres/walrecord.ts';
import type { WalArchive } from './archive.ts';
import type { Way, WayStep } from './coverage.ts';
import { inPages, storedWal } from './stored.ts';

export interface Moment {
  /** The end of the record: recovery has reached the moment when it has replayed up to here. */
  readonly lsn: Lsn;
  readonly at: Date;
}

export interface Commit extends Moment {
  readonly atMicros: bigint;
}

/** The newest commit on the way whose record begins at or after `from`; undefined where there is none. */
export async function findLastCommit(
  archive: WalArchive,
  way: Way,
  from: Lsn,
  signal?: AbortSignal,
): Promise<Commit | undefined> {
  for (let count = 1, end = way.steps.length; end > 0; count *= 2) {
    const begin = Math.max(0, end - count);
    const found = await lastCommit(archive, way.steps.slice(begin), from, signal);
    if (found !== undefined) return found;
    end = begin;
  }
  return undefined;
}

/** Whether any commit on the way from `from` on is one that is looked for. All of the way is read for it. */
export async function hasCommit(
  archive: WalArchive,
  way: Way,
  from: Lsn,
  isOne: (atMicros: bigint) => boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  const moment = await firstMoment(archive, way.steps, from, signal, (record) => {
    const end = commitTime(record);
    return end?.kind === 'commit' && isOne(end.atMicros) ? { lsn: record.endLsn, at: end.at } : undefined;
  });
  return moment !== undefined;
}

/** Where a transaction ended; undefined where the way holds no such commit or abort. */
export async function findTransaction(
  archive: WalArchive,
  way: Way,
  from: Lsn,
  xid: string,
  signal?: AbortSignal,
): Promise<Moment | undefined> {
  // The record has the lower 32 bits; an operator may give what pg_current_xact_id() printed, with the epoch.
  const wanted = Number(BigInt(xid) & 0xffffffffn);
  return firstMoment(archive, way.steps, from, signal, (record) => {
    const end = commitTime(record);
    return end?.xid === wanted ? { lsn: record.endLsn, at: end.at } : undefined;
  });
}

export async function findRestorePoint(
  archive: WalArchive,
  way: Way,
  from: Lsn,
  name: string,
  signal?: AbortSignal,
): Promise<Moment | undefined> {
  return firstMoment(archive, way.steps, from, signal, (record) => {
    const point = restorePointName(record);
    return point?.name === name ? { lsn: record.endLsn, at: point.at } : undefined;
  });
}

export interface CommitRecord {
  /** Where the record begins: recovery that is to end here, inclusive, replays it and nothing behind it. */
  readonly lsn: Lsn;
  /** Where the next one can begin. */
  readonly endLsn: Lsn;
  /** The lower 32 bits of the transaction's id. */
  readonly xid: number;
  readonly atMicros: bigint;
}

/** All commits whose record begins at `from` or later and before `until`, in the order of WAL, at most `most`. */
export async function listCommits(
  archive: WalArchive,
  way: Way,
  bounds: { readonly from: Lsn; readonly until: Lsn; readonly most: number },
  signal?: AbortSignal,
): Promise<readonly CommitRecord[]> {
  const commits: CommitRecord[] = [];
  const steps = way.steps.filter(({ start, end }) => end > bounds.from && start < bounds.until);
  for await (const record of recordsOn(archive, steps, bounds.from, signal)) {
    if (record.lsn >= bounds.until || commits.length >= bounds.most) break;
    const end = commitTime(record);
    if (end?.kind !== 'commit') continue;
    commits.push({ lsn: record.lsn, endLsn: record.endLsn, xid: end.xid, atMicros: end.atMicros });
  }
  return commits;
}

/** Whether a record begins at `position` or after it: only at such a one can a recovery stop that is to end there. */
export async function hasRecordFrom(
  archive: WalArchive,
  way: Way,
  position: Lsn,
  signal?: AbortSignal,
): Promise<boolean> {
  const steps = way.steps.filter(({ end }) => end > position);
  for await (const _ of recordsOn(archive, steps, position, signal)) return true;
  return false;
}

type Look = (record: WalRecord) => Moment | undefined;

async function firstMoment(
  archive: WalArchive,
  steps: readonly WayStep[],
  from: Lsn,
  signal: AbortSignal | undefined,
  look: Look,
): Promise<Moment | undefined> {
  for await (const record of recordsOn(archive, steps, from, signal)) {
    const moment = look(record);
    if (moment !== undefined) return moment;
  }
  return undefined;
}

async function lastCommit(
  archive: WalArchive,
  steps: readonly WayStep[],
  from: Lsn,
  signal: AbortSignal | undefined,
): Promise<Commit | undefined> {
  let last: Commit | undefined;
  for await (const record of recordsOn(archive, steps, from, signal)) {
    const end = commitTime(record);
    if (end?.kind === 'commit') last = { lsn: record.endLsn, at: end.at, atMicros: end.atMicros };
  }
  return last;
}

async function* recordsOn(
  archive: WalArchive,
  steps: readonly WayStep[],
  from: Lsn,
  signal: AbortSignal | undefined,
): AsyncIterable<WalRecord> {
  const [first] = steps;
  if (first === undefined) return;
  for await (const record of recordsOf(chunksOf(archive, steps, signal), first.start)) {
    if (record.lsn >= from && record.crcOk) yield record;
  }
}

async function* chunksOf(
  archive: WalArchive,
  steps: readonly WayStep[],
  signal: AbortSignal | undefined,
): AsyncIterable<WalChunk> {
  for (const { timeline, start } of steps) {
    let isThere = false;
    const end = segmentEnd(start, archive.segmentSize);
    for await (const chunk of inPages(storedWal(archive, timeline, start, { signal }), end)) {
      isThere = true;
      yield chunk;
    }
    if (!isThere) return;
  }
}
