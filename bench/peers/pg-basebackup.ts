// pg_basebackup: tar files, compressed by the client where it was built with zstd, WAL streamed beside. It cannot encrypt,
// has one process with threads for zstd alone, and up to PostgreSQL 16 knows no incremental backup. Restoring is
// unpacking with tar, and syncing, which tar does not do.

import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from '../measure.ts';
import { versionOf } from '../source.ts';
import { type AbsentPeer, type Peer, type PeerPlace, PROCESSES, ZSTD_LEVEL } from './peer.ts';

export const PG_BASEBACKUP = 'pg_basebackup';

export async function findPgBaseBackup({ folder, source, installation }: PeerPlace): Promise<Peer | AbsentPeer> {
  const program = join(installation.binDirectory, 'pg_basebackup');
  const version = await versionOf(program);
  if (version === undefined) return { name: PG_BASEBACKUP, why: `there is no program ${program}` };
  const { stdout } = await promisify(execFile)(join(installation.binDirectory, 'pg_config'), ['--configure']).catch(
    () => ({ stdout: '' }),
  );
  const zstd = stdout.includes('--with-zstd');
  const unpacks = zstd && (await versionOf('zstd')) !== undefined && (await versionOf('tar')) !== undefined;
  const { host, port, user, password } = source.cluster.connection;
  const store = join(folder, 'backups');
  let taken = 0;
  const full = (): Command => {
    taken++;
    const words = ['-h', host, '-p', String(port), '-U', user, '-D', join(store, String(taken))];
    words.push('--format=tar', '--wal-method=stream', '--checkpoint=fast', '--no-manifest');
    if (zstd) words.push(`--compress=client-zstd:level=${ZSTD_LEVEL},workers=${PROCESSES}`);
    return { program, words, environment: { PGPASSWORD: password } };
  };
  return {
    name: PG_BASEBACKUP,
    version,
    how: `one process, ${zstd ? `zstd ${ZSTD_LEVEL} with ${PROCESSES} threads` : 'not compressed: built without zstd'}, NO encryption`,
    store,
    archiveCommand: 'true',
    empty: async () => {
      await rm(store, { recursive: true, force: true });
      await mkdir(store);
    },
    full,
    again: full,
    streamed: full,
    ...(unpacks
      ? {
          restore: (into: string) => ({
            program: 'bash',
            words: ['-ec', UNPACK, 'bash', join(store, String(taken)), into],
          }),
        }
      : {}),
  };
}

const UNPACK = `tar --extract --zstd --file "$1/base.tar.zst" --directory "$2"
tar --extract --file "$1/pg_wal.tar" --directory "$2/pg_wal"
sync -f "$2"`;
