// Up to where WAL was expired on purpose, so that nobody takes its absence for a gap.
//
//   clusters/<name>/expired/<system identifier>/<n>   a position for each timeline; the highest n counts
//
// Written before the WAL goes. Below the position only what single backups need for themselves is left, so that no
// moment but their ends can be reached there.

import { isSpillwayError } from '@spillway/contract';
import { expiredWalName } from '../../format/names.ts';
import { formatLsn, type Lsn, parseLsn, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import type { Repository } from '../../repository/repository.ts';

const READS_MAX = 20;

export type ExpiredUpTo = ReadonlyMap<TimelineId, Lsn>;

export async function readExpired(
  repository: Repository,
  cluster: string,
  systemIdentifier: string,
  signal?: AbortSignal,
): Promise<ExpiredUpTo> {
  for (let reads = 1; ; reads++) {
    const { newest } = await listRecords(repository, cluster, systemIdentifier, signal);
    if (newest === undefined) return new Map();
    try {
      const [frame] = await repository.read('walExpired', newest, signal);
      const words = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as Readonly<Record<string, string>>;
      return new Map(
        Object.entries(words).flatMap(([timeline, text]): [TimelineId, Lsn][] => {
          const position = parseLsn(text);
          return position === undefined ? [] : [[timelineId(Number(timeline)), position]];
        }),
      );
    } catch (error) {
      // Replaced between list and read.
      if (!isSpillwayError(error, 'SPW_OBJECT_MISSING') || reads === READS_MAX) throw error;
    }
  }
}

/** Durable when it returns. Positions only rise: what is gone does not come back. */
export async function writeExpired(
  repository: Repository,
  cluster: string,
  systemIdentifier: string,
  upTo: ExpiredUpTo,
  signal?: AbortSignal,
): Promise<void> {
  const { newest, names } = await listRecords(repository, cluster, systemIdentifier, signal);
  const merged = new Map(await readExpired(repository, cluster, systemIdentifier, signal));
  for (const [timeline, position] of upTo) {
    if (position > (merged.get(timeline) ?? -1n)) merged.set(timeline, position);
  }
  const words = Object.fromEntries([...merged].map(([timeline, position]) => [timeline, formatLsn(position)]));
  const number = Number(newest?.slice(newest.lastIndexOf('/') + 1) ?? 0) + 1;
  const name = expiredWalName(cluster, systemIdentifier, number);
  await repository.write('walExpired', name, [Buffer.from(JSON.stringify(words))], signal && { signal });
  for (const old of names) await repository.storage.remove(old, signal && { signal });
}

/** The position on a way before which not every moment can be reached. */
export function expiredOn(way: Ancestry, upTo: ExpiredUpTo): Lsn | undefined {
  let highest: Lsn | undefined;
  for (const { timeline, begin, end } of way) {
    const position = upTo.get(timeline);
    if (position === undefined || position <= begin) continue;
    const here = end !== undefined && end < position ? end : position;
    if (highest === undefined || here > highest) highest = here;
  }
  return highest;
}

async function listRecords(
  repository: Repository,
  cluster: string,
  systemIdentifier: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly newest: string | undefined; readonly names: readonly string[] }> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(
    expiredWalName(cluster, systemIdentifier),
    signal && { signal },
  )) {
    names.push(name);
  }
  return { newest: names.at(-1), names };
}
