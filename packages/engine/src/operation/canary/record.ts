// The newest acknowledged canary in the repository itself: what is known where source and receiver are both lost.
//
//   clusters/<name>/canary/<time>-<8 hexadecimal digits>   the newest name counts; older ones are removed
//
// It is written about once a minute, beside the WAL that holds the canaries themselves, and goes to every place that the
// WAL goes to, by a receiver or by a copy. Where only finished segments are archived it is ahead of the WAL: then it tells how much is missing.

import { randomBytes } from 'node:crypto';
import { isSpillwayError } from '@spillway/contract';
import { canaryName } from '../../format/names.ts';
import type { Repository } from '../../repository/repository.ts';
import { removeIfPermitted } from '../../storage/permitted.ts';
import { isAcknowledged } from './state-file.ts';
import type { Acknowledged } from './table.ts';

/** Of the newest names; older ones are looked at where newer ones cannot be read. */
const READS_MAX = 4;

export interface CanaryRecord {
  readonly acknowledged: Acknowledged;
  readonly interval_seconds: number;
}

/** Durable when it returns. */
export async function writeCanaryRecord(
  repository: Repository,
  cluster: string,
  record: CanaryRecord,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal && { signal };
  const id = `${record.acknowledged.acknowledged_at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  const name = canaryName(cluster, id);
  await repository.write('canary', name, [Buffer.from(JSON.stringify(record))], options);
  await removeOlder(repository, cluster, name, signal);
}

/**
 * Brings the newest one to another place, by `put`, which says whether it stands there now. Nothing where the place has a newer
 * one, as the one that WAL is received into may have.
 */
export async function copyCanaryRecord(
  source: Repository,
  target: Repository,
  cluster: string,
  put: (name: string) => Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const newest = (await listNames(target, cluster, signal)).at(-1) ?? '';
  const names = await listNames(source, cluster, signal);
  for (const name of names.toReversed().slice(0, READS_MAX)) {
    if (name <= newest) return;
    if (await put(name)) return removeOlder(target, cluster, name, signal);
  }
}

/** Undefined where there is none that can be read. */
export async function readCanaryRecord(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<CanaryRecord | undefined> {
  const names = await listNames(repository, cluster, signal);
  for (const name of names.toReversed().slice(0, READS_MAX)) {
    try {
      const [frame] = await repository.read('canary', name, signal);
      const record = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as Partial<CanaryRecord>;
      if (isAcknowledged(record.acknowledged) && typeof record.interval_seconds === 'number') {
        return { acknowledged: record.acknowledged, interval_seconds: record.interval_seconds };
      }
    } catch (error) {
      // Replaced since it was listed, or damaged: an older one says less, and is true.
      if (
        !isSpillwayError(error, 'SPW_OBJECT_MISSING', 'SPW_OBJECT_DAMAGED', 'SPW_KEY_ROTATED', 'SPW_REPOSITORY_NEWER')
      ) {
        throw error;
      }
    }
  }
  return undefined;
}

async function removeOlder(
  repository: Repository,
  cluster: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const old of await listNames(repository, cluster, signal)) {
    if (old < name) await removeIfPermitted(repository.storage, old, signal && { signal });
  }
}

async function listNames(repository: Repository, cluster: string, signal?: AbortSignal): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(canaryName(cluster, ''), signal && { signal })) names.push(name);
  return names.toSorted();
}
