// A scenario: what is asked, and what must be reached. There are two kinds.
//
// 1. A turn is one command that every peer has. The turns of a round follow each other on the same repositories, from
//    empty ones on, so that each begins where the one before ended and every round is like every other.
// 2. An experiment has a setting of its own (a burst of WAL, a server that recovers, a load of clients) and makes its
//    samples itself. It has one part or more, each with its own table and goals.

import type { Installation } from '@spillway/lab';
import type { Figure, Sample } from '../figures.ts';
import type { Caches } from '../folder.ts';
import type { Command } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import type { Source } from '../source.ts';

/** Ours divided by that peer's, or by a number, must be at most this. */
export type Goal =
  | { readonly measure: Figure; readonly against: string; readonly most: number }
  | { readonly measure: Figure; readonly limit: number; readonly most: 1 };

/** What has a table of its own. */
export interface Part {
  readonly name: string;
  readonly title: string;
  readonly goals: readonly Goal[];
  /** What `seconds` is here; by default the wall time of a command. */
  readonly seconds?: string;
}

export interface Turn extends Part {
  /** Begins with every store empty. */
  readonly fromEmpty?: boolean;
  /** Leaves nothing that a later one builds on, so it need not take place where it was not asked for. */
  readonly passing?: boolean;
  /** What happens to the source before the peers take their turns. */
  readonly change?: (source: Source, round: number) => Promise<void>;
  /** What the run reads and the cache is prepared for; a folder restored into is prepared too. */
  readonly reads: 'source' | 'store';
  /** Undefined where the peer cannot do it. `into` is the folder of `restores`. */
  readonly command: (peer: Peer, into: string) => Command | undefined;
  /** `into` must hold the cluster afterwards. Before, it is empty or holds the newest backup, restored by the same peer. */
  readonly restores?: 'into-empty' | 'over-restored';
  /** What is done to the restored folder before the run; what comes back is called after it and throws where it was not mended. */
  readonly harm?: (dataDirectory: string, round: number) => Promise<() => Promise<void>>;
}

export interface Experiment {
  readonly name: string;
  readonly title: string;
  readonly parts: readonly Part[];
  /** Too long for a run that asks for nothing: takes place when named, or with `--all`. */
  readonly slow?: boolean;
  readonly run: (stage: Stage) => Promise<readonly Sample[]>;
}

/** What an experiment is given. */
export interface Stage {
  /** Empty, and removed afterwards. */
  readonly folder: string;
  /** The machine's PostgreSQL. */
  readonly installation: Installation;
  readonly size: Size;
  readonly rounds: number;
  readonly caches: Caches;
  /** The pgBackRest to hold it against. */
  readonly pgbackrest: string;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
  /** A line to be printed below the part's table. */
  readonly note: (part: string, line: string) => void;
  /** That something of a part could not be measured. */
  readonly skip: (part: string, why: string) => void;
}

/** How much of everything; each is a word of the command line. */
export interface Size {
  /** pgbench's. */
  readonly scale: number;
  /** In the burst of WAL. */
  readonly segments: number;
  /** To be recovered. */
  readonly walBytes: number;
  /** Of load by clients, in each turn of the streaming. */
  readonly loadSeconds: number;
  /** Sizes of databases by which time and memory are compared. */
  readonly gigabytes: readonly number[];
  /** Of the synthetic repository. */
  readonly backups: number;
  readonly chunks: number;
}
