// A restore in place after one page in a hundred was damaged at random places, silently: files kept their size and time.
// Afterwards each of those pages must be what it was.

import { damagePages } from '../damage.ts';
import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

const SHARE = 0.01;
const SEED = 20_261_124;

export const restoreDeltaDamaged: Turn = {
  name: 'restore-delta-damaged',
  title: 'delta restore after 1 % of the pages were damaged',
  passing: true,
  reads: 'store',
  command: (peer, into) => peer.restoreDelta?.(into),
  restores: 'over-restored',
  harm: (dataDirectory, round) => damagePages(dataDirectory, SHARE, SEED + round),
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.75 }],
};
