// The newest backup laid down in an empty folder and synced; no server is started there.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Turn } from './scenario.ts';

export const restore: Turn = {
  name: 'restore',
  title: 'restore of the newest full backup into an empty folder',
  passing: true,
  reads: 'store',
  command: (peer, into) => peer.restore?.(into),
  restores: 'into-empty',
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.8 }],
};
