// A scenario: one thing that is asked of every peer, and what must be reached.
//
// The scenarios of a round follow each other on the same repositories, from empty ones on, so that each begins where the
// one before ended and every round is like every other.

import type { Command } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import type { Source } from '../source.ts';

/** Ours divided by theirs must be at most this. */
export interface Goal {
  readonly measure: 'seconds' | 'bytes';
  readonly against: string;
  readonly most: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Begins with every store empty. */
  readonly fromEmpty?: boolean;
  /** What happens to the source before the peers take their turns. */
  readonly change?: (source: Source, round: number) => Promise<void>;
  /** What the run reads and the cache is prepared for. */
  readonly reads: 'source' | 'store';
  /** Undefined where the peer cannot do it. `into` is an empty folder. */
  readonly command: (peer: Peer, into: string) => Command | undefined;
  /** Whether `into` must hold the cluster afterwards. */
  readonly restores?: boolean;
  readonly goals: readonly Goal[];
}
