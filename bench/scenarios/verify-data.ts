// The newest backup read back: every chunk is read, decrypted, expanded and hashed anew. The codec bounds this too, so it is held
// against the raw limit that does the same with the same plain chunks: 0.8 of the limit's speed at least.

import { RAW_LIMIT } from '../peers/raw-limit.ts';
import type { Turn } from './scenario.ts';

export const verifyData: Turn = {
  name: 'verify-data',
  title: 'verification of all data of the one full backup in the repository',
  passing: true,
  reads: 'store',
  command: (peer) => peer.verify?.(),
  goals: [{ measure: 'seconds', against: RAW_LIMIT, most: 1 / 0.8 }],
};
