// What the levels of verification tell of what they looked at, beside their findings.

import type { ScratchPhase } from '../scratch/open.ts';

/** What a record of evidence says of a sample, under `sample` in its details. */
export interface SampleTold {
  /** Of how many: the days of the window. */
  readonly of: number;
  readonly shares: readonly number[];
}

export interface SampleProof extends SampleTold {
  readonly window_days: number;
  /** By when each share will have been read; today where each has been. A date. */
  readonly all_read_by: string;
  /** The day since when all was read; null where it was not yet. A date. */
  readonly all_read_since: string | null;
  /** Id of the record; null where it could not be written. */
  readonly evidence: string | null;
}

export interface WalProof {
  /** Of each backup. */
  readonly chains: readonly {
    readonly backup: string;
    readonly timeline: number;
    readonly from_lsn: string;
    /** How far replay gets from the backup. */
    readonly to_lsn: string;
    readonly segments: number;
    /** The server's clock when it sent the end of it. */
    readonly sent_at: string | null;
  }[];
  readonly objects: number;
  readonly bytes: number;
  /** Each with its checksum. */
  readonly records: number;
}

export interface DumpProof {
  readonly dump: string;
  readonly databases: readonly {
    readonly name: string;
    /** Entries of the archive's table of contents. */
    readonly entries: number;
    readonly tables_with_data: number;
  }[];
}

export interface RestoreProof {
  readonly backup: string;
  readonly target: { readonly kind: string; readonly value: string | null };
  /** Of the moment, where it was chosen at random. */
  readonly seed: string | null;
  /** What the moment was chosen from. */
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly recovered_to_lsn: string | null;
  readonly recovered_to_time: string | null;
  readonly timeline: number;
  readonly phases: readonly ScratchPhase[];
  /** Null where the server did not come up, or there is no pg_amcheck here. */
  readonly amcheck: { readonly version: string; readonly relations: number; readonly seconds: number } | null;
  /** Null where the cluster has no page checksums, or the server did not come up. */
  readonly pages: {
    readonly by: 'pg_checksums' | 'spillway';
    readonly pages: number;
    readonly seconds: number;
  } | null;
  readonly tables: number;
  readonly rows: number;
  /** The first thousand, by name. */
  readonly counted: readonly { readonly table: string; readonly rows: number }[];
  readonly checks: readonly {
    readonly sql: string;
    readonly result: 'passed' | 'failed';
    /** What it answered, or the error. */
    readonly found: string;
    readonly seconds: number;
  }[];
}
