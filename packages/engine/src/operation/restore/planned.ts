// What a restore is asked for, and the plan that comes of it: for people and as a document, and with what carrying it out
// needs.

import type { Report } from '@spillway/contract';
import type { BackupSummary, Manifest } from '../../format/manifest.ts';
import type { RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import type { SystemWal } from '../backups.ts';
import type { Way } from '../wal/coverage.ts';
import type { RestoreMode } from './folder.ts';
import type { Layout } from './layout.ts';
import type { Recovery, StandbyWish, TargetAction } from './recovery.ts';
import type { Selection } from './selection.ts';
import type { RecoveryTarget } from './target.ts';

export interface PlanOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly target: RecoveryTarget;
  readonly timeline?: number;
  readonly backupId?: string;
  readonly targetDirectory: string;
  /** Stop just before the target instead of just after it. */
  readonly exclusive?: boolean;
  /** A data directory that is there may be overwritten; only what differs is fetched. */
  readonly delta?: boolean;
  /** With `delta`: also one of another system. */
  readonly otherSystem?: boolean;
  readonly tablespaces?: readonly { readonly which: string; readonly to: string }[];
  readonly tablespacesInto?: string;
  readonly walDirectory?: string;
  /** Only these databases, with what all share; files of others become empty shells. */
  readonly databases?: readonly string[];
  /** What the server does when it has reached the target; `promote` by default. */
  readonly action?: TargetAction;
  readonly standby?: StandbyWish;
  /** The server is started there once it is laid: a way that its account cannot go is an error, not a note. */
  readonly toStart?: boolean;
  /** Compare what is there now, so that the plan knows what would be fetched: for a dry run. */
  readonly compare?: { readonly workers: number; readonly report: Report };
  readonly signal?: AbortSignal;
}

/** What a restore will do, for people and as a document. */
export interface RestorePlan {
  readonly cluster: string;
  readonly mode: RestoreMode;
  readonly backup: BackupSummary;
  readonly target: { readonly kind: RecoveryTarget['kind']; readonly value: string | null };
  readonly exclusive: boolean;
  readonly action: TargetAction;
  readonly standby: boolean;
  readonly timeline: number;
  readonly directory: string;
  readonly tablespaces: readonly {
    readonly oid: number;
    readonly name: string | null;
    readonly old_path: string;
    readonly path: string;
    readonly bytes: number;
    readonly free_bytes: number;
  }[];
  readonly wal_directory: string | null;
  readonly databases: { readonly restored: readonly string[]; readonly left_empty: readonly string[] } | null;
  readonly files: number;
  readonly bytes: number;
  /** What is fetched from the repository for them; at most so much where files are yet to be compared. */
  readonly fetch_bytes: number;
  /** Of a folder that holds files already; null where it is laid anew. */
  readonly changes: {
    readonly kept_files: number;
    readonly new_files: number;
    /** Files, folders and links that go, each folder counted once. */
    readonly removed: number;
    /** Whether the files that stay were compared for this plan; else that is done first of all. */
    readonly compared: boolean;
    readonly different_bytes: number | null;
  } | null;
  readonly wal_segments: number;
  readonly wal_bytes: number;
  readonly wal_from_lsn: string;
  readonly wal_to_lsn: string;
  readonly free_bytes: number;
  readonly needed_bytes: number;
  readonly expected_seconds: number | null;
  readonly expected_from: string | null;
  /** The newest commit that will be there, where it is known beforehand. */
  readonly recovers_to: string | null;
  readonly signal_file: string;
  /** What is written to postgresql.auto.conf, and stays there only until the recovery is over. */
  readonly settings: Readonly<Record<string, string>>;
  readonly lasting_settings: Readonly<Record<string, string>>;
  /** Settings of the backed up postgresql.auto.conf that are left out. */
  readonly dropped_settings: readonly string[];
  readonly notes: readonly string[];
}

/** A plan with what carrying it out needs. */
export interface PlannedRestore {
  readonly plan: RestorePlan;
  /** What PostgreSQL is told, which may be less than what was asked: see `reach.ts`. */
  readonly told: RecoveryTarget;
  readonly manifest: Manifest;
  readonly index: RepositoryIndex;
  readonly wal: SystemWal;
  readonly way: Way;
  readonly layout: Layout;
  readonly selection: Selection;
  readonly recovery: Recovery;
}
