// Which PostgreSQL system a cluster's name stands for, so that two clusters never mix in one repository.
//
// 1. The first backup or receiver of a name records the system identifier; it is an object, so of two racing ones both
//    are seen and the later is refused.
// 2. A server with another identifier is refused. After pg_upgrade the identifier changes: then the operator says so
//    (`newSystem`), and the new one is recorded beside the old, whose backups stay restorable.

import { SpillwayError } from '@spillway/contract';
import { systemName } from '../format/names.ts';
import type { Repository } from '../repository/repository.ts';

export interface SystemRecord {
  readonly system_identifier: string;
  readonly wal_segment_bytes: number;
  readonly recorded_at: string;
}

export interface SystemOptions {
  /** Accepts a system identifier that the repository does not know yet under this name. */
  readonly newSystem?: boolean;
  readonly signal?: AbortSignal;
}

/** Throws SPW_SYSTEM_MISMATCH where the name stands for another system. */
export async function admitSystem(
  repository: Repository,
  cluster: string,
  system: { readonly systemIdentifier: string; readonly segmentBytes: number },
  options: SystemOptions = {},
): Promise<void> {
  const { signal } = options;
  const known = await listSystems(repository, cluster, signal);
  if (known.some((record) => record.system_identifier === system.systemIdentifier)) return;
  if (known.length > 0 && options.newSystem !== true) {
    const latest = known.at(-1)?.system_identifier ?? '';
    throw new SpillwayError('SPW_SYSTEM_MISMATCH', `the server is not cluster ${cluster}`, {
      why: `its system identifier is ${system.systemIdentifier}, and the repository knows ${cluster} as ${latest}`,
      hint: 'check the connection; after pg_upgrade run spillway backup --new-system once, and give another cluster a name of its own',
    });
  }
  const record: SystemRecord = {
    system_identifier: system.systemIdentifier,
    wal_segment_bytes: system.segmentBytes,
    recorded_at: new Date().toISOString(),
  };
  const name = systemName(cluster, system.systemIdentifier);
  await repository.write('system', name, [Buffer.from(JSON.stringify(record))], signal && { signal });
  if (known.length === 0 && (await listSystems(repository, cluster, signal)).length > 1) {
    await repository.storage.remove(name, { hide: true });
    throw new SpillwayError('SPW_SYSTEM_MISMATCH', `the server is not cluster ${cluster}`, {
      why: 'another server was recorded under this name at the same moment',
    });
  }
}

/** The systems a cluster's name has stood for, oldest first. */
export async function listSystems(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<readonly SystemRecord[]> {
  const records: SystemRecord[] = [];
  for await (const { name } of repository.storage.list(systemName(cluster, ''), signal && { signal })) {
    const [frame] = await repository.read('system', name, signal);
    records.push(JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as SystemRecord);
  }
  return records.toSorted((a, b) => a.recorded_at.localeCompare(b.recorded_at));
}
