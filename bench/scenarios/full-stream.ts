// The first backup again, over the replication protocol: what it costs that the files lie on another host. Over one connection
// the server sends, and so bounds it; `full-empty` tells what reading the files beside it takes.

import type { Scenario } from './scenario.ts';

export const fullStream: Scenario = {
  name: 'full-stream',
  title: 'full backup over the replication protocol into an empty repository',
  fromEmpty: true,
  reads: 'source',
  command: (peer) => peer.streamed?.(),
  goals: [],
};
