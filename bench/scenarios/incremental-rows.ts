// An incremental backup after a hundred rows were updated at random places: few pages changed, in large files.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

const ROWS = 100;
const SEED = 20_261_123;

export const incrementalRows: Turn = {
  name: 'incremental-100-rows',
  title: 'incremental backup after 100 random row updates',
  change: (source, round) => source.updateRows(ROWS, SEED + round),
  reads: 'source',
  command: (peer) => peer.incremental?.(),
  goals: [
    { measure: 'seconds', against: PGBACKREST, most: 0.4 },
    { measure: 'storedBytes', against: PGBACKREST, most: 0.3 },
  ],
};
