// An incremental backup of a cluster in which nothing changed: what it costs to find that out.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

export const incrementalUnchanged: Turn = {
  name: 'incremental-unchanged',
  title: 'incremental backup with nothing changed',
  reads: 'source',
  command: (peer) => peer.incremental?.(),
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.5 }],
};
