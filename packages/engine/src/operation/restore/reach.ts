// Whether a candidate's WAL holds the target, what PostgreSQL is told then, and which WAL it will ask for.
//
// Times are compared with the commits in the WAL, not with clocks: after the last commit there is nothing to stop at, so a
// time between it and the end of WAL is the end of WAL. Commits need not come in the order of their times: the clock of a
// server may step back, so for such a time all of them are looked at.

import type { BackupSummary } from '../../format/manifest.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { sentAt, type SystemWal } from '../backups.ts';
import type { Way } from '../wal/coverage.ts';
import { findLastCommit, findRestorePoint, findTransaction, hasCommit, hasRecordFrom } from '../wal/search.ts';
import { type Candidate, lsnOf } from './candidate.ts';
import { type RecoveryTarget, targetMicros } from './target.ts';

/** Segments at the end of WAL in which the newest commit is looked for when nothing depends on it. */
const SEGMENTS_LOOKED_AT = 3;

export interface TargetWish {
  readonly target: RecoveryTarget;
  /** Stop just before the target instead of just after it. */
  readonly exclusive?: boolean;
  readonly signal?: AbortSignal;
}

export interface Reached {
  readonly told: RecoveryTarget;
  readonly recoversTo: Date | undefined;
  readonly note?: string;
}

const endOf = (way: Way): Way => ({ ...way, steps: way.steps.slice(-SEGMENTS_LOOKED_AT) });

/** Whether the candidate's WAL holds the target, and what PostgreSQL is to be told then. */
export async function reach(candidate: Candidate, options: TargetWish): Promise<Reached | undefined> {
  const { target, signal } = options;
  const { way, wal, backup } = candidate;
  const from = lsnOf(backup.stop_lsn);
  switch (target.kind) {
    case 'immediate':
      return { told: target, recoversTo: new Date(backup.finished_at) };
    case 'latest':
      // WAL that goes on behind a gap is not the latest: an older moment must be asked for by name.
      if (way.resumesAt !== undefined) return undefined;
      // Only told, not needed: of a cluster that was idle for long not all WAL is read for it.
      return { told: target, recoversTo: (await findLastCommit(wal.archive, endOf(way), from, signal))?.at };
    case 'lsn': {
      const wanted = lsnOf(target.lsn);
      if (wanted > way.end) return undefined;
      if (await hasRecordFrom(wal.archive, way, wanted, signal)) return { told: target, recoversTo: undefined };
      return {
        told: { kind: 'latest' },
        recoversTo: undefined,
        note: 'No WAL record begins at that position or after it, so all WAL is replayed.',
      };
    }
    case 'time': {
      const at = targetMicros(target);
      const last = await findLastCommit(wal.archive, way, from, signal);
      const stops = (micros: bigint): boolean => (options.exclusive === true ? micros >= at : micros > at);
      if (last !== undefined && stops(last.atMicros)) return { told: target, recoversTo: target.at };
      const known = await sentAt(wal, way, signal);
      if (known === null || Date.parse(known) < target.at.getTime()) return undefined;
      // Where the server's clock stepped back an earlier commit is later than the last, and PostgreSQL stops there.
      if (await hasCommit(wal.archive, way, from, stops, signal)) return { told: target, recoversTo: target.at };
      return {
        // Where WAL is missing, its end is there.
        told: { kind: 'latest' },
        recoversTo: last?.at,
        note: 'There is no commit after that time, so all WAL is replayed.',
      };
    }
    case 'xid': {
      const found = await findTransaction(wal.archive, way, from, target.xid, signal);
      return found && { told: target, recoversTo: found.at };
    }
    case 'name': {
      const found = await findRestorePoint(wal.archive, way, from, target.name, signal);
      return found && { told: target, recoversTo: found.at };
    }
  }
}

/** Where replay stops, where that is known as a position. */
export function lastWanted(backup: BackupSummary, target: RecoveryTarget): Lsn | undefined {
  if (target.kind === 'lsn') return lsnOf(target.lsn);
  return target.kind === 'immediate' ? lsnOf(backup.stop_lsn) : undefined;
}

/** Of the way only what replay will ask for. */
export function trimWay(way: Way, wal: SystemWal, wanted: Lsn | undefined): Way['steps'] {
  if (wanted === undefined) return way.steps;
  const size = BigInt(wal.archive.segmentSize);
  // One segment more: a record that begins before the target may end behind it.
  return way.steps.filter(({ start }) => start <= wanted + size);
}
