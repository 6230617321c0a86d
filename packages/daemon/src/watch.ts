// What the service looks at beyond the repository, handed in by the command line, which has the secrets for it: each cluster
// against its objectives, and the space under each place.

import type { StatusDocument } from '@spillway/contract';

export interface PlaceSeen {
  readonly place: string;
  /** Null of a bucket, which has no end. */
  readonly availableBytes: number | null;
  readonly sizeBytes: number | null;
}

export interface Watch {
  readonly status: (cluster: string, signal: AbortSignal) => Promise<StatusDocument>;
  readonly places: (signal: AbortSignal) => Promise<readonly PlaceSeen[]>;
}
