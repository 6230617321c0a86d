// What the doctor looks at, as plain data. A part that could not be looked at is undefined, and its failure is told.

import type { SpillwayError } from '@spillway/contract';
import type { CanaryFacts } from '../canary/standing.ts';
import type { PlaceFacts } from '../copy/state.ts';

export type Area =
  | 'configuration'
  | 'repository'
  | 'backups'
  | 'WAL'
  | 'copies'
  | 'server'
  | 'slots'
  | 'canary'
  | 'space'
  | 'permissions'
  | 'clock'
  | 'versions';

export interface DoctorFacts {
  readonly now: Date;
  /** As configured. */
  readonly slot: string;
  readonly user: string;
  /** The configuration and the files that secrets come from. */
  readonly files: readonly FileFacts[];
  readonly repository: RepositoryFacts | undefined;
  readonly server: ServerState | undefined;
  readonly canary: CanaryFacts | undefined;
  /** As configured; null where it is off. */
  readonly canaryIntervalMs: number | null;
  /** Whether a replication connection is let in; undefined where it was not tried. */
  readonly mayReplicate: boolean | undefined;
  readonly dataDirectory: DataDirectoryFacts | undefined;
  /** Further places of the repository. */
  readonly places: readonly PlaceFacts[];
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly area: Area;
  readonly what: string;
  readonly error: SpillwayError;
}

export interface FileFacts {
  readonly path: string;
  readonly what: string;
  /** Permission bits. */
  readonly mode: number;
}

export interface SpaceFacts {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface RepositoryFacts {
  readonly path: string;
  readonly writable: boolean;
  readonly space: SpaceFacts | undefined;
  readonly damagedIndexes: readonly string[];
  readonly damagedPacks: readonly string[];
  readonly unreadableBackups: readonly string[];
  /** Oldest first. */
  readonly backups: readonly BackupFacts[];
  readonly walGaps: number;
  /** When the newest WAL was sent. */
  readonly walSentAt: Date | undefined;
}

export interface BackupFacts {
  readonly id: string;
  readonly finishedAt: Date;
  readonly storedBytes: number;
  readonly damagedPages: number;
  readonly walComplete: boolean;
  readonly proven: boolean;
}

export interface ServerState {
  readonly versionNumber: number;
  readonly inRecovery: boolean;
  readonly clock: Date;
  readonly checksums: boolean;
  /** By name, as pg_settings has them, in their own units. */
  readonly settings: ReadonlyMap<string, string>;
  readonly archiver: ArchiverFacts;
  readonly slots: readonly SlotFacts[];
}

export interface ArchiverFacts {
  readonly lastFailedWal: string | undefined;
  readonly lastFailedAt: Date | undefined;
  readonly lastArchivedAt: Date | undefined;
}

export interface SlotFacts {
  readonly name: string;
  readonly active: boolean;
  /** reserved, extended, unreserved or lost; undefined where the slot has reserved nothing yet. */
  readonly walStatus: string | undefined;
  /** What it holds back. */
  readonly heldBytes: number;
  /** What may still be written before it can be lost; undefined without a limit. */
  readonly safeBytes: number | undefined;
}

export interface DataDirectoryFacts {
  readonly path: string;
  readonly readable: boolean;
  /** Of the file system that pg_wal is on. */
  readonly walSpace: SpaceFacts | undefined;
}
