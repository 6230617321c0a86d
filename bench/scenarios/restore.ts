// The newest backup laid down in an empty folder and synced; no server is started there.

import { PGBACKREST } from '../peers/pgbackrest.ts';
import type { Scenario } from './scenario.ts';

export const restore: Scenario = {
  name: 'restore',
  title: 'restore of the newest full backup into an empty folder',
  reads: 'store',
  command: (peer, into) => peer.restore?.(into),
  restores: true,
  goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.8 }],
};
