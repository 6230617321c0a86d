// What is known of the two servers, and of the WAL, before anybody decides whether one is rewound to the other.

import type { ClusterState } from '../../postgres/control.ts';
import type { Lsn, SegmentSize, TimelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';

/** The server that is to be rewound, from its files. */
export interface TargetFacts {
  readonly directory: string;
  readonly systemIdentifier: string;
  readonly major: number;
  readonly catalogVersion: number;
  readonly state: ClusterState;
  readonly walLogHints: boolean;
  readonly checksums: boolean;
  readonly segmentSize: SegmentSize;
  readonly way: Ancestry;
  readonly timeline: TimelineId;
  /** The end of its WAL; undefined where the record of its last checkpoint cannot be read, or it was not shut down. */
  readonly end: Lsn | undefined;
  /** Something was laid into the folder that no server has recovered from yet. */
  readonly hasBackupLabel: boolean;
  /** A rewind of ours was broken off in it. */
  readonly isUnfinished: boolean;
  /** Whether programs can be run as the owner of its files: never as root, and only root can be somebody else. */
  readonly owner: 'usable' | 'root' | 'another';
}

/** The server that it is rewound to, as it tells. */
export interface SourceFacts {
  readonly systemIdentifier: string;
  readonly major: number;
  readonly catalogVersion: number;
  readonly inRecovery: boolean;
  readonly fullPageWrites: boolean;
  readonly way: Ancestry;
  readonly timeline: TimelineId;
  /** Up to where it has written, or replayed. */
  readonly position: Lsn;
  /** Of pg_control, which pg_rewind reads: just after a promotion it is the old one until a checkpoint is done. */
  readonly checkpointTimeline: TimelineId;
  /** Where its own recovery would begin; a standby's copy must begin there too. */
  readonly redo: Lsn;
  /** Functions that pg_rewind calls and this role may not. */
  readonly forbidden: readonly string[];
  /** Whether its Unix socket lies among its files: pg_rewind tries to read it as one of them, and fails. */
  readonly hasSocketInside: boolean;
  /** What is in its pg_wal. */
  readonly walNames: ReadonlySet<string>;
  readonly mayReplicate: boolean;
  /** What replay demands to be as large. */
  readonly standbyParameters: Readonly<Record<string, number>>;
}

export interface LastCheckpoint {
  readonly lsn: Lsn;
  readonly redo: Lsn;
  readonly timeline: TimelineId;
}

export interface NeededSegment {
  readonly name: string;
  readonly start: Lsn;
  readonly timeline: TimelineId;
  readonly place: 'pg_wal' | 'repository' | 'missing';
}

/** WAL of the target from the last common checkpoint to its end, and of the source from there on. */
export interface WalFacts {
  /** The last one before the fork; undefined where WAL ends before one is found. */
  readonly checkpoint: LastCheckpoint | undefined;
  /** In order; where no checkpoint was found, from the first that is missing. */
  readonly needed: readonly NeededSegment[];
  /** Where a record of it cannot be read. */
  readonly unreadableAt: Lsn | undefined;
  /** The first change of the settings that WAL carries, wal_log_hints among them, after that checkpoint. */
  readonly settingsChangedAt: Lsn | undefined;
  /** Segments that the rewound server has to replay and can get nowhere. */
  readonly replayMissing: readonly string[];
  /** Segments that it has to replay and that are in the target's own pg_wal alone, from where pg_rewind may remove them. */
  readonly replayOwn: readonly string[];
}
