// pg_dump: rows, not files, in the custom format. No physical backup: no WAL can be replayed onto it, and it comes back into a
// running server row by row, so it takes part in full backups alone. One process and no encryption. zstd only from
// PostgreSQL 16 on; before, it has nothing but gzip.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../measure.ts';
import { versionOf } from '../source.ts';
import { type AbsentPeer, type Peer, type PeerPlace, ZSTD_LEVEL } from './peer.ts';

export const PG_DUMP = 'pg_dump';
const ZSTD_SINCE = 16;

export async function findPgDump({ folder, source, installation }: PeerPlace): Promise<Peer | AbsentPeer> {
  const program = join(installation.binDirectory, PG_DUMP);
  const version = await versionOf(program);
  if (version === undefined) return { name: PG_DUMP, why: `there is no program ${program}` };
  const zstd = installation.major >= ZSTD_SINCE;
  const { host, port, user, password } = source.cluster.connection;
  const store = join(folder, 'dumps');
  let taken = 0;
  const full = (): Command => {
    taken++;
    const words = ['-h', host, '-p', String(port), '-U', user, '--format=custom', '-f', join(store, String(taken))];
    if (zstd) words.push(`--compress=zstd:${ZSTD_LEVEL}`);
    return { program, words: [...words, source.filling.database], environment: { PGPASSWORD: password } };
  };
  return {
    name: PG_DUMP,
    version,
    how: `one process, ${zstd ? `zstd ${ZSTD_LEVEL}` : 'gzip at its default level, since it has no zstd before PostgreSQL 16'}, NO encryption; rows alone, of one database`,
    store,
    archiveCommand: 'true',
    empty: async () => {
      await rm(store, { recursive: true, force: true });
      await mkdir(store);
    },
    full,
    again: full,
  };
}
