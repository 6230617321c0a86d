// A second full backup: everything is read and hashed again, and where chunks are shared nothing new is written.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

export const fullAgain: Turn = {
  name: 'full-again',
  title: 'full backup again, onto the same repository',
  reads: 'source',
  command: (peer) => peer.again?.(),
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.35 }],
};
