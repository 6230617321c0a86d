// What the service looks at beyond the repository, handed in by the command line, which has the secrets for it: each cluster
// against its objectives, each of its servers, the space under each place, what protects it, and certificates.

import type { StatusDocument } from '@spillway/contract';
import type { ServerSeen } from '@spillway/control';

export interface PlaceSeen {
  readonly place: string;
  /** Null of a bucket, which has no end. */
  readonly availableBytes: number | null;
  readonly sizeBytes: number | null;
  /** Settings of a bucket that protect less than is configured; null of a folder. */
  readonly weak: readonly string[] | null;
}

export interface CertificateSeen {
  /** Which setting names it. */
  readonly certificate: string;
  /** Milliseconds; of several in a file, when the first ends. */
  readonly endsAt: number;
}

export interface Watch {
  readonly status: (cluster: string, signal: AbortSignal) => Promise<StatusDocument>;
  /** The server of `connection` first. */
  readonly servers: (cluster: string, signal: AbortSignal) => Promise<readonly ServerSeen[]>;
  readonly places: (signal: AbortSignal) => Promise<readonly PlaceSeen[]>;
  readonly certificates: (signal: AbortSignal) => Promise<readonly CertificateSeen[]>;
}
