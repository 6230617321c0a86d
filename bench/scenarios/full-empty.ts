// The first backup. The codec bounds it, so it is also held against the raw limit: 0.85 of the limit's speed at least.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import { RAW_LIMIT } from '../peers/raw-limit.ts';
import type { Turn } from './scenario.ts';

export const fullEmpty: Turn = {
  name: 'full-empty',
  title: 'full backup into an empty repository',
  fromEmpty: true,
  reads: 'source',
  command: (peer) => peer.full(),
  goals: [
    { measure: 'seconds', against: PGBACKREST, most: 0.75 },
    { measure: 'storedBytes', against: PGBACKREST, most: 1 },
    { measure: 'seconds', against: RAW_LIMIT, most: 1 / 0.85 },
  ],
};
