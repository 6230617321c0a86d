// What the service looks at beyond the repository, handed in by the command line, which has the secrets for it: each cluster
// against its objectives.

import type { StatusDocument } from '@spillway/contract';

export interface Watch {
  readonly status: (cluster: string, signal: AbortSignal) => Promise<StatusDocument>;
}
