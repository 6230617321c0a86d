// What a backup is asked for. Its own file, because both the run of a backup and each of its sources read it.

import type { Report } from '@spillway/contract';
import type { CompressionLevel } from '../../codec/seal.ts';
import type { BackupSummary } from '../../format/manifest.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { Repository } from '../../repository/repository.ts';

export interface ClusterSource {
  readonly name: string;
  readonly connection: ConnectionSettings;
  /** As this machine sees it; asked from the server by default. */
  readonly dataDirectory?: string;
}

export interface BackupOptions {
  readonly repository: Repository;
  readonly cluster: ClusterSource;
  /** `full` reads every file; `incremental` leaves unread what did not change since the last backup. */
  readonly type: BackupSummary['type'];
  /** `local` (default) reads beside the data directory, `stream` over the replication protocol. */
  readonly source?: BackupSummary['source'];
  readonly workers: number;
  readonly compressionLevel: CompressionLevel;
  readonly walTimeoutMs: number;
  readonly slot: string;
  readonly flushIntervalMs: number;
  /** zstd level of the WAL that it receives itself. */
  readonly walCompressionLevel?: number;
  /** After pg_upgrade: accepts the new system identifier under the old name. */
  readonly newSystem?: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}
