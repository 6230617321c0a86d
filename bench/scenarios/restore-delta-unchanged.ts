// A restore in place over what the same backup was just restored to: what it costs to find that nothing is to be done.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

export const restoreDeltaUnchanged: Turn = {
  name: 'restore-delta-unchanged',
  title: 'delta restore over an unchanged folder',
  passing: true,
  reads: 'store',
  command: (peer, into) => peer.restoreDelta?.(into),
  restores: 'over-restored',
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.75 }],
};
