// The ids of backups, from the names of their objects alone: no secret is needed and nothing is read.

import { manifestName } from '../format/names.ts';
import { openStorage } from '../storage/open.ts';
import type { StorageLocation } from '../storage/port.ts';

export interface BackupIdsOptions {
  readonly location: StorageLocation;
  readonly cluster: string;
  readonly signal?: AbortSignal;
}

/** Newest first: ids begin with their time. */
export async function listBackupIds({ location, cluster, signal }: BackupIdsOptions): Promise<readonly string[]> {
  const prefix = manifestName(cluster, '');
  const ids: string[] = [];
  for await (const { name } of openStorage(location).list(prefix, signal && { signal }))
    ids.push(name.slice(prefix.length));
  return ids.toSorted().toReversed();
}
