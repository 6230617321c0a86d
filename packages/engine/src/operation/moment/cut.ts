// Which position in WAL a snapshot stands for. Pure.
//
// A snapshot sees the transactions that had left the list of those running when it was taken; a recovery that ends at a
// position has those whose commit record lies before it. The record is written first and the list is left later, so the two
// need not agree: of two that commit at once the one with the later record may be seen first. Where all commits that a
// snapshot sees lie before all that it does not see, it stands for one position, the last one it sees, and a recovery up to
// there has exactly what the snapshot shows. Where they are mixed there is no such position, and another snapshot is taken.

import type { Lsn } from '../../postgres/lsn.ts';
import type { CommitRecord } from '../wal/search.ts';

/** What pg_current_snapshot() says; 64-bit ids of top-level transactions. */
export interface Visibility {
  /** All ids from here on were yet to begin. */
  readonly xmax: bigint;
  /** Below it, those still running. */
  readonly running: ReadonlySet<bigint>;
}

/** `10:20:10,14,15` as PostgreSQL writes it. */
export function parseSnapshot(text: string): Visibility | undefined {
  const [, xmax, running] = /^\d+:(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text) ?? [];
  if (xmax === undefined || running === undefined) return undefined;
  return { xmax: BigInt(xmax), running: new Set(running === '' ? [] : running.split(',').map(BigInt)) };
}

/** Whether the snapshot sees what a transaction did that has committed since; WAL has the lower 32 bits of its id. */
export function sees({ xmax, running }: Visibility, xid: number): boolean {
  const full = nearest(xid, xmax);
  return full < xmax && !running.has(full);
}

/** Where recovery is to end, inclusive; undefined where no position shows what the snapshot shows. `commits` are in order. */
export function findCut(commits: readonly CommitRecord[], snapshot: Visibility): Lsn | undefined {
  const last = commits.findLastIndex(({ xid }) => sees(snapshot, xid));
  const unseen = commits.findIndex(({ xid }) => !sees(snapshot, xid));
  return unseen !== -1 && unseen < last ? undefined : commits[last]?.lsn;
}

/** Of the ids with these lower bits the one that is nearest: none is half the space of ids away. */
function nearest(xid: number, beside: bigint): bigint {
  const span = 1n << 32n;
  const near = (beside & ~(span - 1n)) | BigInt(xid);
  if (near - beside > span / 2n) return near - span;
  return beside - near > span / 2n ? near + span : near;
}
