// The raw limit: what two workers need for the same codec calls over the same bytes, and nothing else (`../raw-limit/`).
// It is no backup. It tells how much of a full backup's time is the codec's, which no tool with that codec can save.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Peer, type PeerPlace, PROCESSES, ZSTD_LEVEL } from './peer.ts';

export const RAW_LIMIT = 'raw limit';
const PROGRAM = fileURLToPath(new URL('../raw-limit/run.ts', import.meta.url));
const VERIFY_PROGRAM = fileURLToPath(new URL('../raw-limit/verify.ts', import.meta.url));
const ownSeconds = (stdout: string): number => (JSON.parse(stdout) as { readonly seconds: number }).seconds;

export function rawLimit({ folder, source }: PeerPlace): Peer {
  const store = join(folder, 'written');
  return {
    name: RAW_LIMIT,
    version: `Node ${process.versions.node}`,
    how: `${PROCESSES} workers: read, HMAC-SHA-256, zstd ${ZSTD_LEVEL}, AES-256-GCM, write and sync; its start is not counted`,
    store,
    archiveCommand: 'true',
    empty: async () => {
      await rm(store, { recursive: true, force: true });
      await mkdir(store);
    },
    full: () => ({
      program: process.execPath,
      words: [PROGRAM, source.dataDirectory, store, String(PROCESSES), String(ZSTD_LEVEL)],
      ownSeconds,
    }),
    verify: () => ({
      program: process.execPath,
      words: [VERIFY_PROGRAM, store, String(PROCESSES)],
      ownSeconds,
    }),
  };
}
