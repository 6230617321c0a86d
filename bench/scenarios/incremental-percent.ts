// An incremental backup after one row in a thousand was updated at random places: pages all over the large table.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

const SHARE = 0.001;
const SEED = 20_261_125;

export const incrementalPercent: Turn = {
  name: 'incremental-0.1-percent',
  title: 'incremental backup after 0.1 % of the rows were updated at random',
  change: (source, round) => source.updateRows(Math.round(source.filling.rows * SHARE), SEED + round),
  reads: 'source',
  command: (peer) => peer.incremental?.(),
  goals: [
    { measure: 'seconds', against: PGBACKREST, most: 0.5 },
    { measure: 'storedBytes', against: PGBACKREST, most: 0.7 },
  ],
};
