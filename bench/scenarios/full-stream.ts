// The first backup again, over the replication protocol: what it costs that the files lie on another host. Over one connection
// the server sends, and so bounds it; `full-empty` tells what reading the files beside it takes.

import type { Turn } from './scenario.ts';

export const fullStream: Turn = {
  name: 'full-stream',
  title: 'full backup over the replication protocol into an empty repository',
  fromEmpty: true,
  passing: true,
  reads: 'source',
  command: (peer) => peer.streamed?.(),
  goals: [],
};
