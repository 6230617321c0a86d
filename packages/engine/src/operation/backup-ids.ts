// The ids of backups and dumps, from the names of their objects alone: no secret is needed and nothing is read.

import { dumpName, manifestName } from '../format/names.ts';
import { openStorage } from '../storage/open.ts';
import type { StorageLocation } from '../storage/port.ts';

export interface BackupIdsOptions {
  readonly location: StorageLocation;
  readonly cluster: string;
  readonly signal?: AbortSignal;
}

/** Newest first. */
export const listBackupIds = (options: BackupIdsOptions): Promise<readonly string[]> =>
  listNames(manifestName(options.cluster, ''), options);

/** Newest first. */
export const listDumpIds = (options: BackupIdsOptions): Promise<readonly string[]> =>
  listNames(dumpName(options.cluster, ''), options);

/** Ids begin with their time. */
async function listNames(prefix: string, { location, signal }: BackupIdsOptions): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { name } of openStorage(location).list(prefix, signal && { signal }))
    ids.push(name.slice(prefix.length));
  return ids.toSorted().toReversed();
}
