// One thing that the doctor found: what was seen, what comes of it, what mends it.

import type { Area } from './facts.ts';

export interface Finding {
  readonly severity: 'failed' | 'warning';
  readonly area: Area;
  readonly message: string;
  /** What comes of it. */
  readonly why: string;
  /** The command, or the line of a setting. */
  readonly mend: string;
}
